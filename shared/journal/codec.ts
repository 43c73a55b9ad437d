/**
 * Encodes and decodes the values of journals. It also makes the fingerprint that distinguishes a repeated POST from a reused id.
 *
 * @module
 */

import { isJsonRecord } from '#shared/json/record.ts'
import { AvisoError } from '#shared/errors.ts'
import { toSlabBytes } from '#shared/bytes/slab.ts'
import {
  MAX_REVISION_NOTIFICATIONS,
  PAYLOAD_KINDS,
  type JournalBatch,
  type JournalEvent,
  type PayloadKind,
} from './journal.ts'
import { createRecentJournals } from './recent.ts'

/** RFC 3339 UTC with milliseconds, as `Date.toISOString()` writes it. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const DECIMAL = /^(?:0|[1-9]\d{0,18})$/

const strictDecoder = new TextDecoder('utf-8', { fatal: true })

/** For all stores of this process, because a value says the same in each. */
const recent = createRecentJournals()

/**
 * A key as it is written: whole, or as its difference from the key before it (shared UTF-16 units at the front, the text that differs,
 * shared units at the end). etcd's gateway reads JSON slowly. Without this, a batch with its journal would cost half as much again as the
 * batch alone.
 */
type WrittenKey = string | readonly [front: number, middle: string, back: number]

/** An event as it is written. Its sequence number follows from its place. */
interface WrittenEvent {
  readonly key: WrittenKey
  readonly id: string
  readonly hash: string
  /** Absent: the same as in the event before. */
  readonly source: string | undefined
  /** Absent: the same as in the event before; null: none. */
  readonly time: string | null | undefined
  readonly traceparent: string | undefined
  readonly payload: PayloadKind | undefined
  readonly fields: JournalEvent['fields']
}

/** The value of a journal key: JSON text. */
export function encodeJournal(batch: JournalBatch): Uint8Array {
  return toSlabBytes(toJson(batch))
}

/**
 * As {@link encodeJournal}, for a batch that this process is about to commit: {@link parseJournal} knows it for a moment, without reading
 * it. The batch must be such as that gives. The caller does not change it afterwards.
 */
export function encodeOwnJournal(batch: JournalBatch): Uint8Array {
  const text = toJson(batch)
  recent.add(text, batch)
  return toSlabBytes(text)
}

function toJson({ events, ...batch }: JournalBatch): string {
  const written = events.map((event, place) => writeEvent(event, events[place - 1]))
  return JSON.stringify({ ...batch, events: written })
}

function writeEvent(event: JournalEvent, before: JournalEvent | undefined): WrittenEvent {
  const { key, id, hash, source, time, traceparent, payload, fields } = event
  return {
    key: before === undefined ? key : writeKey(key, before.key),
    id,
    hash,
    source: source === before?.source ? undefined : source,
    time: time === before?.time ? undefined : (time ?? null),
    traceparent,
    payload,
    fields,
  }
}

function writeKey(key: string, before: string): WrittenKey {
  const most = Math.min(key.length, before.length)
  let front = 0
  while (front < most && key.charCodeAt(front) === before.charCodeAt(front)) front++
  let back = 0
  while (
    back < most - front &&
    key.charCodeAt(key.length - 1 - back) === before.charCodeAt(before.length - 1 - back)
  ) {
    back++
  }
  return [front, key.slice(front, key.length - back), back]
}

/**
 * Reads the value of a journal key. Unknown members are ignored, because a newer version may have written them.
 *
 * @param key The journal's key, for the error.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that no version of this service wrote.
 */
export function parseJournal(value: Uint8Array, key: string): JournalBatch {
  const text = decodeText(value)
  const known = recent.get(text)
  if (known !== undefined) return known
  const batch = readBatch(parseJson(text))
  if (batch !== undefined) {
    recent.add(text, batch)
    return batch
  }
  throw new AvisoError(
    'ERR_STORE_PROTOCOL',
    `The store key ${key} does not hold a journal: another program wrote it, so delete it or restore it from a backup`,
  )
}

/** Text of UTF-8 bytes; no JSON for others. */
function decodeText(value: Uint8Array): string {
  try {
    return strictDecoder.decode(value)
  } catch {
    return ''
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readBatch(written: unknown): JournalBatch | undefined {
  if (!isJsonRecord(written)) return undefined
  const { batch, at, prev, first_seq: first, bases, events, place = 0 } = written
  const isBatch =
    isText(batch) &&
    isText(at) &&
    TIMESTAMP.test(at) &&
    !Number.isNaN(Date.parse(at)) &&
    isText(prev) &&
    DECIMAL.test(prev) &&
    typeof first === 'number' &&
    Number.isSafeInteger(first) &&
    first >= 1 &&
    Array.isArray(events) &&
    isCount(place) &&
    // A reader makes room for what is before it, so a value from elsewhere must not ask for more than a revision holds.
    place < MAX_REVISION_NOTIFICATIONS
  if (!isBatch) return undefined
  const read: JournalEvent[] = []
  for (const writtenEvent of events) {
    const event = readEvent(writtenEvent, first + read.length, read.at(-1))
    if (event === undefined) return undefined
    read.push(event)
  }
  return {
    batch,
    at,
    prev,
    first_seq: first,
    events: read,
    ...(Array.isArray(bases) && bases.every(isText) && { bases }),
    ...(written['ends_turn'] === true && { ends_turn: true }),
    ...(place > 0 && { place }),
  }
}

function readEvent(
  written: unknown,
  seq: number,
  before: JournalEvent | undefined,
): JournalEvent | undefined {
  if (!isJsonRecord(written)) return undefined
  const { id, hash, source = before?.source, traceparent } = written
  const key = readKey(written['key'], before?.key)
  const time = written['time'] === undefined ? before?.time : (written['time'] ?? undefined)
  if (key === undefined || !isText(id) || !isText(hash) || !isText(source)) return undefined
  if (!isOptionalText(time) || !isOptionalText(traceparent)) return undefined
  const fields = written['fields']
  if (fields !== undefined && !isTexts(fields)) return undefined
  // A kind of a newer version is not known here: the stored value then decides.
  const kind = written['payload']
  const payload = kind === undefined ? undefined : PAYLOAD_KINDS.find((known) => known === kind)
  const event: { -readonly [Field in keyof JournalEvent]: JournalEvent[Field] } = {
    key,
    seq,
    id,
    source,
    hash,
  }
  if (time !== undefined) event.time = time
  if (traceparent !== undefined) event.traceparent = traceparent
  if (payload !== undefined) event.payload = payload
  if (fields !== undefined) event.fields = fields
  return event
}

function readKey(written: unknown, before: string | undefined): string | undefined {
  if (isText(written)) return written
  if (!Array.isArray(written) || before === undefined) return undefined
  const [front, middle, back] = written as readonly unknown[]
  if (!isCount(front) || !isText(middle) || !isCount(back) || front + back > before.length) return undefined
  return before.slice(0, front) + middle + before.slice(before.length - back)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || isText(value)
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return isJsonRecord(value) && Object.values(value).every(isText)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/**
 * 64 bits of hash as 16 hexadecimal digits. It is the same on every runtime and in every version, because it is stored. It is not
 * cryptographic: a provider that forges a collision harms only its own id.
 */
export function fingerprint(bytes: Uint8Array): string {
  let high = 0x243f6a88
  let low = 0x85a308d3
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0
    high = Math.imul(high ^ byte, 0x01000193)
    low = Math.imul((low << 5) | (low >>> 27), 0x9e3779b1) ^ Math.imul(byte + 1, 0xc2b2ae3d)
  }
  return hexadecimal(avalanche(high ^ bytes.length), avalanche(low ^ high))
}

/** Makes every bit affect the whole word. */
function avalanche(word: number): number {
  let mixed = word
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b)
  return mixed ^ (mixed >>> 16)
}

/** 16 digits. Written out, because every notification has such a text, and `toString(16)` takes several times as long. */
function hexadecimal(high: number, low: number): string {
  return String.fromCharCode(
    digit(high >>> 28),
    digit(high >>> 24),
    digit(high >>> 20),
    digit(high >>> 16),
    digit(high >>> 12),
    digit(high >>> 8),
    digit(high >>> 4),
    digit(high),
    digit(low >>> 28),
    digit(low >>> 24),
    digit(low >>> 20),
    digit(low >>> 16),
    digit(low >>> 12),
    digit(low >>> 8),
    digit(low >>> 4),
    digit(low),
  )
}

/** The code of the digit of the last four bits. */
function digit(bits: number): number {
  const value = bits & 0xf
  return value + (value < 10 ? 0x30 : 0x57)
}
