/**
 * Bounds on waiting: time and signals.
 *
 * @module
 */

import type { Clock } from '#shared/telemetry/clock.ts'

/** The value of a promise; `undefined` when it takes too long, whether or not what makes it heeds a signal. */
export async function limitTime<Value>(
  clock: Clock,
  limitMs: number,
  promise: Promise<Value>,
): Promise<Value | undefined> {
  const settled = new AbortController()
  try {
    return await Promise.race([promise, clock.sleep(limitMs, settled.signal).then(() => undefined)])
  } finally {
    settled.abort()
  }
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
