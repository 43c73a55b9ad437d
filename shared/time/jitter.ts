/**
 * Makes random numbers from random text, the one source of randomness that functions get as an argument.
 *
 * @module
 */

/** A number in [0, 1) from random text: FNV-1a, spread over its 32 bits. */
export function randomFraction(random: () => string): number {
  let hash = 0x811c9dc5
  for (const character of random()) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32
}
