/**
 * History in bounded pages, for watches that begin in the past or have fallen behind the ring.
 *
 * @module
 */

import type { SqlRow, SqlView } from '#shared/runtime/runtime.ts'
import type { KeyRange, Revision, StoreEvent } from '../store.ts'
import type { RevisionEvents } from './revisions.ts'
import { COLUMNS, FIRST_ID, interval, numberIn, toKeyValue } from './rows.ts'

/** Events in one page: some milliseconds. */
const PAGE_EVENTS = 1_000
/** Bytes of values in one page, unless a single revision has more. */
const PAGE_BYTES = 4 * 1_048_576

/** A bounded stretch of history. */
export interface HistoryPage {
  /** Revisions with events in the range asked for, ascending. */
  readonly revisions: readonly RevisionEvents[]
  /** Everything up to and including this revision is in the page. */
  readonly through: Revision
}

/** Where a page may lie, and how many events it may visit. */
interface PageBounds {
  readonly from: Revision
  readonly last: Revision
  readonly limit?: number
}

/** History from a revision on, up to and including `last`: at least one revision, and a bounded amount. */
export function readHistory(
  database: SqlView,
  range: KeyRange,
  { from, last, limit = PAGE_EVENTS }: PageBounds,
): HistoryPage {
  const single = range.end === undefined
  // One key is followed through its own versions; a range through everything, of which it usually is a large part.
  const source = single
    ? `events e INDEXED BY events_by_key WHERE e.key = ? AND e.id >= ${FIRST_ID} AND e.id < ${FIRST_ID}`
    : `events e NOT INDEXED WHERE e.id >= ${FIRST_ID} AND e.id < ${FIRST_ID}`
  const key = single ? [range.key] : []
  const [extent] = database.all(
    `SELECT max(id) >> 20 AS last, count(*) AS count, sum(size) AS size
      FROM (SELECT e.id AS id, length(e.value) AS size FROM ${source} ORDER BY e.id LIMIT ?)`,
    ...key,
    Number(from),
    Number(last) + 1,
    limit,
  )
  const count = numberIn(extent, 'count')
  if (numberIn(extent, 'size') > PAGE_BYTES && count > 1)
    return readHistory(database, range, { from, last, limit: Math.ceil(count / 2) })
  // The limit may have cut the last revision, but the rows below are read by revision, so it comes whole.
  const through = count < limit ? last : BigInt(numberIn(extent, 'last'))
  const filter = single ? { where: 'TRUE', bounds: [] } : interval('e.key', range)
  const rows = database.all(
    `SELECT ${COLUMNS} FROM ${source} AND ${filter.where} ORDER BY e.id`,
    ...key,
    Number(from),
    Number(through) + 1,
    ...filter.bounds,
  )
  return { revisions: groupByRevision(rows, database), through }
}

function groupByRevision(rows: readonly SqlRow[], view: SqlView): RevisionEvents[] {
  const revisions: { revision: Revision; events: StoreEvent[] }[] = []
  for (const row of rows) {
    const kv = toKeyValue(row, view)
    const event: StoreEvent = { kind: kv.version === 0n ? 'delete' : 'put', kv }
    const last = revisions.at(-1)
    if (last?.revision === kv.modRevision) last.events.push(event)
    else revisions.push({ revision: kv.modRevision, events: [event] })
  }
  return revisions
}
