/**
 * The stored value of a notification: the payload's text, or the word `None` as Python writes it when there is none.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'

/** 1.x's text for no payload. An empty value would end every 1.x listener. */
const NO_PAYLOAD = 'None'

/**
 * Bytes to store for a payload: text as it is, any other JSON value as JSON text; absent, null and empty text as `None`.
 *
 * @throws {AvisoError} `ERR_INVALID_NOTIFICATION` for a value that has no JSON text.
 */
export function encodePayload(payload: unknown): Uint8Array {
  if (payload === undefined || payload === null || payload === '') return toBytes(NO_PAYLOAD)
  if (typeof payload === 'string') return toBytes(payload)
  return toBytes(toJson(payload))
}

function toJson(payload: unknown): string {
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

/** Text of a stored value; `undefined` where there was no payload. An empty value of another writer is empty text. */
export function decodePayload(value: Uint8Array): string | undefined {
  const text = toText(value)
  return text === NO_PAYLOAD ? undefined : text
}
