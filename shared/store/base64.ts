/**
 * Base64 of RFC 4648 §4, with padding: the only form that every etcd version accepts, and the only one we accept.
 *
 * @module
 */

interface NativeBase64 {
  toBase64?: () => string
}

/** Bytes per `String.fromCharCode` call: far below every engine's argument limit. */
const CHUNK_BYTES = 0x2000
const CANONICAL = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Base64 text of bytes. */
export function encodeBase64(bytes: Uint8Array): string {
  const native = (bytes as NativeBase64).toBase64
  if (native !== undefined) return native.call(bytes)
  if (bytes.length <= CHUNK_BYTES) return btoa(String.fromCharCode(...bytes))
  let binary = ''
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES))
  }
  return btoa(binary)
}

/**
 * Bytes of canonical base64 text.
 *
 * @returns `undefined` for anything else: url-safe alphabet, missing padding, white space, non-zero trailing bits.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (!CANONICAL.test(text)) return undefined
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index)
  // Non-zero bits behind the last byte decode to the same bytes, so one key would have several spellings.
  const tail = text.slice(-4)
  if (tail.endsWith('=') && btoa(binary.slice(-(binary.length % 3))) !== tail) return undefined
  return bytes
}
