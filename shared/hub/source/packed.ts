/**
 * Packs entries: what the store said of many revisions lies in one piece of memory, and is decoded again when a reader needs it. As objects
 * they took several times as much, and most of the time of collecting garbage, because V8 moves and marks objects one by one.
 *
 * @module
 */

import { isInRange } from '#shared/bytes/bytes.ts'
import { firstIndex } from '#shared/search.ts'
import type { KeyRange, Revision, StoreEvent } from '#shared/store/store.ts'
import type { Decoder } from './decode.ts'
import type { Entry } from './entry.ts'

/** Lengths of an entry's lists: its events, those for relays, and the numbers of its notifications. */
const LISTS_BYTES = 3 * 4
/** The kind of an event, the lengths of its key and of its value, and four numbers. */
const EVENT_BYTES = 1 + 2 * 4 + 4 * 8
const NUMBER_BYTES = 8

const DELETION = 1

/** V8 keeps whole numbers up to this in arrays without an object for each. */
const MAX_STEP = 2n ** 30n

/** Packed entries that follow each other. */
export interface Pack {
  readonly bytes: Uint8Array
  readonly fields: DataView
  used: number
  /** Of each entry: how many revisions it is behind the first, and where it begins in `bytes`. */
  readonly steps: number[]
  readonly starts: number[]
  readonly first: Revision
  last: Revision
}

/** @param first The revision of its first entry. */
export function createPack(size: number, first: Revision): Pack {
  const bytes = new Uint8Array(size)
  const fields = new DataView(bytes.buffer)
  return { bytes, fields, used: 0, steps: [], starts: [], first, last: first }
}

/** Bytes that an entry takes in a pack. */
export function packedSize({ events, relayed, notifications }: Entry): number {
  let bytes = LISTS_BYTES + sizeOf(events) + sizeOf(relayed)
  if (notifications.some(isCompleted)) bytes += NUMBER_BYTES * notifications.length
  return bytes
}

function sizeOf(events: readonly StoreEvent[]): number {
  let bytes = EVENT_BYTES * events.length
  for (const { kv } of events) bytes += kv.key.length + kv.value.length
  return bytes
}

/** Whether the numbering has added to a notification what no event says. */
function isCompleted(notification: Entry['notifications'][number]): boolean {
  return notification?.precedingSequence !== undefined
}

/** Whether an entry of so many bytes can be added. */
export function hasRoom({ bytes, used, first }: Pack, { revision }: Entry, size: number): boolean {
  return used + size <= bytes.length && revision - first <= MAX_STEP
}

/** Adds an entry. There must be room for it. */
export function addToPack(pack: Pack, { revision, events, relayed, notifications }: Entry): void {
  const { fields, used } = pack
  pack.steps.push(Number(revision - pack.first))
  pack.starts.push(used)
  pack.last = revision
  const numbered = notifications.some(isCompleted) ? notifications : []
  fields.setUint32(used, events.length)
  fields.setUint32(used + 4, relayed.length)
  fields.setUint32(used + 8, numbered.length)
  pack.used = used + LISTS_BYTES
  for (const event of events) writeEvent(pack, event)
  for (const event of relayed) writeEvent(pack, event)
  for (const notification of numbered) {
    fields.setBigInt64(pack.used, notification?.precedingSequence ?? 0n)
    pack.used += NUMBER_BYTES
  }
}

function writeEvent(pack: Pack, { kind, kv }: StoreEvent): void {
  const { bytes, fields, used } = pack
  const { key, value } = kv
  fields.setUint8(used, kind === 'delete' ? DELETION : 0)
  fields.setUint32(used + 1, key.length)
  fields.setUint32(used + 5, value.length)
  fields.setBigInt64(used + 9, kv.createRevision)
  fields.setBigInt64(used + 17, kv.modRevision)
  fields.setBigInt64(used + 25, kv.version)
  fields.setBigInt64(used + 33, kv.lease)
  const start = used + EVENT_BYTES
  bytes.set(key, start)
  bytes.set(value, start + key.length)
  pack.used = start + key.length + value.length
}

/** Index of the first entry at or after a revision. */
export function findInPack({ first, steps }: Pack, revision: Revision): number {
  const step = Number(revision - first)
  return firstIndex(steps, (other) => other >= step)
}

/** The events of an entry whose keys lie in a range, without what is internal. The others cost no object. */
export function packedEventsIn(pack: Pack, index: number, range: KeyRange): readonly StoreEvent[] {
  const found: StoreEvent[] = []
  let at = pack.starts[index] ?? pack.used
  const count = at < pack.used ? pack.fields.getUint32(at) : 0
  at += LISTS_BYTES
  for (let place = 0; place < count; place++) {
    const key = at + EVENT_BYTES
    const value = key + pack.fields.getUint32(at + 1)
    if (isInRange(pack.bytes.subarray(key, value), range)) found.push(readEvent(pack, at))
    at = value + pack.fields.getUint32(at + 5)
  }
  return found
}

/** Decodes an entry again. */
export function unpackEntry(pack: Pack, index: number, decode: Decoder): Entry {
  const { fields, first } = pack
  let at = pack.starts[index] ?? 0
  const count = fields.getUint32(at) + fields.getUint32(at + 4)
  const numbered = fields.getUint32(at + 8)
  at += LISTS_BYTES
  const events: StoreEvent[] = []
  for (let place = 0; place < count; place++) {
    const event = readEvent(pack, at)
    events.push(event)
    at += EVENT_BYTES + event.kv.key.length + event.kv.value.length
  }
  const entry = decode(first + BigInt(pack.steps[index] ?? 0), events)
  if (numbered === 0) return entry
  const notifications = entry.notifications.map((notification, place) => {
    const preceding = fields.getBigInt64(at + NUMBER_BYTES * place)
    if (notification === undefined || preceding === 0n) return notification
    return { ...notification, precedingSequence: preceding }
  })
  return { ...entry, notifications }
}

function readEvent({ bytes, fields }: Pack, at: number): StoreEvent {
  const start = at + EVENT_BYTES
  const end = start + fields.getUint32(at + 1)
  const kv = {
    key: bytes.subarray(start, end),
    value: bytes.subarray(end, end + fields.getUint32(at + 5)),
    createRevision: fields.getBigInt64(at + 9),
    modRevision: fields.getBigInt64(at + 17),
    version: fields.getBigInt64(at + 25),
    lease: fields.getBigInt64(at + 33),
  }
  return { kind: fields.getUint8(at) === DELETION ? 'delete' : 'put', kv }
}
