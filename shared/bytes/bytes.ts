/**
 * Byte strings: keys are compared, prefixed and encoded as bytes, because JavaScript orders strings by UTF-16 code
 * units and the store by bytes.
 *
 * @module
 */

const encoder = new TextEncoder()
const lenientDecoder = new TextDecoder()

/** No bytes at all. */
export const NO_BYTES: Uint8Array = new Uint8Array(0)

/** UTF-8 bytes of a string. */
export function toBytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}

/** Text of UTF-8 bytes; malformed sequences become U+FFFD. */
export function toText(bytes: Uint8Array): string {
  return lenientDecoder.decode(bytes)
}

/** Byte order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/**
 * Joins byte strings, always into new memory.
 *
 * @param length Bytes of all pieces, if the caller has counted them.
 */
export function joinBytes(
  pieces: readonly Uint8Array[],
  length: number = totalLength(pieces),
): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(length)
  let offset = 0
  for (const piece of pieces) {
    joined.set(piece, offset)
    offset += piece.length
  }
  return joined
}

function totalLength(pieces: readonly Uint8Array[]): number {
  let length = 0
  for (const piece of pieces) length += piece.length
  return length
}

/** The next key in byte order: no other key lies between the two. */
export function nextKey(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** etcd's "every key from here on" as a range end. */
export const END_OF_KEYS: Uint8Array = new Uint8Array([0])

/**
 * The exclusive end of all keys that start with `prefix`: trailing 0xff bytes dropped, the last byte counted up.
 *
 * @returns {@link END_OF_KEYS} for an empty or all-0xff prefix.
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  if (length === 0) return END_OF_KEYS
  const end = prefix.slice(0, length)
  end[length - 1] = (end[length - 1] ?? 0) + 1
  return end
}

/** Whether `end` is {@link END_OF_KEYS}. */
export function isEndOfKeys(end: Uint8Array): boolean {
  return end.length === 1 && end[0] === 0
}

/** Whether a key lies in a range of {@link KeyRange} form. */
export function isInRange(
  key: Uint8Array,
  range: { readonly key: Uint8Array; readonly end?: Uint8Array },
): boolean {
  if (range.end === undefined) return compareBytes(key, range.key) === 0
  return compareBytes(key, range.key) >= 0 && (isEndOfKeys(range.end) || compareBytes(key, range.end) < 0)
}

/** The range of all keys that start with `prefix`. */
export function prefixRange(prefix: string): { readonly key: Uint8Array; readonly end: Uint8Array } {
  const key = toBytes(prefix)
  return { key, end: prefixEnd(key) }
}

/** The first bytes as text, one character for each byte, because a map compares texts by value. */
export function toName(bytes: Uint8Array, length = bytes.length): string {
  let name = ''
  for (let index = 0; index < length; index++) name += String.fromCharCode(bytes[index] ?? 0)
  return name
}
