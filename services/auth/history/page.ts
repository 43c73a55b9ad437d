/**
 * Reads one page of an event type's history, by number, in either order.
 *
 * Flow: store → journal → **page** → listener
 *
 * The journal names every notification with its key, so a page looks for matches there and reads the values of those alone. What it looks
 * through is bounded: a page whose filter matches little ends early, and says how far it has looked.
 *
 * @module
 */

import { createHistoryReads, type HistoryCommit, type HistoryReads, type HistorySource } from './reads.ts'
import { walkBack } from './walk.ts'
import { nextTurn } from '#shared/time/turn.ts'
import type { StreamPosition } from '#shared/hub/hub.ts'
import { createDecoder } from '#shared/hub/source/decode.ts'
import { lastSequence } from '#shared/journal/commits.ts'
import type { JournalBatch, JournalEvent } from '#shared/journal/journal.ts'
import type { NumberPosition, SharedPositions } from '#shared/journal/positions.ts'
import type { Logger } from '#shared/logger.ts'
import { satisfies } from '#shared/notification/match.ts'
import type { Notification, NotificationFilter } from '#shared/notification/notification.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { KeyValue, Revision, Store } from '#shared/store/store.ts'

/**
 * Notifications that one page looks through. Each is at most one read of the store, some 25 µs where it is embedded, so that is a tenth of a
 * second of work.
 */
export const MOST_LOOKED_AT = 4_000
/** A page with so many bytes of values is full, whatever its number of notifications, so that a client can hold it. */
const MOST_VALUE_BYTES = 1024 * 1024
/** Values that are read together. */
const VALUES_AT_ONCE = 64
/** How much further the next stretch goes, oldest first, where the one before had too few matches. */
const GROWTH = 4

export type HistoryOrder = 'newest' | 'oldest'

/** A place between two notifications: behind the one with this index, or behind the whole revision. */
export type HistoryPlace = StreamPosition

/** Whether an operator has removed a notification. */
export type IsRemoved = (notification: Pick<Notification, 'event' | 'revision' | 'sequence'>) => boolean

export interface PageParts {
  readonly store: Store
  readonly hub: HistorySource['hub']
  readonly schemas: Pick<Schemas, 'decodeKey' | 'roots'>
  /** Finds numbers in the journals; its reads are shared by all pages. */
  readonly search: Pick<SharedPositions, 'ofSequence'>
  readonly isRemoved: IsRemoved
  readonly logger: Logger
}

/** What to read. */
export interface PageRequest {
  readonly filter: NotificationFilter
  /** Whether the listener may see a key. */
  readonly isVisible: (key: string) => boolean
  readonly order: HistoryOrder
  /** Most notifications, at least 1. */
  readonly limit: number
  /** First and last number, inclusive; absent: no bound. */
  readonly from?: bigint | undefined
  readonly to?: bigint | undefined
  /** Newest first: only what is up to this place. Oldest first: only what is behind it. */
  readonly place?: HistoryPlace | undefined
  readonly signal: AbortSignal
}

export interface HistoryPage {
  /** In the order of the request. */
  readonly notifications: readonly Notification[]
  /** Where the next page goes on. Absent: nothing further can come in this direction. */
  readonly next: HistoryPlace | undefined
  /** Whether there is something further now. */
  readonly more: boolean
  /** What was looked through. Absent: nothing. */
  readonly looked: Looked | undefined
  /** Whether a part of what was asked for is no longer kept. */
  readonly isTruncated: boolean
  /** The newest number of the event type when the page was read; 0 before the first. */
  readonly newest: number
}

/** First and last number, and how many notifications. */
export interface Looked {
  readonly first: number
  readonly last: number
  readonly count: number
}

/** What one request works with. */
interface Reading extends PageParts {
  readonly request: PageRequest
  readonly reads: HistoryReads
  /** The newest commit. */
  readonly newest: HistoryCommit
}

/** A notification that was looked at, as the journal names it. */
interface Slot {
  readonly commit: HistoryCommit
  readonly entry: JournalEvent
  /** Its index among the notifications of its revision. */
  readonly index: number
  readonly isMatch: boolean
}

/** What a search in the journal gave. */
interface Search {
  /** In the order of the request. */
  readonly slots: readonly Slot[]
  /** Whether it went as far as there is something. */
  readonly isOver: boolean
  readonly isTruncated: boolean
}

/**
 * Reads a page.
 *
 * @returns the page, and a function that tells what it has cost so far, also after a failure.
 */
export function readPage(
  parts: PageParts,
  request: PageRequest,
): { readonly page: Promise<HistoryPage>; readonly cost: HistoryReads['cost'] } {
  const reads = createHistoryReads({ ...parts, event: request.filter.event }, request.signal)
  return { page: read(parts, request, reads), cost: reads.cost }
}

async function read(parts: PageParts, request: PageRequest, reads: HistoryReads): Promise<HistoryPage> {
  const newest = await reads.at()
  if (newest === undefined) {
    const next = request.order === 'oldest' ? request.place : undefined
    return { notifications: [], next, more: false, looked: undefined, isTruncated: false, newest: 0 }
  }
  const reading: Reading = { ...parts, request, reads, newest }
  return toPage(
    reading,
    request.order === 'newest' ? await searchBack(reading) : await searchForward(reading),
  )
}

async function searchBack(reading: Reading): Promise<Search> {
  const { request } = reading
  const start = await newestUpTo(reading)
  if (start === undefined) return { slots: [], isOver: true, isTruncated: false }
  if (start === 'lost') return { slots: [], isOver: true, isTruncated: true }
  const stretch = { least: request.from ?? 1n, most: request.to, upTo: request.place }
  return lookBack(reading, start, { ...stretch, matches: request.limit, slots: MOST_LOOKED_AT })
}

/** The newest commit that can have something for a page, newest first; `undefined` without one. */
async function newestUpTo(reading: Reading): Promise<HistoryCommit | 'lost' | undefined> {
  const { request, reads, newest } = reading
  const { place, to } = request
  const byPlace =
    place === undefined || place.revision >= newest.revision ? newest : await reads.atKept(place.revision)
  if (to === undefined || byPlace === undefined || byPlace === 'lost') return byPlace
  const byNumber = await commitOf(reading, to)
  return byNumber === 'lost' || byNumber.revision < byPlace.revision ? byNumber : byPlace
}

/** The first commit that has a number or a greater one; without one, the newest. */
async function commitOf({ search, reads, newest }: Reading, number: bigint): Promise<HistoryCommit | 'lost'> {
  if (number >= BigInt(lastSequence(newest))) return newest
  const revision = revisionIn(await search.ofSequence(reads.event, number))
  if (revision === undefined) return newest
  return revision === 'lost' ? 'lost' : ((await reads.atKept(revision)) ?? newest)
}

function revisionIn(position: NumberPosition): Revision | 'lost' | undefined {
  switch (position.kind) {
    case 'found':
    case 'unknown':
      return position.revision
    case 'damaged':
      return position.behind
    case 'future':
      return undefined
    case 'compacted':
      return 'lost'
  }
}

/** How far to look. */
interface Stretch {
  /** Least and greatest number. */
  readonly least: bigint
  readonly most: bigint | undefined
  readonly upTo?: HistoryPlace | undefined
  /** Enough matches, and enough notifications. */
  readonly matches: number
  readonly slots: number
}

/** Looks through the journal from a commit back. What it gives is newest first. */
async function lookBack(reading: Reading, start: HistoryCommit, stretch: Stretch): Promise<Search> {
  const { least, most, upTo } = stretch
  const slots: Slot[] = []
  let matches = 0
  const walk = walkBack(reading.reads, start, Math.min(stretch.matches, stretch.slots))
  for (;;) {
    const { done, value } = await walk.next()
    if (done === true) return { slots, isOver: true, isTruncated: value === 'lost' }
    for (const slot of slotsOf(reading, value).toReversed()) {
      const number = BigInt(slot.entry.seq)
      if ((most !== undefined && number > most) || !isUpTo(slot, upTo)) continue
      if (number < least) return { slots, isOver: true, isTruncated: false }
      // One more than the page needs says that there is one more.
      if (matches >= stretch.matches || slots.length >= stretch.slots)
        return { slots, isOver: false, isTruncated: false }
      slots.push(slot)
      if (slot.isMatch) matches++
    }
  }
}

async function searchForward(reading: Reading): Promise<Search> {
  const { request, newest } = reading
  const last = BigInt(lastSequence(newest))
  const most = request.to !== undefined && request.to < last ? request.to : last
  const begin = await firstNumber(reading)
  let { number: least } = begin
  let isTruncated = begin.isTruncated
  const slots: Slot[] = []
  let matches = 0
  for (let width = request.limit; least <= most; width *= GROWTH) {
    const room = MOST_LOOKED_AT - slots.length
    if (matches >= request.limit || room <= 0) return { slots, isOver: false, isTruncated }
    const until = least + BigInt(Math.min(width, room)) - 1n
    const end = await commitOf(reading, until < most ? until : most)
    // A position that is not kept any more when it is reached was forgotten meanwhile. The next request says so.
    if (end === 'lost') return { slots, isOver: false, isTruncated: true }
    const found = await lookBack(reading, end, { least, most, matches: Infinity, slots: Infinity })
    isTruncated ||= found.isTruncated
    for (const slot of found.slots.toReversed()) {
      slots.push(slot)
      if (slot.isMatch) matches++
    }
    const next = BigInt(slots.at(-1)?.entry.seq ?? 0) + 1n
    if (next <= least) break
    least = next
  }
  return { slots, isOver: true, isTruncated }
}

/** The first number of a page, oldest first: what is asked for, or the oldest that is kept. */
async function firstNumber(
  reading: Reading,
): Promise<{ readonly number: bigint; readonly isTruncated: boolean }> {
  const { request, reads, search } = reading
  const { from = 1n, place } = request
  const behind = place === undefined ? 1n : await numberBehind(reads, place)
  const number = behind === 'lost' || behind < from ? from : behind
  const position = await search.ofSequence(reads.event, number)
  if (position.kind !== 'compacted') return { number, isTruncated: behind === 'lost' }
  // The commit at the oldest revision may have been written before it. Then its notifications cannot be read.
  const oldest = await reads.at(position.revision)
  if (oldest === undefined) return { number, isTruncated: true }
  const { revision, batch } = oldest
  const kept = revision < position.revision ? lastSequence(oldest) + 1 : batch.first_seq
  return { number: number > BigInt(kept) ? number : BigInt(kept), isTruncated: true }
}

/** The number of the first notification behind a place. */
async function numberBehind(
  reads: HistoryReads,
  { revision, index }: HistoryPlace,
): Promise<bigint | 'lost'> {
  const commit = await reads.atKept(revision)
  if (commit === 'lost') return 'lost'
  if (commit === undefined) return 1n
  if (commit.revision < revision || index === undefined) return BigInt(lastSequence(commit)) + 1n
  return BigInt(commit.batch.first_seq + index - firstIndexOf(commit.batch) + 1)
}

function slotsOf({ request, schemas, isRemoved }: Reading, commit: HistoryCommit): Slot[] {
  const { event, conditions } = request.filter
  const { revision, batch } = commit
  const first = firstIndexOf(batch)
  return batch.events.map((entry, position) => {
    const decoded = schemas.decodeKey(entry.key)
    const isMatch =
      decoded?.event === event &&
      satisfies(conditions, { ...decoded.request, ...entry.fields }) &&
      request.isVisible(entry.key) &&
      !isRemoved({ event, revision, sequence: BigInt(entry.seq) })
    return { commit, entry, index: first + position, isMatch }
  })
}

/** Index of a batch's first notification in its revision: a transaction may have those of other event types before it. */
function firstIndexOf(batch: JournalBatch): number {
  return batch.place ?? 0
}

function isUpTo({ commit, index }: Slot, place: HistoryPlace | undefined): boolean {
  if (place === undefined || commit.revision < place.revision) return true
  return commit.revision === place.revision && index <= (place.index ?? Infinity)
}

async function toPage(reading: Reading, { slots, isOver, isTruncated }: Search): Promise<HistoryPage> {
  const { request, newest } = reading
  const filled = await fill(reading, slots)
  const through = slots.slice(0, filled.through)
  const isCut = filled.through < slots.length
  const isEnd = filled.isLost || (isOver && !isCut)
  return {
    notifications: filled.notifications,
    next: nextPlace(reading, through.at(-1), isEnd),
    more: !isEnd,
    looked: lookedOf(through),
    isTruncated: isTruncated || filled.isLost || filled.isSkipped,
    newest: lastSequence(newest),
  }
  function lookedOf(looked: readonly Slot[]): Looked | undefined {
    const [one, other] = [looked[0]?.entry.seq, looked.at(-1)?.entry.seq]
    if (one === undefined || other === undefined) return undefined
    const isBack = request.order === 'newest'
    return { first: isBack ? other : one, last: isBack ? one : other, count: looked.length }
  }
}

function nextPlace(
  { request, newest }: Reading,
  last: Slot | undefined,
  isEnd: boolean,
): HistoryPlace | undefined {
  if (request.order === 'newest') return isEnd || last === undefined ? undefined : placeBefore(last)
  // What is published later comes behind the newest, but not behind a last number.
  if (isEnd && request.to !== undefined && request.to <= BigInt(lastSequence(newest))) return undefined
  if (last === undefined) return request.place ?? (isEnd ? { revision: newest.revision } : undefined)
  return { revision: last.commit.revision, index: last.index }
}

function placeBefore({ commit: { revision }, index }: Slot): HistoryPlace {
  return index > 0 ? { revision, index: index - 1 } : { revision: revision - 1n }
}

/** The notifications of a page. */
interface Filled {
  readonly notifications: readonly Notification[]
  /** How many of the slots the page goes through. */
  readonly through: number
  /** Newest first: what follows is no longer kept. */
  readonly isLost: boolean
  /** Oldest first: what came first is no longer kept. */
  readonly isSkipped: boolean
}

/** A notification of a page, as the store has it. */
interface Taken {
  readonly slot: Slot
  readonly kv: KeyValue
}

/** Reads the values of the matches, as many as fit a page. */
async function fill(reading: Reading, slots: readonly Slot[]): Promise<Filled> {
  const { limit, order } = reading.request
  const places = slots.flatMap(({ isMatch }, place) => (isMatch ? [place] : [])).slice(0, limit)
  const taken: Taken[] = []
  const filled = (through: number, isLost = false): Filled => ({
    notifications: decodeAll(reading, taken),
    through,
    isLost,
    isSkipped,
  })
  let bytes = 0
  let isSkipped = false
  for (let start = 0; start < places.length; start += VALUES_AT_ONCE) {
    const group = places.slice(start, start + VALUES_AT_ONCE)
    const values = await Promise.all(group.map((place) => valueOf(reading, slots[place])))
    for (const [offset, kv] of values.entries()) {
      const place = group[offset] ?? 0
      const slot = slots[place]
      if (bytes >= MOST_VALUE_BYTES) return filled(place)
      if (kv !== 'lost' && slot !== undefined) {
        bytes += kv.value.length
        taken.push({ slot, kv })
      } else if (order === 'newest') return filled(place, true)
      else isSkipped = true
    }
    await nextTurn()
  }
  return filled(places.length === limit ? (places.at(-1) ?? 0) + 1 : slots.length)
}

async function valueOf({ reads }: Reading, slot: Slot | undefined): Promise<KeyValue | 'lost'> {
  return slot === undefined ? 'lost' : reads.value(slot.entry.key, slot.commit.revision)
}

/** The notifications as the hub decodes them. Those of one commit are decoded together, because each time its journal is parsed. */
function decodeAll(reading: Reading, taken: readonly Taken[]): readonly Notification[] {
  const decode = createDecoder({ ...reading, roots: reading.schemas.roots })
  const isBack = reading.request.order === 'newest'
  const perCommit = Map.groupBy(taken, ({ slot }) => slot.commit)
  return [...perCommit].flatMap(([{ revision, kv: journal }, own]) => {
    const kvs = own.toSorted((a, b) => a.slot.index - b.slot.index).map(({ kv }) => kv)
    const events = [journal, ...kvs].map((kv) => ({ kind: 'put' as const, kv }))
    const decoded = decode(revision, events).notifications.filter((each) => each !== undefined)
    return isBack ? decoded.toReversed() : decoded
  })
}
