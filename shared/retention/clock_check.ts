/**
 * Compares the clock with the newest sign of life in the store, before anything is deleted on the clock's word.
 *
 * @module
 */

/**
 * Longest silence of a store that is believed. A store that nobody wrote to for a quarter of a year looks exactly like a
 * clock that is wrong by as much, so an operator has to say which of the two it is.
 */
export const LONGEST_SILENCE_MS = 90 * 86_400_000

/** What {@link checkClock} answers. */
export type ClockCheck =
  | { readonly ok: true }
  /** The clock is ahead of everything in the store by so much that it is not believed. */
  | { readonly ok: false; readonly aheadMs: number }

/**
 * Whether the clock can be right.
 *
 * A clock that is behind is not refused: it makes everything younger, and a writer whose clock was ahead once would else
 * stop the admin for as long.
 *
 * @param signs Times that the store itself tells of: marks, journals, status documents; milliseconds since 1970.
 */
export function checkClock(now: number, signs: readonly number[]): ClockCheck {
  const newest = Math.max(...signs)
  const aheadMs = now - newest
  return aheadMs > LONGEST_SILENCE_MS && Number.isFinite(newest) ? { ok: false, aheadMs } : { ok: true }
}
