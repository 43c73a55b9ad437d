/**
 * Reads the JSON form of etcd's messages from untrusted clients, more strictly than etcd does: a closed list of fields, one spelling
 * of each, one meaning of each value. etcd's versions treat everything else differently.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { isJsonObject, type JsonValue } from '#shared/json/strict_json.ts'
import { decodeBase64 } from '#shared/bytes/base64.ts'
import { compareBytes, isEndOfKeys } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

/** Longest key or range end, in bytes: far longer than every notification key, and still cheap. */
export const MAX_KEY_BYTES = 1024

const MAX_INT64 = 2n ** 63n - 1n
const DIGITS = /^(?:0|[1-9]\d{0,18})$/

/** The fields in a message, by snake_case name. `null` counts as absent, because 1.x clients send it for every field they do not use. */
export type Fields = ReadonlyMap<string, NonNullable<JsonValue>>

/** The fields that a message may have. */
export interface KnownFields {
  /** In snake_case. */
  readonly names: readonly string[]
  /** Both spellings → what they name, and the other spelling. */
  readonly spellings: ReadonlyMap<string, { readonly name: string; readonly other: string }>
}

/** @param names All known fields, in snake_case; the camelCase form of each is the same field. */
export function knownFields(...names: readonly string[]): KnownFields {
  const spellings = new Map<string, { readonly name: string; readonly other: string }>()
  for (const name of names) {
    const camel = toCamelCase(name)
    spellings.set(camel, { name, other: name })
    spellings.set(name, { name, other: camel })
  }
  return { names, spellings }
}

/**
 * The fields of a message.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for anything but an object, an unknown field, or a field in both spellings.
 */
export function readFields(message: JsonValue | undefined, { names, spellings }: KnownFields): Fields {
  if (!isJsonObject(message)) throw refuse('Expected a JSON object')
  const fields = new Map<string, NonNullable<JsonValue>>()
  for (const given of Object.keys(message)) {
    const known = spellings.get(given)
    if (known === undefined)
      throw refuse(`Unknown field "${given.slice(0, 64)}"; known are ${names.join(', ')}`, given)
    const { name, other } = known
    if (other !== given && Object.hasOwn(message, other))
      throw refuse(`Field "${name}" is given in two spellings; send one`, name)
    const value = message[given]
    if (value !== undefined && value !== null) fields.set(name, value)
  }
  return fields
}

/** The key and range end of a message: bytes in canonical base64 that form a range with room for a key. */
export function readKeyRange(fields: Fields): KeyRange {
  const key = readBytes(fields, 'key')
  // The text of the 1.x service.
  if (key === undefined) throw refuse('Invalid request, key not found in the body', 'key')
  const end = readBytes(fields, 'range_end')
  if (end === undefined) return { key }
  if (!isEndOfKeys(end) && compareBytes(key, end) >= 0) {
    throw refuse('Field "range_end" must be greater than "key"', 'range_end')
  }
  return { key, end }
}

function readBytes(fields: Fields, name: string): Uint8Array | undefined {
  const value = fields.get(name)
  if (value === undefined) return undefined
  const bytes = typeof value === 'string' ? decodeBase64(value) : undefined
  if (bytes === undefined) throw refuse(`Field "${name}" must be standard base64 with padding`, name)
  if (bytes.length === 0 || bytes.length > MAX_KEY_BYTES) {
    throw refuse(`Field "${name}" must be 1 to ${MAX_KEY_BYTES} bytes long`, name)
  }
  return bytes
}

/** A non-negative int64, as a number or as decimal text; `undefined` when absent. */
export function readInt64(fields: Fields, name: string): bigint | undefined {
  const value = fields.get(name)
  if (value === undefined) return undefined
  const number = toInteger(value)
  if (number === undefined || number < 0n || number > MAX_INT64) {
    throw refuse(`Field "${name}" must be a whole number from 0 to ${MAX_INT64}`, name)
  }
  return number
}

/** A truth value; `undefined` when absent. */
export function readBoolean(fields: Fields, name: string): boolean | undefined {
  const value = fields.get(name)
  if (value === undefined || typeof value === 'boolean') return value
  throw refuse(`Field "${name}" must be true or false`, name)
}

/** One of the names, or its number in the protocol; `undefined` when absent. */
export function readEnum<Name extends string>(
  fields: Fields,
  name: string,
  names: readonly Name[],
): Name | undefined {
  const value = fields.get(name)
  if (value === undefined) return undefined
  const found = typeof value === 'number' ? names[value] : names.find((candidate) => candidate === value)
  if (found === undefined) throw refuse(`Field "${name}" must be one of ${names.join(', ')}`, name)
  return found
}

/** An error about one field. */
export function refuse(message: string, field?: string): AvisoError {
  return new AvisoError(
    'ERR_BAD_REQUEST',
    message,
    field === undefined ? {} : { details: { field: field.slice(0, 64) } },
  )
}

function toInteger(value: JsonValue): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
  return typeof value === 'string' && DIGITS.test(value) ? BigInt(value) : undefined
}

function toCamelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
