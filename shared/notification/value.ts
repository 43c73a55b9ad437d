/**
 * The stored value of a notification: the payload's text, or the word `None` as Python writes it when there is none.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toText } from '#shared/bytes/bytes.ts'
import { toSlabBytes } from '#shared/bytes/slab.ts'
import type { PayloadKind } from '#shared/journal/journal.ts'

/** 1.x's text for no payload. An empty value would end every 1.x listener. */
const NO_PAYLOAD = 'None'
/** A number or a boolean. What the store holds goes into JSON as it is only after a look at it. */
const JSON_SCALAR = /^(?:true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)$/

/** A payload as it is stored. */
export interface StoredPayload {
  readonly value: Uint8Array
  /** What it was, where the value alone does not tell. */
  readonly payloadKind?: PayloadKind
}

/** As {@link encodePayload}, with what the journal remembers so that the payload can be given back as it was. */
export function storePayload(payload: unknown): StoredPayload {
  const value = encodePayload(payload)
  const payloadKind = kindOf(payload)
  return payloadKind === undefined ? { value } : { value, payloadKind }
}

/** The kind of a payload whose stored value alone would be read as something else. */
function kindOf(payload: unknown): PayloadKind | undefined {
  if (payload === '') return 'empty'
  if (typeof payload === 'string')
    return payload === NO_PAYLOAD || isJsonContainer(payload) ? 'text' : undefined
  return typeof payload === 'number' || typeof payload === 'bigint' || typeof payload === 'boolean'
    ? 'json'
    : undefined
}

/**
 * Bytes to store for a payload: text as it is, any other JSON value as JSON text; absent, null and empty text as `None`.
 *
 * @throws {AvisoError} `ERR_INVALID_NOTIFICATION` for a value that has no JSON text.
 */
export function encodePayload(payload: unknown): Uint8Array {
  if (payload === undefined || payload === null || payload === '') return toSlabBytes(NO_PAYLOAD)
  if (typeof payload === 'string') return toSlabBytes(payload)
  return toSlabBytes(toJson(payload))
}

function toJson(payload: unknown): string {
  if (typeof payload === 'bigint') return String(payload)
  try {
    const text: string | undefined = JSON.stringify(payload)
    if (text !== undefined) return text
  } catch (error) {
    throw new AvisoError('ERR_INVALID_NOTIFICATION', 'The payload cannot be written as JSON', {
      cause: error,
    })
  }
  throw new AvisoError('ERR_INVALID_NOTIFICATION', 'The payload must be text or a JSON value')
}

/**
 * A stored value as JSON on one line. The text of an object or an array is sent as it was stored, digit for digit. Any other text is opaque
 * and is sent as a string, unless its kind says what it was.
 */
export function payloadJson(value: Uint8Array, kind: PayloadKind | undefined): string {
  const text = toText(value)
  if (kind === 'empty') return '""'
  if (kind === 'text') return JSON.stringify(text)
  if (kind === 'json' && JSON_SCALAR.test(text)) return text
  if (text === NO_PAYLOAD || text === '') return 'null'
  return containerOrText(text)
}

/** The text of an object or an array as it is, on one line; any other text as a string. */
export function containerOrText(text: string): string {
  return isJsonContainer(text) ? text.replaceAll(/[\r\n]+/g, ' ') : JSON.stringify(text)
}

function isJsonContainer(text: string): boolean {
  // Most values are locations. Only a text that can be an object or an array is worth parsing.
  if (!/^\s*[[{]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Text of a stored value; `undefined` where there was no payload. An empty value of another writer is empty text. */
export function decodePayload(value: Uint8Array): string | undefined {
  const text = toText(value)
  return text === NO_PAYLOAD ? undefined : text
}
