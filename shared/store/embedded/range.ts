/**
 * Reads: one key or an interval of keys, as they are now or were at a revision.
 *
 * @module
 */

import { compareBytes, NO_BYTES } from '#shared/bytes/bytes.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import type { KeyRange, KeyValue, RangeRequest, RangeResult, Revision } from '../store.ts'
import { checkReadable } from './revisions.ts'
import { COLUMNS, bytesIn, interval, numberIn, toKeyValue } from './rows.ts'

/** Keys of an interval. */
interface Scan {
  /** In byte order, at most as many as were asked for. */
  readonly kvs: readonly KeyValue[]
  /** All keys in the interval. */
  readonly count: number
}

/**
 * Answers a read as etcd does.
 *
 * @param current The store's revision, or that of the transaction around the read.
 * @throws {AvisoError} `ERR_FUTURE_POSITION`, `ERR_HISTORY_COMPACTED`.
 */
export function readRange(database: SqlDatabase, request: RangeRequest, current: Revision): RangeResult {
  if (request.revision !== undefined) checkReadable(database, request.revision, current)
  const { sortTarget = 'KEY', limit = 0 } = request
  // etcd sorts by other targets in ascending order when no order is given.
  const isDescending = request.sortOrder === 'DESCEND'
  const inKeyOrder = sortTarget === 'KEY' && !isDescending
  const filters = rangeFilters(request)
  const isCut = limit > 0 && inKeyOrder && filters.length === 0
  const { kvs: scanned, count } = scan(
    database,
    request,
    request.countOnly === true ? 0 : isCut ? limit + 1 : -1,
  )
  let kvs = filters.length === 0 ? [...scanned] : scanned.filter((kv) => filters.every((holds) => holds(kv)))
  if (!inKeyOrder) kvs.sort(sorter(sortTarget, isDescending ? -1 : 1))
  const more = limit > 0 && kvs.length > limit
  if (more) kvs = kvs.slice(0, limit)
  if (request.keysOnly === true) kvs = kvs.map((kv) => ({ ...kv, value: NO_BYTES }))
  return { revision: current, kvs, count: BigInt(count), more }
}

/** A key as it is now. */
export function readKey(database: SqlDatabase, key: Uint8Array): KeyValue | undefined {
  const [row] = database.all(
    `SELECT ${COLUMNS} FROM current c JOIN events e ON e.id = c.id WHERE c.key = ?`,
    key,
  )
  return row === undefined ? undefined : toKeyValue(row)
}

/** All keys of an interval as it is now, in byte order. */
export function readKeys(database: SqlDatabase, range: KeyRange): readonly Uint8Array[] {
  const { where, bounds } = interval('key', range)
  return database
    .all(`SELECT key FROM current WHERE ${where} ORDER BY key`, ...bounds)
    .map((row) => bytesIn(row, 'key'))
}

/** Reads at most `limit` keys, -1 for all of them. */
function scan(database: SqlDatabase, request: RangeRequest, limit: number): Scan {
  const { key, end, revision } = request
  if (end === undefined) {
    const kv = revision === undefined ? readKey(database, key) : readKeyAt(database, key, revision)
    if (kv === undefined) return { kvs: [], count: 0 }
    return { kvs: limit === 0 ? [] : [kv], count: 1 }
  }
  return revision === undefined
    ? scanNow(database, request, limit)
    : scanAt(database, request, { at: Number(revision), limit })
}

function readKeyAt(database: SqlDatabase, key: Uint8Array, revision: Revision): KeyValue | undefined {
  // Not by groups: a key may have very many versions (a journal), and the index leads to the one that held.
  const [row] = database.all(
    `SELECT ${COLUMNS} FROM events e WHERE e.key = ? AND e.revision <= ? ORDER BY e.revision DESC LIMIT 1`,
    key,
    Number(revision),
  )
  return row === undefined || row['version'] === 0 ? undefined : toKeyValue(row)
}

function scanNow(database: SqlDatabase, range: KeyRange, limit: number): Scan {
  const { where, bounds } = interval('c.key', range)
  const rows =
    limit === 0
      ? []
      : database.all(
          `SELECT ${COLUMNS} FROM current c CROSS JOIN events e ON e.id = c.id WHERE ${where} ORDER BY c.key LIMIT ?`,
          ...bounds,
          limit,
        )
  const kvs = rows.map(toKeyValue)
  if (limit < 0 || kvs.length < limit) return { kvs, count: kvs.length }
  const [row] = database.all(`SELECT count(*) AS count FROM current c WHERE ${where}`, ...bounds)
  return { kvs, count: numberIn(row, 'count') }
}

function scanAt(
  database: SqlDatabase,
  range: KeyRange,
  { at, limit }: { readonly at: number; readonly limit: number },
): Scan {
  const { where, bounds } = interval('key', range)
  // With max(), SQLite takes the other columns from the row of the maximum. All of it is read from the index.
  const latest = `SELECT key, max(revision) AS revision, id, version FROM events INDEXED BY events_by_key WHERE ${where} AND revision <= ? GROUP BY key HAVING version > 0`
  const rows =
    limit === 0
      ? []
      : database.all(
          `SELECT ${COLUMNS} FROM (${latest} ORDER BY key LIMIT ?) l CROSS JOIN events e ON e.id = l.id ORDER BY l.key`,
          ...bounds,
          at,
          limit,
        )
  const kvs = rows.map(toKeyValue)
  if (limit < 0 || kvs.length < limit) return { kvs, count: kvs.length }
  const [row] = database.all(`SELECT count(*) AS count FROM (${latest})`, ...bounds, at)
  return { kvs, count: numberIn(row, 'count') }
}

function rangeFilters(request: RangeRequest): readonly ((kv: KeyValue) => boolean)[] {
  const { minModRevision = 0n, maxModRevision = 0n, minCreateRevision = 0n, maxCreateRevision = 0n } = request
  const filters: ((kv: KeyValue) => boolean)[] = []
  // 0 is "no filter", as in etcd.
  if (minModRevision > 0n) filters.push((kv) => kv.modRevision >= minModRevision)
  if (maxModRevision > 0n) filters.push((kv) => kv.modRevision <= maxModRevision)
  if (minCreateRevision > 0n) filters.push((kv) => kv.createRevision >= minCreateRevision)
  if (maxCreateRevision > 0n) filters.push((kv) => kv.createRevision <= maxCreateRevision)
  return filters
}

function sorter(
  target: NonNullable<RangeRequest['sortTarget']>,
  sign: 1 | -1,
): (a: KeyValue, b: KeyValue) => number {
  const difference = (a: bigint, b: bigint): number => (a === b ? 0 : a > b ? sign : -sign)
  switch (target) {
    case 'KEY':
      return (a, b) => sign * compareBytes(a.key, b.key)
    case 'VERSION':
      return (a, b) => difference(a.version, b.version)
    case 'CREATE':
      return (a, b) => difference(a.createRevision, b.createRevision)
    case 'MOD':
      return (a, b) => difference(a.modRevision, b.modRevision)
    case 'VALUE':
      return (a, b) => sign * compareBytes(a.value, b.value)
  }
}
