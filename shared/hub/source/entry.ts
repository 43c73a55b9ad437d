/**
 * Entries: an entry holds what one revision of the store means to listeners. It is decoded once, and encoded once per format for all.
 *
 * @module
 */

import type { Notification } from '#shared/notification/notification.ts'
import type { Revision, StoreEvent } from '#shared/store/store.ts'

/** Memory of all entries that one holder keeps (the ring, or a page of history). */
export interface Account {
  bytes: number
}

/** One whole revision. */
export interface Entry {
  readonly revision: Revision
  /** Events of the keys under the roots, in the order they were written. */
  readonly events: readonly StoreEvent[]
  /** Events of internal keys that the hub of a relay needs, in the order they were written. */
  readonly relayed: readonly StoreEvent[]
  /** The notifications among `events`, by their index; `undefined` in the place of a notification that this service may not see. */
  readonly notifications: readonly (Notification | undefined)[]
  /** Estimate of its memory, with the frames made so far. */
  bytes: number
  /** Where its bytes are counted; absent while it has no holder. */
  account: Account | undefined
  /** Frames by the key of their encoding, then by place. */
  readonly frames: Map<string, (Uint8Array | undefined)[]>
}

/** How an entry is turned into frames. */
export interface Encoding {
  /** Encodings with the same key make the same frames. */
  readonly key: string
  /**
   * Makes the frame of one place: the index of a notification, or 0 when a frame stands for the whole revision. It is a pure function. It
   * gives empty bytes when the format has no frame for it.
   */
  encode(entry: Entry, place: number): Uint8Array
}

/** Objects, strings and headers of typed arrays of one event, measured at 0.4–0.7 kB in V8. */
const EVENT_OVERHEAD_BYTES = 600

/** Object header and map slot of a frame. */
const FRAME_OVERHEAD_BYTES = 150

/** A new entry without a holder. */
export function createEntry(parts: Pick<Entry, 'revision' | 'events' | 'relayed' | 'notifications'>): Entry {
  return {
    ...parts,
    bytes: sizeOfEvents([...parts.events, ...parts.relayed]) + sizeOfFields(parts.notifications),
    account: undefined,
    frames: new Map(),
  }
}

/** Whether a revision has nothing for any listener or relay. */
export function isEmptyEntry({ events, relayed }: Entry): boolean {
  return events.length === 0 && relayed.length === 0
}

/** Counts an entry in the memory of its holder. */
export function hold(entry: Entry, account: Account): void {
  entry.account = account
  account.bytes += entry.bytes
}

/** Ends {@link hold}. Streams that still use the entry may go on. */
export function release(entry: Entry): void {
  if (entry.account !== undefined) entry.account.bytes -= entry.bytes
  entry.account = undefined
}

/** The frame of one place of an entry; each encoding makes it once. */
export function frameOf(entry: Entry, place: number, encoding: Encoding): Uint8Array {
  let frames = entry.frames.get(encoding.key)
  const known = frames?.[place]
  if (known !== undefined) return known
  const frame = encoding.encode(entry, place)
  if (frames === undefined) {
    frames = []
    entry.frames.set(encoding.key, frames)
  }
  frames[place] = frame
  const added = frame.length + FRAME_OVERHEAD_BYTES
  entry.bytes += added
  if (entry.account !== undefined) entry.account.bytes += added
  return frame
}

/** Memory of a revision's events: the bytes of key and value, then the key and its fields as text. */
function sizeOfEvents(events: readonly StoreEvent[]): number {
  let bytes = EVENT_OVERHEAD_BYTES
  for (const { kv } of events) bytes += EVENT_OVERHEAD_BYTES + 3 * kv.key.length + kv.value.length
  return bytes
}

/** Memory of what notifications hold besides their keys and values: geometries of up to 60 KiB. */
function sizeOfFields(notifications: Entry['notifications']): number {
  let bytes = 0
  for (const notification of notifications) {
    if (notification?.unkeyed === undefined) continue
    for (const text of Object.values(notification.unkeyed)) bytes += text.length
  }
  return bytes
}
