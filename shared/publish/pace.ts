/**
 * Pauses after failed transactions of a lane.
 *
 * @module
 */

import { backOffMs } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import { RETRY } from './limits.ts'

export interface Pace {
  afterSuccess(): void
  /** Resolves when the next transaction may be sent. */
  afterFailure(): Promise<void>
}

export function createPace({
  clock,
  random,
}: {
  readonly clock: Clock
  readonly random: () => string
}): Pace {
  let failures = 0
  return {
    afterSuccess: () => {
      failures = 0
    },
    afterFailure: () => clock.sleep(backOffMs(failures++, RETRY, () => randomFraction(random))),
  }
}
