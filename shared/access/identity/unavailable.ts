/**
 * "No verdict can be had now": the one failure of identity and policy. It is never access, never a refusal, never remembered.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'

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
 * Waits for a verdict.
 *
 * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` after {@link VERDICT_LIMIT_MS}. The work behind goes on within its own bound, so its verdict
 *   is there for the next request that needs it.
 */
export function verdictInTime<Result>(clock: Clock, pending: Promise<Result>): Promise<Result> {
  const late = (): never => {
    throw verdictUnavailable('the verdict took too long')
  }
  return within(pending, { clock, ms: VERDICT_LIMIT_MS, late })
}
