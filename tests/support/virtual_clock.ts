/**
 * A clock that stands still until it is told to move: for work whose days and years must pass in a test.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'

/** Sleeps up to this are rests between two steps, which take no virtual time; longer ones are limits, which never come. */
const LONGEST_REST_MS = 2_000

/** A clock that only {@link VirtualClock.pass} moves. */
export interface VirtualClock extends Clock {
  /** Lets time pass. */
  pass(ms: number): void
  /** Turns the clock, forward or back. */
  set(atMs: number): void
}

/** A clock that shows `startMs`. */
export function createVirtualClock(startMs: number): VirtualClock {
  let now = startMs
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve()
        if (ms <= LONGEST_REST_MS) return void setTimeout(resolve, 0)
        signal?.addEventListener('abort', () => resolve(), { once: true })
      }),
    every: () => () => undefined,
    pass: (ms) => {
      now += ms
    },
    set: (atMs) => {
      now = atMs
    },
  }
}
