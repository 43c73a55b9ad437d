/**
 * Limits how long a caller waits for a promise.
 *
 * A limit is one timer. An abort signal for it would cost 11 µs for each call that comes in time, because aborting makes an error with a
 * stack.
 *
 * @module
 */

import type { Clock } from './clock.ts'

/** How long to wait, and the outcome when that is not enough. */
export interface TimeLimit<Late> {
  readonly clock: Clock
  /** Absent: no limit. */
  readonly ms?: number | undefined
  /** When it aborts, the time is up at once. */
  readonly signal?: AbortSignal | undefined
  /** Called when the time is up. What it returns or throws is the outcome. */
  readonly late: () => Late
}

/**
 * Waits for a promise within a limit. The work behind the promise goes on after the limit, and its outcome is then ignored.
 *
 * @returns the value of the promise, or that of `late`.
 * @throws the error of the promise or of `late`.
 */
export function within<Value, Late = never>(
  pending: PromiseLike<Value>,
  { clock, ms, signal, late }: TimeLimit<Late>,
): Promise<Value | Late> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      release()
      try {
        resolve(late())
      } catch (error) {
        reject(error)
      }
    }
    const cancel = ms === undefined ? undefined : clock.after(ms, giveUp)
    signal?.addEventListener('abort', giveUp)
    const release = (): void => {
      cancel?.()
      signal?.removeEventListener('abort', giveUp)
    }
    pending.then(
      (value) => {
        release()
        resolve(value)
      },
      (error: unknown) => {
        release()
        reject(error)
      },
    )
    if (signal?.aborted === true) giveUp()
  })
}

/**
 * Runs work within a limit. Its signal aborts when the time is up. The caller then waits no longer, whether or not the work stops. If the
 * time is up before the work begins, the work is not begun.
 *
 * @returns the value of the work, or that of `late`.
 * @throws the error of the work or of `late`.
 */
export async function runWithin<Value, Late = never>(
  work: (signal: AbortSignal) => Promise<Value>,
  limit: TimeLimit<Late>,
): Promise<Value | Late> {
  if (limit.signal?.aborted === true) return limit.late()
  const giveUp = new AbortController()
  return within(work(giveUp.signal), {
    ...limit,
    late: () => {
      giveUp.abort()
      return limit.late()
    },
  })
}
