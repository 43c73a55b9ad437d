/**
 * Compares the clock with the newest time in the store, so that a wrong clock does not lead to deletions.
 *
 * @module
 */

/**
 * Longest time without a write that is believed. A store without writes for a quarter of a year looks exactly like a clock that is wrong by
 * as much. So an operator has to say which of the two it is.
 */
export const LONGEST_SILENCE_MS = 90 * 86_400_000

/** The result of {@link checkClock}. */
export type ClockCheck =
  | { readonly ok: true }
  /** The clock is too far ahead of all times in the store to be believed. */
  | { readonly ok: false; readonly aheadMs: number }

/**
 * Whether the clock can be right.
 *
 * A clock that is behind is accepted, because it only makes everything seem younger. Otherwise a writer whose clock was once ahead would
 * stop the admin until that time had passed.
 *
 * @param signs Times in the store, from marks, journals and status documents; milliseconds since 1970.
 */
export function checkClock(now: number, signs: readonly number[]): ClockCheck {
  const newest = Math.max(...signs)
  const aheadMs = now - newest
  return aheadMs > LONGEST_SILENCE_MS && Number.isFinite(newest) ? { ok: false, aheadMs } : { ok: true }
}
