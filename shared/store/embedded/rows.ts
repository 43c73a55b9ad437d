/**
 * Rows of the tables as the store's values, and intervals of keys as SQL.
 *
 * An event's `id` is its place in history: its revision · 2^20, and in the lower 20 bits its **place** in the revision. The place is twice
 * the number of the events before it in its revision, and one more for a deletion. So one index by key leads to the newest event and tells
 * whether it is a deletion. Ids exceed what a `number` holds, so they are taken apart and put together in SQL.
 *
 * @module
 */

import { isEndOfKeys, NO_BYTES } from '#shared/bytes/bytes.ts'
import type { SqlDatabase, SqlRow, SqlValue, SqlView } from '#shared/runtime/runtime.ts'
import type { KeyRange, KeyValue } from '../store.ts'
import { checksumOf, damagedError } from './checksum.ts'

/** Most events that one revision holds. */
export const MAX_REVISION_EVENTS = 2 ** 19
/** An id, of a revision and a place. */
export const ID = '((? << 20) | ?)'
/** The first id of a revision. */
export const FIRST_ID = '(? << 20)'
/** Columns of the table `events e` that {@link toHead} reads. */
export const HEAD_COLUMNS =
  'e.id >> 20 AS revision, e.id & 1048575 AS place, e.created, e.version, e.lease, e.key'
/** Columns of the table `events e` that {@link toKeyValue} reads. */
export const COLUMNS = `${HEAD_COLUMNS}, e.sum, e.value`
/** The condition that an event is no deletion. */
export const IS_PUT = '(e.id & 1) = 0'

/** An event without its value. */
export interface Head {
  /** With an empty value, and not verified. */
  readonly kv: KeyValue
  readonly place: number
}

/**
 * The event of a row with {@link COLUMNS}.
 *
 * @throws {AvisoError} `ERR_STORE_DAMAGED` where it does not agree with its checksum.
 */
export function toKeyValue(row: SqlRow, view: Pick<SqlView, 'crc32'>): KeyValue {
  const kv = read(row, bytesIn(row, 'value'))
  if (checksumOf(view, kv, numberIn(row, 'place')) !== row['sum']) throw damagedError(kv)
  return kv
}

/** Writes a row of {@link COLUMNS} into another database. */
export function copyRow(to: Pick<SqlDatabase, 'run'>, row: SqlRow): void {
  to.run(
    `INSERT INTO events (id, created, version, lease, sum, key, value) VALUES (${ID}, ?, ?, ?, ?, ?, ?)`,
    numberIn(row, 'revision'),
    numberIn(row, 'place'),
    ...['created', 'version', 'lease', 'sum', 'key', 'value'].map((column) => row[column] ?? null),
  )
}

/** The event of a row with {@link HEAD_COLUMNS}. */
export function toHead(row: SqlRow): Head {
  return { kv: read(row, NO_BYTES), place: numberIn(row, 'place') }
}

function read(row: SqlRow, value: Uint8Array): KeyValue {
  return {
    key: bytesIn(row, 'key'),
    value,
    createRevision: BigInt(numberIn(row, 'created')),
    modRevision: BigInt(numberIn(row, 'revision')),
    version: BigInt(numberIn(row, 'version')),
    lease: BigInt(numberIn(row, 'lease')),
  }
}

/** A number; 0 for NULL and where there is no row. */
export function numberIn(row: SqlRow | undefined, column: string): number {
  return Number(row?.[column] ?? 0)
}

/** Bytes; none for NULL, because some bindings store an empty value so. */
export function bytesIn(row: SqlRow, column: string): Uint8Array {
  const value = row[column]
  return value instanceof Uint8Array ? value : NO_BYTES
}

/** A condition in SQL and its parameters. */
export interface Condition {
  readonly where: string
  readonly bounds: readonly SqlValue[]
}

/** The condition that a column of keys lies in a range. */
export function interval(column: string, { key, end }: KeyRange): Condition {
  if (end === undefined) return { where: `${column} = ?`, bounds: [key] }
  const { where, bounds } = beforeEnd(column, end)
  return { where: `${column} >= ?${where}`, bounds: [key, ...bounds] }
}

/** The rest of a condition: that a column of keys lies before the end of a range. */
export function beforeEnd(column: string, end: Uint8Array): Condition {
  return isEndOfKeys(end) ? { where: '', bounds: [] } : { where: ` AND ${column} < ?`, bounds: [end] }
}
