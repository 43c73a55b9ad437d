/**
 * Which number the next notification gets. Numbers are dense, except after the store has lost some of them.
 *
 * @module
 */

import { lastSequence, type JournalCommit } from '#shared/journal/commits.ts'
import type { Epoch } from '#shared/journal/epoch.ts'

/**
 * After a store was put back to an older copy, numbers go on at the next billion. So a number that was given out and lost is never given
 * out again, and no listener takes new notifications for those that it has seen.
 */
export const NUMBERS_PER_EPOCH = 1_000_000_000

/**
 * The number after the newest commit; without one, the first number. If the epoch was renewed since, numbers after that commit may have been
 * given out and lost.
 */
export function nextNumber(newest: JournalCommit | undefined, epoch: Epoch | undefined): number {
  const next = newest === undefined ? 1 : lastSequence(newest) + 1
  const isRenewed = epoch?.isRenewed === true && (newest?.revision ?? 0n) < epoch.revision
  return isRenewed ? afterLost(next) : next
}

/** The next number of this store, unless it may have been given out in the store that this one has replaced. */
export function firstUnused(next: number, usedBelow: number): number {
  return next >= usedBelow ? next : afterLost(usedBelow)
}

function afterLost(next: number): number {
  return Math.ceil(next / NUMBERS_PER_EPOCH) * NUMBERS_PER_EPOCH + 1
}
