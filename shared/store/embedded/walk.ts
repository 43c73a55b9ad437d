/**
 * Ways through the tables, in bounded steps: by key, of which only the newest version before a moment is looked at, and by time. Each step
 * is a statement of its own; the moment makes them one picture.
 *
 * @module
 */

import { isEndOfKeys, nextKey } from '#shared/bytes/bytes.ts'
import type { SqlRow, SqlView } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import {
  beforeEnd,
  bytesIn,
  COLUMNS,
  FIRST_ID,
  HEAD_COLUMNS,
  ID,
  interval,
  IS_PUT,
  numberIn,
  type Condition,
} from './rows.ts'
import type { Steps } from './steps.ts'

/** Keys of one step from key to key when only the index is read, and when rows are: about 2 ms. */
const COUNTED_KEYS = 500
/** Versions of one step that looks at all of them: about a millisecond. */
const COUNTED_VERSIONS = 2_000
/** Steps from key to key before all versions are looked at again. */
const LEAPS = 8
const READ_KEYS = 250
/** Bytes of values in one step. */
const READ_BYTES = 1_048_576
/** Keys of the first step, of which it is not known how large their values are. */
const FIRST_READ_KEYS = 16
/** Events of one step through time: about a millisecond. */
const LOG_EVENTS = 1_000

/** An interval of keys, as it was at the end of a revision. */
export interface Extent {
  readonly key: Uint8Array
  readonly end: Uint8Array
  readonly at: Revision
}

/** The beginning of a statement, and its parameters. */
interface Keys {
  readonly sql: string
  readonly bounds: Condition['bounds']
}

/** The keys of one step: `k` has them, `newest` the id of the version that held of each, NULL where there was none yet. */
function keysOf({ key, end, at }: Extent, most: number, descending = false): Keys {
  const order = descending ? 'DESC' : 'ASC'
  const first = interval('f.key', { key, end })
  const rest = descending ? { where: ' AND n.key >= ?', bounds: [key] } : beforeEnd('n.key', end)
  // By the index from key to key: a key may have very many versions (a journal).
  return {
    sql: `WITH RECURSIVE k (n, key) AS (
        SELECT 1, (SELECT f.key FROM events f INDEXED BY events_by_key WHERE ${first.where} ORDER BY f.key ${order} LIMIT 1)
        UNION ALL
        SELECT k.n + 1, (SELECT n.key FROM events n INDEXED BY events_by_key
            WHERE n.key ${descending ? '<' : '>'} k.key${rest.where} ORDER BY n.key ${order} LIMIT 1)
          FROM k WHERE k.n < ? AND k.key IS NOT NULL
      ), newest (n, key, id) AS MATERIALIZED (
        SELECT k.n, k.key, (SELECT v.id FROM events v INDEXED BY events_by_key
            WHERE v.key = k.key AND v.id < ${FIRST_ID} ORDER BY v.id DESC LIMIT 1)
          FROM k WHERE k.key IS NOT NULL
      ) `,
    bounds: [...first.bounds, ...rest.bounds, most, Number(at) + 1],
  }
}

/** Some keys that were counted. */
export interface Counted {
  readonly count: number
  /** Where to go on; `undefined` at the end. */
  readonly next: Uint8Array | undefined
  /** Steps to be made from key to key, because keys have many versions here. */
  readonly leaps: number
}

/**
 * Counts the keys of the next step: version by version, which is three times as fast while keys have few, or from key to key.
 *
 * @param leaps That of the step before.
 */
export function countSome(view: SqlView, extent: Extent, leaps = 0): Counted {
  if (leaps > 0) return countLeaping(view, extent, leaps - 1)
  const { where, bounds } = interval('key', extent)
  const [row] = view.all(
    `SELECT sum(versions) AS versions, count(*) AS keys, count(*) FILTER (WHERE (id & 1) = 0) AS alive, max(key) AS last,
        (id & 1) = 0 AS is_last_alive
      FROM (SELECT key, count(*) AS versions, max(CASE WHEN id < ${FIRST_ID} THEN id END) AS id
        FROM (SELECT key, id FROM events INDEXED BY events_by_key WHERE ${where} ORDER BY key, id LIMIT ${COUNTED_VERSIONS})
        GROUP BY key)`,
    Number(extent.at) + 1,
    ...bounds,
  )
  const [keys, alive] = [numberIn(row, 'keys'), numberIn(row, 'alive')]
  if (row === undefined || numberIn(row, 'versions') < COUNTED_VERSIONS)
    return { count: alive, next: undefined, leaps: 0 }
  // The step may have cut the versions of its last key: it is counted by the next step. Of "max", SQLite takes the rest from the same row.
  const whole = alive - (row['is_last_alive'] === 1 ? 1 : 0)
  return { count: whole, next: bytesIn(row, 'last'), leaps: keys < COUNTED_KEYS ? LEAPS : 0 }
}

function countLeaping(view: SqlView, extent: Extent, leaps: number): Counted {
  const { sql, bounds } = keysOf(extent, COUNTED_KEYS)
  const [row] = view.all(
    `${sql} SELECT count(*) AS visited, count(*) FILTER (WHERE (id & 1) = 0) AS alive, max(key) AS last FROM newest`,
    ...bounds,
  )
  const isEnd = row === undefined || numberIn(row, 'visited') < COUNTED_KEYS
  return { count: numberIn(row, 'alive'), next: isEnd ? undefined : nextKey(bytesIn(row, 'last')), leaps }
}

/**
 * The next keys of an interval, and where the version that held of each lies in history, by the index alone: rows of `key`, `revision` and
 * `place`; the last two are NULL where there was none yet.
 */
export function listPlaces(view: SqlView, extent: Extent, most: number): readonly SqlRow[] {
  const { sql, bounds } = keysOf(extent, most)
  return view.all(
    `${sql} SELECT key, id >> 20 AS revision, id & 1048575 AS place FROM newest ORDER BY n`,
    ...bounds,
  )
}

/** How keys are read. */
export interface KeyWalk {
  readonly filter: Condition
  /** Whether the rows have values: {@link COLUMNS}, otherwise {@link HEAD_COLUMNS}. */
  readonly withValues: boolean
  readonly descending?: boolean
  /** Keys that are likely to be enough: a step visits no more. */
  readonly most?: number
  /** Takes a row. @returns Whether to go on. */
  readonly take: (row: SqlRow) => boolean
}

/** Reads the rows that held of an interval's keys and pass a filter, in the order of keys. */
export function* walkKeys(view: SqlView, extent: Extent, walk: KeyWalk): Steps<void> {
  const { filter, withValues, descending = false, most = Infinity, take } = walk
  let rest = extent
  let keys = Math.min(withValues ? FIRST_READ_KEYS : READ_KEYS, most)
  for (;;) {
    const { sql, bounds } = keysOf(rest, keys, descending)
    const rows = view.all(
      `${sql} SELECT ${withValues ? COLUMNS : HEAD_COLUMNS}, newest.n AS n, CASE WHEN newest.n = ? THEN newest.key END AS visited,
          (e.id IS NOT NULL AND ${filter.where}) AS passes
        FROM newest LEFT JOIN events e ON e.id = newest.id AND (newest.id & 1) = 0
        WHERE passes OR newest.n = ? ORDER BY newest.n`,
      ...bounds,
      keys,
      ...filter.bounds,
      keys,
    )
    let bytes = 0
    for (const row of rows) {
      if (row['passes'] !== 1) continue
      if (!take(row)) return
      bytes += bytesIn(row, 'key').length + (withValues ? bytesIn(row, 'value').length : 0)
    }
    const last = rows.at(-1)
    if (last === undefined || numberIn(last, 'n') < keys) return
    const visited = bytesIn(last, 'visited')
    // As an end this key would mean none, and nothing lies before it.
    if (descending && isEndOfKeys(visited)) return
    rest = descending ? { ...rest, end: visited } : { ...rest, key: nextKey(visited) }
    keys = Math.min(nextSize(keys, bytes), most)
    yield
  }
}

/** As many keys as make a full step, going by the last one. */
function nextSize(keys: number, bytes: number): number {
  const fitting = Math.floor((keys * READ_BYTES) / Math.max(bytes, 1))
  return Math.max(1, Math.min(fitting, keys * 4, READ_KEYS))
}

/** A place in history. */
interface Place {
  readonly revision: number
  readonly place: number
}

/** A stretch of history that is searched for what still held at its end. */
export interface LogWalk {
  readonly filter: Condition
  /** First and last revision. */
  readonly from: Revision
  readonly last: Revision
  readonly descending: boolean
  /** Most events to look at. */
  readonly budget: number
  /** Takes a row of {@link HEAD_COLUMNS}. */
  readonly take: (row: SqlRow) => void
  /** Asked between steps. @param revision The next one. @returns Whether enough was taken. */
  readonly isEnough: (revision: number) => boolean
}

/**
 * Reads the rows of a stretch of history that lie in an interval, held at its moment and pass a filter, in the order of time.
 *
 * @returns Whether it came to its end; `false` where the budget did not reach.
 */
export function* walkLog(view: SqlView, extent: Extent, walk: LogWalk): Steps<boolean> {
  const { filter, descending, take, isEnough } = walk
  let low: Place = { revision: Number(walk.from), place: 0 }
  let high: Place = { revision: Number(walk.last) + 1, place: 0 }
  const keys = interval('e.key', extent)
  for (let budget = walk.budget; budget > 0; budget -= LOG_EVENTS) {
    const edge = findEdge(view, low, high, descending)
    if (edge !== undefined && descending) low = edge
    const rows = view.all(
      `SELECT ${HEAD_COLUMNS} FROM events e NOT INDEXED
        WHERE e.id >= ${ID} AND e.id < ${ID} AND ${keys.where} AND ${IS_PUT} AND ${filter.where}
          AND NOT EXISTS (SELECT 1 FROM events n INDEXED BY events_by_key WHERE n.key = e.key AND n.id > e.id AND n.id < ${FIRST_ID})
        ORDER BY e.id ${descending ? 'DESC' : 'ASC'}`,
      low.revision,
      low.place,
      ...(descending || edge === undefined ? [high.revision, high.place] : [edge.revision, edge.place]),
      ...keys.bounds,
      ...filter.bounds,
      Number(extent.at) + 1,
    )
    rows.forEach(take)
    if (edge === undefined || isEnough(edge.revision)) return true
    if (descending) {
      high = edge
      low = { revision: Number(walk.from), place: 0 }
    } else low = edge
    yield
  }
  return false
}

/**
 * Where a step through time ends: ascending the first place that is not in it, descending the last one that is.
 *
 * @returns `undefined` where the step reaches the end.
 */
function findEdge(view: SqlView, low: Place, high: Place, descending: boolean): Place | undefined {
  const [row] = view.all(
    `SELECT id >> 20 AS revision, id & 1048575 AS place FROM events NOT INDEXED WHERE id >= ${ID} AND id < ${ID}
      ORDER BY id ${descending ? 'DESC' : 'ASC'} LIMIT 1 OFFSET ${LOG_EVENTS}`,
    low.revision,
    low.place,
    high.revision,
    high.place,
  )
  return row === undefined
    ? undefined
    : { revision: numberIn(row, 'revision'), place: numberIn(row, 'place') }
}

/**
 * How the number of an interval's keys changed between the ends of two revisions.
 *
 * @returns `undefined` where more than `budget` events lie between them.
 */
export function* walkChanges(
  view: SqlView,
  { key, end }: Omit<Extent, 'at'>,
  {
    after,
    through,
    budget,
  }: { readonly after: Revision; readonly through: Revision; readonly budget: number },
): Steps<number | undefined> {
  let low: Place = { revision: Number(after) + 1, place: 0 }
  const high: Place = { revision: Number(through) + 1, place: 0 }
  const keys = interval('e.key', { key, end })
  let change = 0
  for (let left = budget; left > 0; left -= LOG_EVENTS) {
    const edge = findEdge(view, low, high, false)
    const until = edge ?? high
    const [row] = view.all(
      `SELECT count(*) FILTER (WHERE ${IS_PUT} AND e.version = 1) AS made, count(*) FILTER (WHERE NOT ${IS_PUT}) AS gone
        FROM events e NOT INDEXED WHERE e.id >= ${ID} AND e.id < ${ID} AND ${keys.where}`,
      low.revision,
      low.place,
      until.revision,
      until.place,
      ...keys.bounds,
    )
    change += numberIn(row, 'made') - numberIn(row, 'gone')
    if (edge === undefined) return change
    low = edge
    yield
  }
  return undefined
}
