/**
 * What clients of etcd send to its JSON gateway, and read of it.
 *
 * @module
 */

import { decodeBase64, encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'

/** Base64 of text or bytes. */
export function b64(content: string | Uint8Array): string {
  return encodeBase64(typeof content === 'string' ? toBytes(content) : content)
}

/** The text of base64; an absent member is empty. @throws {Error} for every spelling but the one that etcd writes. */
export function fromB64(base64 = ''): string {
  const bytes = decodeBase64(base64)
  if (bytes === undefined) throw new Error(`Not the base64 of etcd: ${base64}`)
  return toText(bytes)
}

/** The body of pyaviso 1.x's pull: every field, nulls included. */
export function pyavisoPull(key: string, end: string): Readonly<Record<string, unknown>> {
  return {
    key: b64(key),
    range_end: b64(end),
    limit: 10_000,
    sort_order: 'DESCEND',
    sort_target: 'KEY',
    keys_only: false,
    revision: null,
    min_mod_revision: null,
    max_mod_revision: null,
  }
}
