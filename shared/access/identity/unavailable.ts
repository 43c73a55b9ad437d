/**
 * The one failure of identity and policy: no server can give a verdict now. It never grants access, never refuses it, and is never
 * remembered.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'

/** The text that 1.x sends to its clients. */
const MESSAGE = 'Service currently unavailable, please try again later'

/** A client learns within this time that there is no verdict; within 3 s, with the service's own work around it. */
export const VERDICT_LIMIT_MS = 2800

/**
 * Makes the failure.
 *
 * @param cause What happened, for the log; it contains no text from the other server.
 */
export function verdictUnavailable(cause: string): AvisoError {
  return new AvisoError('ERR_VERDICT_UNAVAILABLE', MESSAGE, { cause: new Error(cause) })
}

/**
 * Waits for a verdict.
 *
 * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` after {@link VERDICT_LIMIT_MS}. The pending work goes on within its own bound, so that its
 *   verdict is remembered for the next request.
 */
export function verdictInTime<Result>(clock: Clock, pending: Promise<Result>): Promise<Result> {
  const late = (): never => {
    throw verdictUnavailable('the verdict took too long')
  }
  return within(pending, { clock, ms: VERDICT_LIMIT_MS, late })
}
