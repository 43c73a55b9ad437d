/**
 * How any value stands in a store key: percent-encoded, so that it holds no `/`, no control character and is no relative path. Each value
 * has one such text. Letters of every script, spaces and most signs stay as they are, so that keys can be read.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'

/** What a listener writes for a field that may have any value. */
export const ANY_VALUE = '*'
/** Longest key. It stands in its transaction several times, and all of its fields together are a few kB at most in 2.x. */
const MAX_KEY_BYTES = 16_384
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const RESERVED = /[%/\u0000-\u001f\u007f-\u009f]/g
const ONLY_DOTS = /^\.{1,2}$/

/** The text of a well-formed value in a key. */
export function encodeSegment(value: string): string {
  if (ONLY_DOTS.test(value)) return value.replaceAll('.', '%2E')
  return value.replace(RESERVED, (character) => encodeURIComponent(character))
}

/** @throws {AvisoError} `ERR_INVALID_NOTIFICATION` for a key that is too long. */
export function checkKey(key: string): void {
  if (toBytes(key).length <= MAX_KEY_BYTES) return
  const message = `The values of the identifier are too long together: their key is longer than ${MAX_KEY_BYTES} bytes`
  throw new AvisoError('ERR_INVALID_NOTIFICATION', message)
}

/** The value of a text in a key; `undefined` where {@link encodeSegment} never writes that text. */
export function decodeSegment(text: string): string | undefined {
  let value = text
  if (text.includes('%')) {
    try {
      value = decodeURIComponent(text)
    } catch {
      return undefined
    }
  }
  return encodeSegment(value) === text ? value : undefined
}
