/**
 * When the products of a run came, in two bytes a product once the run is finished.
 *
 * A code stands for each product of a configuration: it was neither expected nor came, it is missing, or it came so many seconds after the
 * first one.
 *
 * @module
 */

/** Codes by the product's index. A code that is not there is {@link NOTHING}. */
export type Codes = Int32Array | Uint16Array

/** Neither expected nor received. */
export const NOTHING = 0
/** Expected, and not received. */
export const MISSING = 1
/** The first code of a product that came. Each second has two: one for expected products, and one for the others. */
const FIRST = 2
const MAX_SHORT = 0xffff
/** The longest time that a code can hold: 34 years. */
const MAX_SECONDS = 0x3fff_fff0
const MIN_ROOM = 16

/** The code of a product that came. */
export function receivedCode(seconds: number, isExtra: boolean): number {
  return FIRST + 2 * Math.min(Math.max(Math.round(seconds), 0), MAX_SECONDS) + (isExtra ? 1 : 0)
}

/** Whether it came. */
export function isReceived(code: number): boolean {
  return code >= FIRST
}

/** Whether it came and was not expected. */
export function isExtra(code: number): boolean {
  return code >= FIRST && (code & 1) === 1
}

/** Seconds after the first product; of one that came. */
export function secondsOf(code: number): number {
  return (code - FIRST) >>> 1
}

/** Sets a code, in a larger array where this one has no room for it. */
export function withCode(codes: Codes, index: number, code: number): Codes {
  let target = codes
  const isTooNarrow = code > MAX_SHORT && codes instanceof Uint16Array
  if (isTooNarrow || index >= codes.length) {
    const length = index < codes.length ? codes.length : Math.max(MIN_ROOM, Math.ceil((index + 1) * 1.25))
    target = isTooNarrow || codes instanceof Int32Array ? new Int32Array(length) : new Uint16Array(length)
    target.set(codes)
  }
  target[index] = code
  return target
}

/** The same codes in as few bytes as they need. */
export function compacted(codes: Codes): Codes {
  let length = codes.length
  while (length > 0 && codes[length - 1] === NOTHING) length--
  const kept = codes.subarray(0, length)
  return kept.every((code) => code <= MAX_SHORT) ? Uint16Array.from(kept) : Int32Array.from(kept)
}
