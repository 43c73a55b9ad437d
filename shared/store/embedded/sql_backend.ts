/**
 * Versions, history and leases in SQL tables (`embedded.ts` makes them).
 *
 * @module
 */

import type { SqlDatabase, SqlRow, SqlValue } from '#shared/runtime/runtime.ts'
import { isEndOfKeys } from '#shared/bytes/bytes.ts'
import {
  FIRST_REVISION,
  type Backend,
  type CompactPosition,
  type HistoryPage,
  type RevisionEvents,
  type Scan,
} from './backend.ts'
import type { KeyRange, KeyValue, Revision, StoreEvent } from '../store.ts'

/** Events in one page of history, or looked at by one step of a compaction: some milliseconds. */
const PAGE_EVENTS = 1_000
/** Bytes of values in one page of history, unless a single revision has more. */
const PAGE_BYTES = 4 * 1_048_576
/** Ended leases handled at once. */
const MAX_ENDED_LEASES = 1_000
/** SQLite's result code for a full disk. */
const SQLITE_FULL = 13

const NO_BYTES = new Uint8Array()
const COLUMNS = 'e.revision, e.created, e.version, e.lease, e.key, e.value'
const LATEST = 'max(revision) AS revision, id, version'

/** The storage of the embedded store. */
export function createEmbeddedBackend(database: SqlDatabase): Backend {
  const first = (sql: string, ...parameters: SqlValue[]): SqlRow | undefined =>
    database.all(sql, ...parameters)[0]
  const compacted = (): number => numberIn(first(`SELECT value FROM meta WHERE name = 'compacted'`), 'value')
  const get = (key: Uint8Array): KeyValue | undefined => {
    const row = first(`SELECT ${COLUMNS} FROM current c JOIN events e ON e.id = c.id WHERE c.key = ?`, key)
    return row === undefined ? undefined : toKeyValue(row)
  }
  return {
    version: 'embedded',
    revision: () => {
      const row = first('SELECT revision FROM events ORDER BY id DESC LIMIT 1')
      // The newest event survives every compaction, so it tells the revision.
      return row === undefined ? FIRST_REVISION : BigInt(numberIn(row, 'revision'))
    },
    compacted: () => BigInt(compacted()),
    transaction: (work) => database.transaction(work),
    get,
    scan: (range, revision, limit) =>
      revision === undefined ? scanNow(database, range, limit) : scanAt(database, range, { revision, limit }),
    keys: (range) => {
      const { where, bounds } = interval('key', range)
      return database
        .all(`SELECT key FROM current WHERE ${where} ORDER BY key`, ...bounds)
        .map((row) => bytesIn(row, 'key'))
    },
    append: (event) => append(database, event),
    history: (range, from, last) =>
      historyPage(database, range, { from: Number(from), last: Number(last), limit: PAGE_EVENTS }),
    setCompacted: (revision) =>
      database.run(`UPDATE meta SET value = ? WHERE name = 'compacted'`, Number(revision)),
    compactStep: (position) =>
      compactStep(database, typeof position === 'number' ? position : 0, compacted()),
    reclaim: () => {
      const before = database.sizeBytes()
      database.reclaim()
      return database.sizeBytes() < before
    },
    addLease: (endsAt) => {
      database.run(`UPDATE meta SET value = value + 1 WHERE name = 'lease'`)
      const id = numberIn(first(`SELECT value FROM meta WHERE name = 'lease'`), 'value')
      database.run('INSERT INTO leases (id, ends_at) VALUES (?, ?)', id, endsAt)
      return BigInt(id)
    },
    hasLease: (id) => first('SELECT id FROM leases WHERE id = ?', id) !== undefined,
    removeLease: (id) => database.run('DELETE FROM leases WHERE id = ?', id),
    endedLeases: (now) =>
      database
        .all(`SELECT id FROM leases WHERE ends_at <= ? ORDER BY ends_at LIMIT ${MAX_ENDED_LEASES}`, now)
        .map((row) => BigInt(numberIn(row, 'id'))),
    leaseKeys: (id) =>
      database
        .all(
          'SELECT e.key FROM events e JOIN current c ON c.key = e.key AND c.id = e.id WHERE e.lease <> 0 AND e.lease = ? ORDER BY e.key',
          id,
        )
        .map((row) => bytesIn(row, 'key')),
    isFull,
    sizeBytes: () => database.sizeBytes(),
    close: () => database.close(),
  }
}

function append(database: SqlDatabase, { kind, kv }: StoreEvent): void {
  database.run(
    'INSERT INTO events (revision, created, version, lease, key, value) VALUES (?, ?, ?, ?, ?, ?)',
    Number(kv.modRevision),
    Number(kv.createRevision),
    Number(kv.version),
    kv.lease,
    kv.key,
    kv.value,
  )
  if (kind === 'delete') database.run('DELETE FROM current WHERE key = ?', kv.key)
  else {
    database.run(
      'INSERT INTO current (key, id) VALUES (?, (SELECT max(id) FROM events)) ON CONFLICT (key) DO UPDATE SET id = excluded.id',
      kv.key,
    )
  }
}

function scanNow(database: SqlDatabase, range: KeyRange, limit: number): Scan {
  const { where, bounds } = interval('c.key', range)
  const kvs =
    limit === 0
      ? []
      : database
          .all(
            `SELECT ${COLUMNS} FROM current c CROSS JOIN events e ON e.id = c.id WHERE ${where} ORDER BY c.key LIMIT ?`,
            ...bounds,
            sqlLimit(limit),
          )
          .map(toKeyValue)
  if (kvs.length < limit) return { kvs, count: kvs.length }
  const [row] = database.all(`SELECT count(*) AS count FROM current c WHERE ${where}`, ...bounds)
  return { kvs, count: numberIn(row, 'count') }
}

function scanAt(
  database: SqlDatabase,
  range: KeyRange,
  { revision, limit }: { revision: Revision; limit: number },
): Scan {
  const at = Number(revision)
  if (range.end === undefined) {
    // Not by groups: a key may have very many versions (a journal), and the index leads to the one that held.
    const [row] = database.all(
      `SELECT ${COLUMNS} FROM events e WHERE e.key = ? AND e.revision <= ? ORDER BY e.revision DESC LIMIT 1`,
      range.key,
      at,
    )
    const kvs = row === undefined || row['version'] === 0 ? [] : [toKeyValue(row)]
    return { kvs: kvs.slice(0, limit), count: kvs.length }
  }
  const { where, bounds } = interval('key', range)
  // With max(), SQLite takes the other columns from the row of the maximum. All of it is read from the index.
  const latest = `SELECT key, ${LATEST} FROM events INDEXED BY events_by_key WHERE ${where} AND revision <= ? GROUP BY key HAVING version > 0`
  const kvs =
    limit === 0
      ? []
      : database
          .all(
            `SELECT ${COLUMNS} FROM (${latest} ORDER BY key LIMIT ?) l CROSS JOIN events e ON e.id = l.id ORDER BY l.key`,
            ...bounds,
            at,
            sqlLimit(limit),
          )
          .map(toKeyValue)
  if (kvs.length < limit) return { kvs, count: kvs.length }
  const [row] = database.all(`SELECT count(*) AS count FROM (${latest})`, ...bounds, at)
  return { kvs, count: numberIn(row, 'count') }
}

/** Where a page of history may lie, in revisions, and how many events it may visit. */
interface PageBounds {
  readonly from: number
  readonly last: number
  readonly limit: number
}

function historyPage(database: SqlDatabase, range: KeyRange, { from, last, limit }: PageBounds): HistoryPage {
  const single = range.end === undefined
  // One key is followed through its own versions; a range through everything, of which it usually is a large part.
  const source = single
    ? 'events e INDEXED BY events_by_key WHERE e.key = ? AND e.revision BETWEEN ? AND ?'
    : 'events e INDEXED BY events_by_revision WHERE e.revision BETWEEN ? AND ?'
  const key = single ? [range.key] : []
  const [extent] = database.all(
    `SELECT max(revision) AS last, count(*) AS count, sum(size) AS size
      FROM (SELECT e.revision, length(e.value) AS size FROM ${source} ORDER BY e.revision LIMIT ?)`,
    ...key,
    from,
    last,
    limit,
  )
  const count = numberIn(extent, 'count')
  if (numberIn(extent, 'size') > PAGE_BYTES && count > 1) {
    return historyPage(database, range, { from, last, limit: Math.ceil(count / 2) })
  }
  // The limit may have cut the last revision, but the rows below are read by revision, so it comes whole.
  const through = count < limit ? last : numberIn(extent, 'last')
  const filter = single ? { where: 'TRUE', bounds: [] } : interval('e.key', range)
  const rows = database.all(
    `SELECT ${COLUMNS} FROM ${source} AND ${filter.where} ORDER BY e.revision, e.id`,
    ...key,
    from,
    through,
    ...filter.bounds,
  )
  return { revisions: groupByRevision(rows), through: BigInt(through) }
}

function groupByRevision(rows: readonly SqlRow[]): RevisionEvents[] {
  const revisions: { revision: Revision; events: StoreEvent[] }[] = []
  for (const row of rows) {
    const kv = toKeyValue(row)
    const event: StoreEvent = { kind: kv.version === 0n ? 'delete' : 'put', kv }
    const last = revisions.at(-1)
    if (last?.revision === kv.modRevision) last.events.push(event)
    else revisions.push({ revision: kv.modRevision, events: [event] })
  }
  return revisions
}

/**
 * Deletes the superseded versions and old deletions among the next events. Ascending, so that a deletion outlives the
 * versions it hides whenever the work is cut short.
 */
function compactStep(database: SqlDatabase, from: number, oldest: number): CompactPosition | undefined {
  const [extent] = database.all(
    `SELECT max(revision) AS last FROM (
      SELECT revision FROM events WHERE revision BETWEEN ? AND ? ORDER BY revision LIMIT ${PAGE_EVENTS}
    )`,
    from,
    oldest,
  )
  const last = extent?.['last']
  if (typeof last !== 'number') return undefined
  database.run(
    `DELETE FROM events WHERE id IN (
      SELECT e.id FROM events e INDEXED BY events_by_revision WHERE e.revision BETWEEN ? AND ? AND (
        (e.version = 0 AND e.revision < ?)
        OR EXISTS (SELECT 1 FROM events n WHERE n.key = e.key AND n.revision > e.revision AND n.revision <= ?)
      )
    )`,
    from,
    last,
    oldest,
    oldest,
  )
  return last + 1
}

function interval(
  column: string,
  { key, end }: KeyRange,
): { readonly where: string; readonly bounds: readonly Uint8Array[] } {
  if (end === undefined) return { where: `${column} = ?`, bounds: [key] }
  if (isEndOfKeys(end)) return { where: `${column} >= ?`, bounds: [key] }
  return { where: `${column} >= ? AND ${column} < ?`, bounds: [key, end] }
}

function sqlLimit(limit: number): number {
  return Number.isFinite(limit) ? limit : -1
}

function isFull(error: unknown): boolean {
  const { errcode } = error as { errcode?: unknown }
  return errcode === SQLITE_FULL || /SQLITE_FULL|disk is full/.test(String(error))
}

function toKeyValue(row: SqlRow): KeyValue {
  const value = row['value']
  return {
    key: bytesIn(row, 'key'),
    // Some bindings store an empty value as NULL.
    value: value instanceof Uint8Array ? value : NO_BYTES,
    createRevision: BigInt(numberIn(row, 'created')),
    modRevision: BigInt(numberIn(row, 'revision')),
    version: BigInt(numberIn(row, 'version')),
    lease: BigInt(numberIn(row, 'lease')),
  }
}

function numberIn(row: SqlRow | undefined, column: string): number {
  return Number(row?.[column] ?? 0)
}

function bytesIn(row: SqlRow, column: string): Uint8Array {
  const value = row[column]
  return value instanceof Uint8Array ? value : NO_BYTES
}
