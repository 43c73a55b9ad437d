/**
 * Bounds on waiting: time and signals.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'

/** The value of a promise; `undefined` when it takes too long, whether or not what makes it heeds a signal. */
export function limitTime<Value>(
  clock: Clock,
  limitMs: number,
  promise: Promise<Value>,
): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    // A timer and not `clock.sleep`: to abort a sleep makes an error with a stack, twice for every call.
    const stop = clock.every(limitMs, () => {
      stop()
      resolve(undefined)
    })
    promise.then(resolve, reject).finally(stop)
  })
}

/** Calls `task` when one of the signals aborts, at once where one has. @returns Stops that. */
export function onAbort(signals: readonly (AbortSignal | undefined)[], task: () => void): () => void {
  const given = signals.filter((signal) => signal !== undefined)
  if (given.some((signal) => signal.aborted)) task()
  for (const signal of given) signal.addEventListener('abort', task)
  return () => {
    for (const signal of given) signal.removeEventListener('abort', task)
  }
}
