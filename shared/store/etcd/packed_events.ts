/**
 * A watch message of gRPC, read from protobuf by hand: its fields at once, its events one revision at a time. A message may have 100,000
 * events and 64 MiB, and to decode all of them before the first is passed on would hold up everybody.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 * @module
 */

import { NO_BYTES, toText } from '#shared/bytes/bytes.ts'
import type { StoreEvent } from '../store.ts'
import { malformed, type WireObject } from './wire.ts'

/** Field numbers of etcd's `rpc.proto` and `kv.proto`. */
export const RESPONSE = {
  header: 1,
  created: 3,
  canceled: 4,
  compactRevision: 5,
  cancelReason: 6,
  fragment: 7,
  events: 11,
}
const HEADER = { clusterId: 1, revision: 3 }
const EVENT = { type: 1, kv: 2 }
const KEY_VALUE = { key: 1, createRevision: 2, modRevision: 3, version: 4, value: 5, lease: 6 }

/** The type of an event that deletes. */
const DELETION = 1

/** How a field stands in a message. */
const VARINT = 0
const FIXED_64 = 1
const BYTES = 2
const FIXED_32 = 5

/** Bits of a number that are read without a `bigint`. */
const EXACT_BITS = 49

/** A stretch of bytes. */
interface Span {
  readonly start: number
  readonly end: number
}

const NOTHING: Span = { start: 0, end: 0 }

/** An event whose bytes still lie in the message. */
interface PackedEvent {
  readonly isDeletion: boolean
  readonly key: Span
  readonly value: Span
  readonly createRevision: bigint
  readonly modRevision: bigint
  readonly version: bigint
  readonly lease: bigint
}

/**
 * Reads a `WatchResponse`.
 *
 * @returns The fields that are used, named as in the gateway; `events` are {@link PackedEvents}.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for bytes that are none. For its events, only once they are read.
 */
export function decodeWatchMessage(bytes: Uint8Array): WireObject {
  const reader = new Reader(bytes, 0, bytes.length)
  const message: Record<string, unknown> = {}
  while (reader.next()) {
    switch (reader.field) {
      case RESPONSE.header:
        message['header'] = decodeHeader(bytes, reader.span())
        break
      case RESPONSE.created:
        message['created'] = reader.integer() !== 0n
        break
      case RESPONSE.canceled:
        message['canceled'] = reader.integer() !== 0n
        break
      case RESPONSE.compactRevision:
        message['compact_revision'] = reader.integer()
        break
      case RESPONSE.cancelReason: {
        const { start, end } = reader.span()
        message['cancel_reason'] = toText(bytes.subarray(start, end))
        break
      }
      case RESPONSE.fragment:
        message['fragment'] = reader.integer() !== 0n
        break
      case RESPONSE.events:
        message['events'] ??= new PackedEvents(bytes, reader.fieldStart)
        reader.skip()
        break
      default:
        reader.skip()
    }
  }
  return message
}

function decodeHeader(bytes: Uint8Array, { start, end }: Span): WireObject {
  const reader = new Reader(bytes, start, end)
  const header: Record<string, unknown> = {}
  while (reader.next()) {
    if (reader.field === HEADER.clusterId) header['cluster_id'] = reader.integer()
    else if (reader.field === HEADER.revision) header['revision'] = reader.integer()
    else reader.skip()
  }
  return header
}

/** The events of a message. They are decoded while they are iterated. */
export class PackedEvents implements Iterable<StoreEvent> {
  readonly #bytes: Uint8Array
  readonly #start: number

  /** @param start Where the first event begins, with its field number. */
  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes
    this.#start = start
  }

  /** @throws {AvisoError} `ERR_STORE_PROTOCOL` */
  *[Symbol.iterator](): Generator<StoreEvent, void, undefined> {
    const reader = new Reader(this.#bytes, this.#start, this.#bytes.length)
    let revision: PackedEvent[] = []
    let start = this.#start
    while (reader.next()) {
      if (reader.field !== RESPONSE.events) {
        reader.skip()
        continue
      }
      const from = reader.fieldStart
      const event = decodeEvent(this.#bytes, reader.span())
      if (revision[0] !== undefined && revision[0].modRevision !== event.modRevision) {
        yield* unpack(this.#bytes, revision, { start, end: from })
        revision = []
        start = from
      }
      revision.push(event)
    }
    yield* unpack(this.#bytes, revision, { start, end: this.#bytes.length })
  }
}

function decodeEvent(bytes: Uint8Array, { start, end }: Span): PackedEvent {
  const reader = new Reader(bytes, start, end)
  let isDeletion = false
  let keyValue: Span | undefined
  while (reader.next()) {
    if (reader.field === EVENT.type) isDeletion = reader.integer() === BigInt(DELETION)
    else if (reader.field === EVENT.kv) keyValue = reader.span()
    else reader.skip()
  }
  if (keyValue === undefined) throw malformed()
  return decodeKeyValue(bytes, keyValue, isDeletion)
}

function decodeKeyValue(bytes: Uint8Array, { start, end }: Span, isDeletion: boolean): PackedEvent {
  const reader = new Reader(bytes, start, end)
  let [key, value] = [NOTHING, NOTHING]
  let [createRevision, modRevision, version, lease] = [0n, 0n, 0n, 0n]
  while (reader.next()) {
    switch (reader.field) {
      case KEY_VALUE.key:
        key = reader.span()
        break
      case KEY_VALUE.createRevision:
        createRevision = reader.integer()
        break
      case KEY_VALUE.modRevision:
        modRevision = reader.integer()
        break
      case KEY_VALUE.version:
        version = reader.integer()
        break
      case KEY_VALUE.value:
        value = reader.span()
        break
      case KEY_VALUE.lease:
        lease = reader.integer()
        break
      default:
        reader.skip()
    }
  }
  if (key.start === key.end) throw malformed()
  return { isDeletion, key, value, createRevision, modRevision, version, lease }
}

/**
 * The events of one revision. Their bytes are copied, because parts of the message would keep all of it in memory. They are copied
 * together, because whoever keeps one of them usually keeps the revision.
 */
function* unpack(
  message: Uint8Array,
  events: readonly PackedEvent[],
  { start, end }: Span,
): Generator<StoreEvent> {
  if (events.length === 0) return
  const { buffer } = new Uint8Array(message.subarray(start, end))
  const take = (span: Span): Uint8Array =>
    span.start === span.end ? NO_BYTES : new Uint8Array(buffer, span.start - start, span.end - span.start)
  for (const { isDeletion, key, value, createRevision, modRevision, version, lease } of events)
    yield {
      kind: isDeletion ? 'delete' : 'put',
      kv: { key: take(key), value: take(value), createRevision, modRevision, version, lease },
    }
}

/** Reads the fields of one message. It is a class, because one is made for every event. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #position: number
  #form = VARINT
  /** Number of the field that {@link Reader.next} has found. */
  field = 0
  /** Where that field begins, with its number. */
  fieldStart = 0

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  /** Goes to the next field, whose content must then be read or skipped. @returns `false` at the end. */
  next(): boolean {
    if (this.#position >= this.#end) return false
    this.fieldStart = this.#position
    const tag = this.#number()
    this.#form = tag & 7
    this.field = tag >>> 3
    return true
  }

  /** An int64, uint64, enumeration or bool of no negative value. */
  integer(): bigint {
    if (this.#form !== VARINT) throw malformed()
    const from = this.#position
    const number = this.#number()
    return Number.isNaN(number) ? this.#large(from) : BigInt(number)
  }

  /** Where bytes, a text or a message lie. */
  span(): Span {
    if (this.#form !== BYTES) throw malformed()
    const length = this.#number()
    const start = this.#position
    const end = start + length
    if (!(end <= this.#end)) throw malformed()
    this.#position = end
    return { start, end }
  }

  /** Passes over the content of a field. */
  skip(): void {
    switch (this.#form) {
      case VARINT:
        this.#number()
        break
      case BYTES:
        this.span()
        break
      case FIXED_64:
        this.#position += 8
        break
      case FIXED_32:
        this.#position += 4
        break
      default:
        throw malformed()
    }
    if (this.#position > this.#end) throw malformed()
  }

  /** A number; NaN where it may not be exact. */
  #number(): number {
    let value = 0
    let scale = 1
    for (let bits = 0; bits < 70; bits += 7) {
      if (this.#position >= this.#end) throw malformed()
      const byte = this.#bytes[this.#position++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return bits < EXACT_BITS ? value : Number.NaN
      scale *= 128
    }
    throw malformed()
  }

  /** A number of up to 64 bits. */
  #large(from: number): bigint {
    let value = 0n
    for (let index = from, shift = 0n; index < this.#position; index++, shift += 7n)
      value |= BigInt((this.#bytes[index] ?? 0) & 0x7f) << shift
    return BigInt.asUintN(64, value)
  }
}
