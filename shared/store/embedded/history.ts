/**
 * History in bounded pages, for watches that begin in the past or have fallen behind the ring.
 *
 * @module
 */

import { HistoryDamaged, isAvisoError } from '#shared/errors.ts'
import type { SqlView } from '#shared/runtime/runtime.ts'
import type { KeyRange, Revision } from '../store.ts'
import { RESTORE } from './checksum.ts'
import { readPacked, type Packed } from './packed.ts'
import type { RevisionEvents } from './revisions.ts'
import { FIRST_ID, interval, numberIn, type Condition } from './rows.ts'
import { isDamage } from './state.ts'

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

/**
 * History from a revision on, up to and including `last`: at least one revision, and a bounded amount. A page ends before damage.
 *
 * @throws {HistoryDamaged} where the damage begins at `from`.
 */
export function readHistory(database: SqlView, range: KeyRange, bounds: PageBounds): HistoryPage {
  try {
    return readPage(database, range, bounds)
  } catch (cause) {
    if (!isDamage(cause)) throw cause
    const { from, limit = PAGE_EVENTS } = bounds
    // What lies before the damaged page of the file is still read.
    if (limit > 1) return readHistory(database, range, { ...bounds, limit: Math.floor(limit / 2) })
    const next = findReadable(database, range, bounds)
    throw new HistoryDamaged(
      `A page of the embedded store is damaged, and its history from revision ${from} to ${next - 1n} is lost. ${RESTORE}`,
      { from, next },
      cause,
    )
  }
}

/** A revision behind damage that SQLite cannot read through. At most as much again is passed over as is damaged. */
function findReadable(database: SqlView, range: KeyRange, { from, last }: PageBounds): Revision {
  for (let step = 1n; from + step <= last; step *= 2n) {
    try {
      readPage(database, range, { from: from + step, last, limit: 1 })
      return from + step
    } catch (cause) {
      if (!isDamage(cause) && !isAvisoError(cause, 'ERR_STORE_DAMAGED')) throw cause
    }
  }
  return last + 1n
}

function readPage(
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
    return readPage(database, range, { from, last, limit: Math.ceil(count / 2) })
  // The limit may have cut the last revision, but the rows below are read by revision, so it comes whole.
  const through = count < limit ? last : BigInt(numberIn(extent, 'last'))
  return beforeDamage(readPacked(database, conditionOf(range), { from, through }), { from, through })
}

function conditionOf(range: KeyRange): Condition {
  const { where, bounds } = interval('e.key', range)
  const index = range.end === undefined ? 'INDEXED BY events_by_key' : 'NOT INDEXED'
  return { where: `events e ${index} WHERE ${where}`, bounds }
}

/** The page up to the first revision with an event that does not agree with its checksum. */
function beforeDamage(
  { revisions, damage }: Packed,
  { from, through }: { readonly from: Revision; readonly through: Revision },
): HistoryPage {
  if (damage === undefined) return { revisions, through }
  const { revision } = damage
  if (revision === from) throw new HistoryDamaged(damage.message, { from, next: from + 1n }, damage)
  return { revisions, through: revision - 1n }
}
