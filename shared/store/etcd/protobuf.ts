/**
 * Objects ↔ protobuf messages, by tables of their fields: integers, flags, bytes, texts and messages, as far as etcd's messages have them.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 * @module
 */

import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { Reader } from './packed_events.ts'
import { toObject, type WireObject } from './wire.ts'

/**
 * What a field holds. Integers (enumerations too) are decimal text, a number or a `bigint` where they are written, and a `bigint` where
 * they are read.
 */
export type FieldKind = 'integer' | 'flag' | 'bytes' | 'text' | MessageType

/** A field. */
export interface Field {
  readonly number: number
  readonly kind: FieldKind
  /** Whether it is a list. */
  readonly isList: boolean
}

/** The fields of a message. Those that are received and not named here are passed over. */
export interface MessageType {
  readonly byName: ReadonlyMap<string, Field>
  readonly byNumber: ReadonlyMap<number, readonly [name: string, field: Field]>
}

/** How a field stands in a message: the last three bits of its tag. */
const VARINT = 0
const DELIMITED = 2
/** Room for most messages. */
const FIRST_BYTES = 1_024
/** Numbers below this are written without a `bigint`. */
const SMALL = 2 ** 31
/** Longest decimal text that is surely a safe integer. */
const SAFE_DIGITS = 15

/** Makes the table of a message. @param fields Numbers and kinds by name; a kind in brackets is a list of it. */
export function messageType(
  fields: Readonly<Record<string, readonly [number: number, kind: FieldKind | readonly [FieldKind]]>>,
): MessageType {
  const list = Object.entries(fields).map(([name, [number, kind]]): [string, Field] => [
    name,
    Array.isArray(kind)
      ? { number, kind: (kind as readonly [FieldKind])[0], isList: true }
      : { number, kind: kind as FieldKind, isList: false },
  ])
  return {
    byName: new Map(list),
    byNumber: new Map(list.map(([name, field]) => [field.number, [name, field]])),
  }
}

/**
 * Writes a message behind some free bytes.
 *
 * @param head Number of free bytes, all zero.
 * @throws {TypeError} For a field that the message does not have.
 */
export function encodeMessage(type: MessageType, message: object, head = 0): Uint8Array {
  const writer = new Writer()
  writer.message(type, message)
  return writer.finish(head)
}

/** Reads a message. @throws {AvisoError} `ERR_STORE_PROTOCOL` for bytes that are none. */
export function decodeMessage(type: MessageType, bytes: Uint8Array): WireObject {
  return read(type, bytes, new Reader(bytes, 0, bytes.length))
}

function read(type: MessageType, bytes: Uint8Array, reader: Reader): WireObject {
  const message: Record<string, unknown> = {}
  while (reader.next()) {
    const known = type.byNumber.get(reader.field)
    if (known === undefined) {
      reader.skip()
      continue
    }
    const [name, { kind, isList }] = known
    const value = readValue(kind, bytes, reader)
    if (!isList) message[name] = value
    else if (Array.isArray(message[name])) message[name].push(value)
    else message[name] = [value]
  }
  return message
}

function readValue(kind: FieldKind, bytes: Uint8Array, reader: Reader): unknown {
  if (kind === 'integer') return reader.integer()
  if (kind === 'flag') return reader.integer() !== 0n
  const { start, end } = reader.span()
  if (kind === 'bytes') return bytes.subarray(start, end)
  if (kind === 'text') return toText(bytes.subarray(start, end))
  return read(kind, bytes, new Reader(bytes, start, end))
}

/** Writes from the end to the beginning, so that the length of a message is known before it is written. */
class Writer {
  #bytes = new Uint8Array(FIRST_BYTES)
  /** Where the last thing that was written begins. */
  #start = FIRST_BYTES

  finish(head: number): Uint8Array {
    this.#claim(head)
    this.#bytes.fill(0, this.#start, this.#start + head)
    return this.#bytes.subarray(this.#start)
  }

  message(type: MessageType, message: object): void {
    for (const [name, value] of Object.entries(message).toReversed()) {
      const field = type.byName.get(name)
      if (field === undefined) throw new TypeError(`No field ${name}`)
      if (!field.isList) this.#field(field, value)
      else if (Array.isArray(value)) for (const item of value.toReversed()) this.#field(field, item)
    }
  }

  #field({ number, kind }: Field, value: unknown): void {
    const before = this.#written()
    if (kind === 'integer' || kind === 'flag') {
      this.#integer(value)
      this.#small(number * 8 + VARINT)
      return
    }
    if (kind === 'bytes' || kind === 'text') this.#span(value)
    else this.message(kind, toObject(value) ?? {})
    this.#small(this.#written() - before)
    this.#small(number * 8 + DELIMITED)
  }

  #span(value: unknown): void {
    const bytes = value instanceof Uint8Array ? value : toBytes(String(value))
    this.#claim(bytes.length)
    this.#bytes.set(bytes, this.#start)
  }

  #integer(value: unknown): void {
    const number = typeof value === 'string' && value.length > SAFE_DIGITS ? Number.NaN : Number(value)
    if (number >= 0 && number < SMALL) this.#small(number)
    else this.#large(BigInt.asUintN(64, BigInt(String(value))))
  }

  #small(value: number): void {
    const length = value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : value < 2 ** 28 ? 4 : 5
    this.#claim(length)
    let rest = value
    for (let index = this.#start; index < this.#start + length - 1; index++) {
      this.#bytes[index] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#start + length - 1] = rest
  }

  #large(value: bigint): void {
    const bytes: number[] = []
    let rest = value
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
    bytes.push(Number(rest))
    this.#claim(bytes.length)
    this.#bytes.set(bytes, this.#start)
  }

  #written(): number {
    return this.#bytes.length - this.#start
  }

  /** Takes room before what is written. */
  #claim(length: number): void {
    if (length > this.#start) this.#grow(length)
    this.#start -= length
  }

  #grow(length: number): void {
    const written = this.#bytes.subarray(this.#start)
    const bytes = new Uint8Array(2 * this.#bytes.length + length)
    bytes.set(written, bytes.length - written.length)
    this.#start = bytes.length - written.length
    this.#bytes = bytes
  }
}
