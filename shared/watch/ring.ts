/**
 * The ring: recent revisions and their encoded frames, shared by all streams, bounded in bytes.
 *
 * @module
 */

import type { Notification } from '#shared/notification/notification.ts'
import type { Revision } from '#shared/store/store.ts'
import type { Entry } from './entry.ts'
import type { StreamFormat } from './hub.ts'

/** How notifications are turned into frames; rings and streams compare it by `key`. */
export interface Encoding {
  readonly key: string
  readonly format: StreamFormat
  readonly phase: 'history' | 'live'
}

/**
 * Entries are addressed by position, a counter that never goes back, so that a cursor can tell whether its entry is still there.
 *
 * Invariant: every revision of the hull from `floor` on that has something for listeners is in the ring, up to `through`; and at a
 * revision ≥ `floor` there was an event in the hull. So whoever reads the store's own history of the hull knows that it may go on in the
 * ring as soon as it has seen a revision ≥ `floor`, without a gap, without a repeat and without guessing.
 */
export interface Ring {
  /** Everything from this revision on is here. */
  readonly floor: Revision
  /** Everything up to this revision has been seen. */
  readonly through: Revision
  /** Position of the oldest entry. */
  readonly start: number
  /** Position of the next entry. */
  readonly end: number
  readonly bytes: number
  at(position: number): Entry | undefined
  /** Position of the first entry at or after a revision. */
  find(revision: Revision): number
  append(entry: Entry): void
  /** Says that there is nothing for listeners up to a revision. */
  advance(through: Revision): void
  /** The frame of a notification of one of its entries, encoded once per encoding. */
  frame(entry: Entry, notification: Notification, encoding: Encoding): Uint8Array | undefined
  /** Drops the oldest entries while there are too many bytes, but never the last one. */
  trim(): void
  /** Forgets everything: what comes next begins at `floor`. Positions go on. */
  reset(floor: Revision): void
}

/** An entry with the frames made of it so far. */
interface Slot {
  readonly entry: Entry
  readonly frames: Map<string, (Uint8Array | undefined)[]>
  bytes: number
}

/** Object header and map slot of a frame. */
const FRAME_OVERHEAD_BYTES = 150

/** Entries are dropped from the front of an array; it is cut when this many places are empty. */
const MAX_EMPTY_SLOTS = 4_096

export function createRing(maxBytes: number, from: Revision): Ring {
  let slots: (Slot | undefined)[] = []
  /** Position of `slots[0]`. */
  let origin = 0
  let start = 0
  let bytes = 0
  let floor = from
  let through = from - 1n
  const slotsByEntry = new WeakMap<Entry, Slot>()

  const slotAt = (position: number): Slot | undefined =>
    position < start ? undefined : slots[position - origin]
  const dropFirst = (): void => {
    const slot = slotAt(start)
    if (slot === undefined) return
    bytes -= slot.bytes
    slots[start - origin] = undefined
    start++
    floor = slot.entry.revision + 1n
  }
  const ring: Ring = {
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
      return origin + slots.length
    },
    get bytes() {
      return bytes
    },
    at: (position) => slotAt(position)?.entry,
    find: (revision) => {
      let low = start
      let high = ring.end
      while (low < high) {
        const middle = Math.floor((low + high) / 2)
        const entry = ring.at(middle)
        if (entry !== undefined && entry.revision < revision) low = middle + 1
        else high = middle
      }
      return low
    },
    append: (entry) => {
      const slot: Slot = { entry, frames: new Map(), bytes: entry.bytes }
      slots.push(slot)
      slotsByEntry.set(entry, slot)
      bytes += entry.bytes
      through = entry.revision
      ring.trim()
    },
    advance: (revision) => {
      if (revision > through) through = revision
    },
    frame: (entry, notification, { key, format, phase }) => {
      const slot = slotsByEntry.get(entry)
      const known = slot?.frames.get(key)?.[notification.index]
      if (known !== undefined) return known
      const frame = format.notification?.(notification, phase)
      if (slot === undefined || frame === undefined) return frame
      const frames = slot.frames.get(key) ?? []
      frames[notification.index] = frame
      slot.frames.set(key, frames)
      const added = frame.length + FRAME_OVERHEAD_BYTES
      slot.bytes += added
      // An entry that was dropped while a stream still held it does not count any more.
      if (entry.revision >= floor) bytes += added
      return frame
    },
    trim: () => {
      while (bytes > maxBytes && ring.end - start > 1) dropFirst()
      if (start - origin < MAX_EMPTY_SLOTS) return
      slots = slots.slice(start - origin)
      origin = start
    },
    reset: (revision) => {
      origin = ring.end
      start = origin
      slots = []
      bytes = 0
      floor = revision
      through = revision - 1n
    },
  }
  return ring
}
