/**
 * Keyed hashes of identities: what is remembered of hundreds of thousands of texts.
 *
 * Two HalfSipHash-1-3 of 64 bits, each with a key of its own (https://github.com/veorq/SipHash). Among 200,000 texts, two of the same hash
 * come once in 10^28 tries. The keys are secret, so that none can be made to collide.
 *
 * @module
 */

/** Words of 32 bits in a hash. */
export const HASH_WORDS = 4

/** Rounds after the last word of a text, as the 3 in HalfSipHash-1-3. */
const FINAL_ROUNDS = 3

/** Writes the hash of a text into {@link HASH_WORDS} words, from `at` on (default: 0). */
export type IdentityHash = (text: string, into: Uint32Array, at?: number) => void

/** @param secret Random bits as text, 128 or more, that stay in this process. */
export function createIdentityHash(secret: string): IdentityHash {
  const [first, second] = [new Uint32Array(2), new Uint32Array(2)]
  halfSipHash(secret, Uint32Array.of(0, 1), first, 0)
  halfSipHash(secret, Uint32Array.of(1, 0), second, 0)
  return (text, into, at = 0) => {
    halfSipHash(text, first, into, at)
    halfSipHash(text, second, into, at + 2)
  }
}

/** Writes two words at a place. A word takes two units of UTF-16; the length comes last, and tells a text from one with NUL behind it. */
function halfSipHash(text: string, keys: Uint32Array, into: Uint32Array, at: number): void {
  const key = keys[0] ?? 0
  const otherKey = keys[1] ?? 0
  let v0 = key
  // As for all hashes of 64 bits.
  let v1 = otherKey ^ 0xee
  let v2 = key ^ 0x6c796765
  let v3 = otherKey ^ 0x74656462
  const { length } = text
  const words = (length + 1) >> 1
  const rounds = words + 1 + 2 * FINAL_ROUNDS
  for (let word = 0; word < rounds; word++) {
    let message = 0
    if (word < words) {
      message = text.charCodeAt(2 * word)
      if (2 * word + 1 < length) message |= text.charCodeAt(2 * word + 1) << 16
    } else if (word === words) message = length
    else if (word === words + 1) v2 ^= 0xee
    else if (word === words + 1 + FINAL_ROUNDS) {
      into[at] = v1 ^ v3
      v1 ^= 0xdd
    }
    v3 ^= message
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= message
  }
  into[at + 1] = v1 ^ v3
}
