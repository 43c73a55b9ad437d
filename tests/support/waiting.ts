/**
 * Waiting in tests: for what must come, with a limit, never for a time.
 *
 * @module
 */

import { within as withinLimit } from '#shared/time/deadline.ts'
import { systemClock } from '#shared/time/clock.ts'

/** Longest wait: generous, because two cores run everything. */
export const DEADLINE_MS = 20_000

/** The outcome of a promise. @throws {Error} when it does not come within {@link DEADLINE_MS}. */
export function within<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  return withinLimit(promise, {
    clock: systemClock,
    ms: DEADLINE_MS,
    late: () => {
      throw new Error(`Not within ${DEADLINE_MS} ms: ${what}`)
    },
  })
}

/**
 * Resolves when something holds.
 *
 * @param everyMs Time between two looks; 0 looks in every turn of the event loop.
 * @throws {Error} when it does not within {@link DEADLINE_MS}, and what `holds` throws.
 */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  everyMs = 5,
): Promise<void> {
  for (const limit = performance.now() + DEADLINE_MS; performance.now() < limit;) {
    if (await holds()) return
    await new Promise((next) => setTimeout(next, everyMs))
  }
  throw new Error(`Never came true: ${what}`)
}
