/**
 * Entries: what one revision of the store means to listeners, decoded once and encoded once for all of them.
 *
 * @module
 */

import type { Notification } from '#shared/notification/notification.ts'
import type { Revision, StoreEvent } from '#shared/store/store.ts'

/** Memory that the holder of entries counts. */
export interface Account {
  bytes: number
}

/** One whole revision. */
export interface Entry {
  readonly revision: Revision
  /** Events of the keys under the roots, in the order they were written. */
  readonly events: readonly StoreEvent[]
  /** Events of our own keys that another hub needs, in the order they were written. */
  readonly relayed: readonly StoreEvent[]
  /** Those of `events` that are notifications, by their index; `undefined` in the place of one that this service may not see. */
  readonly notifications: readonly (Notification | undefined)[]
  /** Estimate of the memory it takes, with the frames made so far. */
  bytes: number
  /** Where its bytes are counted; absent while nobody holds it. */
  account: Account | undefined
  /** Frames by the key of their encoding, each by the place it was made of. */
  readonly frames: Map<string, (Uint8Array | undefined)[]>
}

/** How an entry is turned into frames. */
export interface Encoding {
  /** Encodings with the same key make the same frames. */
  readonly key: string
  /**
   * The frame of one place: the index of a notification, or 0 where a frame stands for the whole revision. A pure function; empty
   * bytes where the format has nothing to say.
   */
  encode(entry: Entry, place: number): Uint8Array
}

/** Objects, strings and headers of typed arrays that come with every event, measured at 0.4–0.7 kB in V8. */
const EVENT_OVERHEAD_BYTES = 600

/** Object header and map slot of a frame. */
const FRAME_OVERHEAD_BYTES = 150

/** An entry that nobody holds yet. */
export function createEntry(parts: Pick<Entry, 'revision' | 'events' | 'relayed' | 'notifications'>): Entry {
  return {
    ...parts,
    bytes: sizeOfEvents([...parts.events, ...parts.relayed]),
    account: undefined,
    frames: new Map(),
  }
}

/** Whether a revision means nothing to anybody. */
export function isEmptyEntry({ events, relayed }: Entry): boolean {
  return events.length === 0 && relayed.length === 0
}

/** Counts an entry in the memory of its holder. */
export function hold(entry: Entry, account: Account): void {
  entry.account = account
  account.bytes += entry.bytes
}

/** Ends {@link hold}. Whoever still has the entry may go on using it. */
export function release(entry: Entry): void {
  if (entry.account !== undefined) entry.account.bytes -= entry.bytes
  entry.account = undefined
}

/** The frame of one place of an entry, made once per encoding. */
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

/** Memory that the events of a revision take: bytes of key and value, the key once more as text and its fields as text. */
function sizeOfEvents(events: readonly StoreEvent[]): number {
  let bytes = EVENT_OVERHEAD_BYTES
  for (const { kv } of events) bytes += EVENT_OVERHEAD_BYTES + 3 * kv.key.length + kv.value.length
  return bytes
}
