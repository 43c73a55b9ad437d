/**
 * The ring: it holds the recent revisions and their encoded frames, shared by all streams and bounded in bytes.
 *
 * @module
 */

import { firstIndex } from '#shared/search.ts'
import type { Revision } from '#shared/store/store.ts'
import type { EntrySource } from './chunk.ts'
import { hold, release, type Account, type Entry } from './entry.ts'

/**
 * Entries are addressed by position, a counter that never goes back. The hull is the range of keys that the hub watches (`hullOf`).
 *
 * Invariant: every revision of the hull from `floor` up to `through` that has something for listeners is in the ring. The hull also had
 * an event at a revision ≥ `floor`. So a reader of the hull's history may go on in the ring as soon as it has seen a revision
 * ≥ `floor - 1`: without a gap, without a repeat and without guessing.
 */
export interface Ring extends EntrySource {
  /** The ring holds everything from this revision on. */
  readonly floor: Revision
  /** Position of the oldest entry. */
  readonly start: number
  /** Position of the next entry. */
  readonly end: number
  readonly bytes: number
  append(entry: Entry): void
  /** Records that there is nothing more for listeners up to a revision. */
  advance(through: Revision): void
  /** Drops the oldest entries while they have too many bytes. Entries grow after they were appended, because frames are made from them. */
  trim(): void
  /** Forgets everything. The next entries begin at revision `floor`; positions go on. */
  reset(floor: Revision): void
}

/** Dropped entries leave empty places at the front of the array. The array is cut when it has this many. */
const MAX_EMPTY_PLACES = 4_096

/** A ring of at most `maxBytes` that always keeps its newest entry. Its first revision is `from`. */
export function createRing(maxBytes: number, from: Revision): Ring {
  const account: Account = { bytes: 0 }
  let entries: (Entry | undefined)[] = []
  /** Position of `entries[0]`. */
  let origin = 0
  let start = 0
  let floor = from
  let through = from - 1n

  const end = (): number => origin + entries.length
  const at = (position: number): Entry | undefined =>
    position < start ? undefined : entries[position - origin]
  const dropFirst = (): void => {
    const entry = at(start)
    if (entry === undefined) return
    release(entry)
    entries[start - origin] = undefined
    start++
    floor = entry.revision + 1n
  }
  const trim = (): void => {
    while (account.bytes > maxBytes && end() - start > 1) dropFirst()
    if (start - origin < MAX_EMPTY_PLACES) return
    entries = entries.slice(start - origin)
    origin = start
  }
  return {
    get floor() {
      return floor
    },
    get through() {
      return through
    },
    get start() {
      return start
    },
    get end() {
      return end()
    },
    get bytes() {
      return account.bytes
    },
    at,
    find: (revision) =>
      origin +
      firstIndex(entries, (entry) => entry !== undefined && entry.revision >= revision, start - origin),
    append: (entry) => {
      hold(entry, account)
      entries.push(entry)
      through = entry.revision
      trim()
    },
    advance: (revision) => {
      if (revision > through) through = revision
    },
    trim,
    reset: (revision) => {
      for (const entry of entries) if (entry !== undefined) release(entry)
      origin = end()
      start = origin
      entries = []
      floor = revision
      through = revision - 1n
    },
  }
}
