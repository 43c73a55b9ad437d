/**
 * Rows of the tables as the store's values, and intervals of keys as SQL.
 *
 * @module
 */

import { isEndOfKeys, NO_BYTES } from '#shared/bytes/bytes.ts'
import type { SqlRow } from '#shared/runtime/runtime.ts'
import type { KeyRange, KeyValue } from '../store.ts'

/** Columns of the table `events e` that {@link toKeyValue} reads. */
export const COLUMNS = 'e.revision, e.created, e.version, e.lease, e.key, e.value'

/** The event of a row with {@link COLUMNS}. */
export function toKeyValue(row: SqlRow): KeyValue {
  return {
    key: bytesIn(row, 'key'),
    value: bytesIn(row, 'value'),
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

/** The condition that a column of keys lies in a range, and its parameters. */
export function interval(
  column: string,
  { key, end }: KeyRange,
): { readonly where: string; readonly bounds: readonly Uint8Array[] } {
  if (end === undefined) return { where: `${column} = ?`, bounds: [key] }
  if (isEndOfKeys(end)) return { where: `${column} >= ?`, bounds: [key] }
  return { where: `${column} >= ? AND ${column} < ?`, bounds: [key, end] }
}
