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
 * First numbers of event types, for those whose numbers go on from another server: event type → number. All others begin with 1. A first
 * number counts for an event type that has no number yet.
 */
export type FirstNumbers = Readonly<Record<string, number>>

/** The first number of an event type. */
export function firstNumberOf(numbers: FirstNumbers, event: string): number {
  return Object.hasOwn(numbers, event) ? (numbers[event] ?? 1) : 1
}

/** The last number of an event type that another server gave out, before this one; 0n: none did. */
export function lastElsewhereIn(numbers: FirstNumbers = {}): (event: string) => bigint {
  return (event) => BigInt(firstNumberOf(numbers, event) - 1)
}

/**
 * The number after the newest commit; without one, the first number. If the epoch was renewed since, numbers after that commit may have been
 * given out and lost.
 */
export function nextNumber(newest: JournalCommit | undefined, epoch: Epoch | undefined, first = 1): number {
  const next = newest === undefined ? first : lastSequence(newest) + 1
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
