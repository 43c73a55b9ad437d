/**
 * "No verdict can be had now": the one failure of identity and policy. It is never access, never a refusal, never remembered.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'

/** What 1.x tells its clients. */
const MESSAGE = 'Service currently unavailable, please try again later'

/** Longest time in which a client is told that there is no verdict: 3 s with what the service needs around it. */
export const VERDICT_LIMIT_MS = 2800

/**
 * The failure.
 *
 * @param cause What happened, for the log; it holds no text of the other server.
 */
export function verdictUnavailable(cause: string): AvisoError {
  return new AvisoError('ERR_VERDICT_UNAVAILABLE', MESSAGE, { cause: new Error(cause) })
}

/**
 * Waits for a verdict until a moment; what is already there costs no timer.
 *
 * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the moment has come. The work behind goes on within its own bound, so its verdict
 *   is there for whoever asks again.
 */
export async function within<Result>(
  clock: Clock,
  deadlineAt: number,
  pending: Promise<Result>,
): Promise<Result> {
  const done = new AbortController()
  const limit = clock.sleep(Math.max(0, deadlineAt - clock.now()), done.signal).then(() => {
    throw verdictUnavailable('the verdict took too long')
  })
  // After the race nobody listens any more.
  limit.catch(() => undefined)
  pending.catch(() => undefined)
  try {
    return await Promise.race([pending, limit])
  } finally {
    done.abort()
  }
}
