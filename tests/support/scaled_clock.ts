/**
 * A clock that runs faster than real time, so that deadlines of seconds pass in milliseconds.
 *
 * @module
 */

import { systemClock, type Clock } from '#shared/time/clock.ts'

/** A clock that starts now and runs `factor` times as fast. */
export function createScaledClock(factor: number): Clock {
  const start = systemClock.now()
  return {
    now: () => start + (systemClock.now() - start) * factor,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
    every: (ms, task) => systemClock.every(ms / factor, task),
  }
}
