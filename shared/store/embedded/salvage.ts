/**
 * What can still be read of a store of which pages are damaged, and what cannot.
 *
 * First the table of events is read in the order of time; where SQLite cannot go on, the next place that it can read is looked for. Then
 * the index by key, which knows every event as well: it names what the table lacks, and leads to rows between two damaged pages.
 *
 * @module
 */

import { KeyDamaged } from '#shared/errors.ts'
import { compareBytes } from '#shared/bytes/bytes.ts'
import type { SqlRow, SqlView } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import { LEFT_OUT_REVISIONS, oldestRevision } from './revisions.ts'
import { bytesIn, COLUMNS, FIRST_ID, ID, numberIn, toKeyValue } from './rows.ts'
import { orDamage } from './state.ts'
import type { Steps } from './steps.ts'

/** Most bytes of one step. */
const STEP_BYTES = 4_194_304
/** Most events of one step: about a millisecond, beside others. */
export const LIVE_STEP_EVENTS = 100
/** Alone, each step may be a commit. */
const STEP_EVENTS = 5_000
/** Tries of one step. */
const STEP_TRIES = 100
/**
 * Revisions behind a damaged place that are tried one by one: more than lie on a damaged page of rows, or below one that leads to 400 such.
 * Behind them the distance doubles.
 */
const TRIED_REVISIONS = 4_096
/** No revision is later: an id has 63 bits. */
const LAST_REVISION = 2 ** 43 - 1

/** A place in history. */
export interface Place {
  readonly revision: number
  readonly place: number
}

/** A stretch of history that cannot be read, or is not there: from a place on, and before another; `undefined`: up to the end. */
interface Gap {
  readonly from: Place
  readonly to: Place | undefined
}

/** An entry of the index. */
interface Entry extends Place {
  readonly key: Uint8Array
}

/** An event that cannot be read. */
export interface LostEvent extends Entry {
  /** Whether it lies in a gap of the table, so that its place is not one that a damaged index made up. */
  readonly isInGap: boolean
}

/** First and last revision of a stretch; `undefined`: up to the end. */
export interface Span {
  readonly first: number
  readonly last: number | undefined
}

/** What cannot be read of a store. */
export interface Damage {
  /** Revisions of which some or all events cannot be read, in order. */
  readonly spans: readonly Span[]
  /** Events that are known by key. */
  readonly lost: number
  readonly first: LostEvent | undefined
  /** Last revision of which something is lost; 0 for none. It may be later than any that was written. */
  readonly last: number
  /** Whether the index was read from end to end: then every lost event is known by key. */
  readonly isIndexWhole: boolean
}

/** What is done with the events of a damaged store. */
export interface Salvage {
  /** Newest revision that is known to have been written. Default: it is not known. */
  readonly newest?: Revision
  /** Most events of one step. Default: many. */
  readonly stepEvents?: number
  /** Takes a row of `COLUMNS` that agrees with its checksum. Not in order. */
  readonly take?: (row: SqlRow) => void
  /** Whether an event was taken. Default: all that lie in no gap. */
  readonly has?: (place: Place) => boolean
  /** Takes an event that cannot be read. */
  readonly lose?: (event: LostEvent) => void
}

/** Reads what can be read. */
export function* salvageEvents(view: SqlView, salvage: Salvage = {}): Steps<Damage> {
  const { take = () => undefined, newest = 0n, stepEvents = STEP_EVENTS } = salvage
  const { gaps, unverified } = yield* readTable(view, { take, newest: Number(newest), stepEvents })
  const isInGap = (place: Place): boolean => gaps.some((gap) => contains(gap, place))
  const { has = (place) => !isInGap(place) } = salvage
  const lostIn: LostIn = new Map()
  let [lost, last] = [0, 0]
  let first: LostEvent | undefined
  const lose = (event: Entry): void => {
    const found = { ...event, isInGap: isInGap(event) }
    lost++
    last = Math.max(last, event.revision)
    noteLost(lostIn, gaps, event)
    if (first === undefined || isBefore(found, first)) first = found
    salvage.lose?.(found)
  }
  const visit = (entry: Entry): void => {
    if (has(entry)) return
    const row = readVerified(view, entry)
    unverified.delete(nameOf(entry))
    if (row === undefined) lose(entry)
    else take(row)
  }
  const isIndexWhole = yield* readIndex(view, { visit, stepEvents })
  for (const event of unverified.values()) lose(event)
  for (const { to } of gaps) last = Math.max(last, to === undefined ? LAST_REVISION : lastOf(to))
  const spans = joinSpans(gaps.flatMap((gap) => spanOf(gap, isIndexWhole ? lostIn : undefined)))
  return { spans, lost, first, last, isIndexWhole }
}

interface TableRead {
  readonly gaps: readonly Gap[]
  /** Rows that do not agree with their checksums, by place, with the keys that they say. */
  readonly unverified: Map<string, Entry>
}

interface TableWalk extends Required<Pick<Salvage, 'take' | 'stepEvents'>> {
  readonly newest: number
}

function* readTable(view: SqlView, { take, newest, stepEvents }: TableWalk): Steps<TableRead> {
  const gaps: Gap[] = []
  const unverified: TableRead['unverified'] = new Map()
  const oldest = readOldest(view)
  let next: Place = { revision: 0, place: 0 }
  let limit = 1
  let isAstray = false
  for (;;) {
    const begun = next
    const rows = orDamage(() => listRows(view, begun, limit))
    yield
    if (rows !== 'damaged' && rows.length === 0) {
      if (isAstray || next.revision < newest) gaps.push({ from: next, to: undefined })
      return { gaps, unverified }
    }
    let bytes = 1
    for (const row of rows === 'damaged' ? [] : rows) {
      const place = placeOf(row)
      // Led to another page, SQLite comes to what was read before.
      if (isBefore(place, next)) {
        isAstray = true
        continue
      }
      if (isAstray || (next.revision > oldest && isHole(next, place))) gaps.push({ from: next, to: place })
      isAstray = false
      next = { revision: place.revision, place: place.place + 1 }
      bytes += bytesIn(row, 'value').length + bytesIn(row, 'key').length
      if (isVerified(row, view)) take(row)
      else {
        gaps.push({ from: place, to: next })
        unverified.set(nameOf(place), { ...place, key: bytesIn(row, 'key') })
      }
    }
    if (next !== begun) limit = Math.min(stepEvents, nextLimit(limit, bytes))
    else if (limit > 1) limit = Math.floor(limit / 2)
    else {
      const behind = yield* placeBehind(view, begun)
      gaps.push({ from: begun, to: behind })
      if (behind === undefined) return { gaps, unverified }
      next = behind
    }
  }
}

/** As many as make a full step, going by the last one. */
function nextLimit(limit: number, bytes: number): number {
  return Math.max(1, Math.min(limit * 4, Math.floor((limit * STEP_BYTES) / bytes)))
}

function listRows(view: SqlView, { revision, place }: Place, limit: number): readonly SqlRow[] {
  return view.all(
    `SELECT ${COLUMNS} FROM events e NOT INDEXED WHERE e.id >= ${ID} ORDER BY e.id LIMIT ?`,
    revision,
    place,
    limit,
  )
}

/** The first place behind a damaged one from which the table can be read; `undefined`: there is none. */
function* placeBehind(view: SqlView, from: Place): Steps<Place | undefined> {
  // Where only the value lies on a damaged page, its row is there.
  const own = orDamage(() =>
    view.all(
      `SELECT e.id >> 20 AS revision, e.id & 1048575 AS place FROM events e NOT INDEXED WHERE e.id >= ${ID} ORDER BY e.id LIMIT 1`,
      from.revision,
      from.place,
    ),
  )
  if (own !== 'damaged' && own[0] !== undefined && !isBefore(placeOf(own[0]), from)) {
    const { revision, place } = placeOf(own[0])
    return { revision, place: place + 1 }
  }
  const isReadable = (revision: number): boolean => isReadableFrom(view, revision)
  const tried = Math.min(from.revision + TRIED_REVISIONS, LAST_REVISION)
  for (let revision = from.revision + 1; revision <= tried; revision++) {
    if (isReadable(revision)) return { revision, place: 0 }
    if (revision % STEP_TRIES === 0) yield
  }
  for (let step = TRIED_REVISIONS; tried + step < LAST_REVISION; step *= 2) {
    if (!isReadable(tried + step)) continue
    let [low, high] = [tried, tried + step]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (isReadable(middle)) high = middle
      else low = middle
    }
    return { revision: high, place: 0 }
  }
  return undefined
}

function isReadableFrom(view: SqlView, revision: number): boolean {
  const found = orDamage(() =>
    view.all(
      `SELECT e.id >> 20 AS revision FROM events e NOT INDEXED WHERE e.id >= ${FIRST_ID} ORDER BY e.id LIMIT 1`,
      revision,
    ),
  )
  if (found === 'damaged') return false
  const [row] = found
  return row === undefined || numberIn(row, 'revision') >= revision
}

/** Whether events are missing between the place after an event and the next one: history has every revision, and every event of one. */
function isHole(after: Place, { revision, place }: Place): boolean {
  const index = Math.floor(place / 2)
  if (revision === after.revision) return index !== Math.floor((after.place - 1) / 2) + 1
  const left = revision - after.revision - 1
  // Those that a new epoch left out were never there.
  return index > 0 || (left > 0 && left < Number(LEFT_OUT_REVISIONS) - 1)
}

/** Oldest revision from which on history is whole. Unknown, none is. */
function readOldest(view: SqlView): number {
  const oldest = orDamage(() => oldestRevision(view))
  return oldest === 'damaged' ? LAST_REVISION : Number(oldest)
}

/**
 * Visits all entries of the index by key, up to its first damaged page from either end.
 *
 * @returns Whether that was all of it.
 */
function* readIndex(view: SqlView, walk: IndexWalk): Steps<boolean> {
  const last = yield* readIndexFrom(view, 'ascending', undefined, walk)
  if (last === 'end') return true
  yield* readIndexFrom(view, 'descending', last, walk)
  return false
}

interface IndexWalk extends Required<Pick<Salvage, 'stepEvents'>> {
  readonly visit: (entry: Entry) => void
}

/** @param stop Where to end, because the rest was visited. @returns The last entry that was visited; `end` when all were. */
function* readIndexFrom(
  view: SqlView,
  direction: Direction,
  stop: Entry | undefined,
  { visit, stepEvents }: IndexWalk,
): Steps<Entry | undefined | 'end'> {
  let last: Entry | undefined
  let limit = stepEvents
  for (;;) {
    const after: Entry | undefined = last
    const rows = orDamage(() => listEntries(view, direction, after, limit))
    yield
    if (rows === 'damaged') {
      if (limit === 1) return last
      limit = Math.floor(limit / 2)
      continue
    }
    for (const row of rows) {
      const entry = { ...placeOf(row), key: bytesIn(row, 'key') }
      if (stop !== undefined && orderOf(entry, stop) <= 0) return 'end'
      // Led to another page, SQLite comes to what was visited before.
      if (last !== undefined && orderOf(entry, last) * DIRECTIONS[direction].sign <= 0) return last
      visit(entry)
      last = entry
    }
    if (rows.length === 0) return 'end'
  }
}

type Direction = keyof typeof DIRECTIONS

const DIRECTIONS = {
  ascending: { order: 'ASC', than: '>', sign: 1 },
  descending: { order: 'DESC', than: '<', sign: -1 },
} as const

/** The next entries of the index: those of the same key first, of which there may be very many. */
function listEntries(
  view: SqlView,
  direction: Direction,
  after: Entry | undefined,
  limit: number,
): readonly SqlRow[] {
  const { order, than } = DIRECTIONS[direction]
  const select =
    'SELECT key, id >> 20 AS revision, id & 1048575 AS place FROM events INDEXED BY events_by_key WHERE'
  const rest = `ORDER BY key ${order}, id ${order} LIMIT ?`
  // As a literal: Node 22 binds empty bytes as NULL, now and then, which no key exceeds.
  if (after === undefined) return view.all(`${select} key >= x'' ${rest}`, limit)
  const { key, revision, place } = after
  const same = view.all(`${select} key = ? AND id ${than} ${ID} ${rest}`, key, revision, place, limit)
  return same.length > 0 ? same : view.all(`${select} key ${than} ? ${rest}`, key, limit)
}

function orderOf(a: Entry, b: Entry): number {
  return compareBytes(a.key, b.key) || a.revision - b.revision || a.place - b.place
}

/** The row at a place; `undefined` where it cannot be read or does not agree with its checksum. */
function readVerified(view: SqlView, { revision, place }: Place): SqlRow | undefined {
  const rows = orDamage(() =>
    view.all(`SELECT ${COLUMNS} FROM events e NOT INDEXED WHERE e.id = ${ID}`, revision, place),
  )
  return rows === 'damaged' ? undefined : rows.find((row) => isVerified(row, view))
}

function isVerified(row: SqlRow, view: SqlView): boolean {
  try {
    toKeyValue(row, view)
    return true
  } catch (error) {
    if (error instanceof KeyDamaged) return false
    throw error
  }
}

function contains({ from, to }: Gap, place: Place): boolean {
  return !isBefore(place, from) && (to === undefined || isBefore(place, to))
}

function isBefore(a: Place, b: Place): boolean {
  return a.revision < b.revision || (a.revision === b.revision && a.place < b.place)
}

function placeOf(row: SqlRow): Place {
  return { revision: numberIn(row, 'revision'), place: numberIn(row, 'place') }
}

function nameOf({ revision, place }: Place): string {
  return `${revision}.${place}`
}

/** First and last revision of the events that are known to be lost in each gap. */
type LostIn = Map<Gap, { readonly first: number; readonly last: number }>

function noteLost(lostIn: LostIn, gaps: readonly Gap[], event: Place): void {
  const gap = gaps.find((one) => contains(one, event))
  if (gap === undefined) return
  const { revision } = event
  const { first, last } = lostIn.get(gap) ?? { first: revision, last: revision }
  lostIn.set(gap, { first: Math.min(first, revision), last: Math.max(last, revision) })
}

/** The revisions of a gap; only those that have lost events where all of these are known. Behind an open one it is not known that there are none. */
function spanOf(gap: Gap, known?: LostIn): readonly Span[] {
  const { from, to } = gap
  const lost = known?.get(gap)
  if (known !== undefined && lost === undefined && to !== undefined) return []
  const first = lost?.first ?? Math.max(from.revision, 1)
  return [{ first, last: to && (lost?.last ?? lastOf(to)) }]
}

/** Those that follow each other as one. */
function joinSpans(spans: readonly Span[]): readonly Span[] {
  const joined: Span[] = []
  for (const span of spans) {
    const before = joined.at(-1)
    if (before?.last !== undefined && span.first <= before.last + 1)
      joined.splice(-1, 1, { ...before, last: span.last })
    else joined.push(span)
  }
  return joined
}

/** The last revision of which something lies before a place. */
function lastOf({ revision, place }: Place): number {
  return place === 0 ? revision - 1 : revision
}
