/**
 * Positions that this store never gave out: evidence that it was replaced or put back to an older copy while no service ran.
 *
 * @module
 */

import type { AvisoErrorCode } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Metrics } from './metrics.ts'

/** How listeners tell of another store: a position of another epoch or an unknown number, or a position ahead of the store. */
export type ForeignPosition = Extract<AvisoErrorCode, 'ERR_EPOCH_CHANGED' | 'ERR_FUTURE_POSITION'>

/** Anybody can make such a position up, so that the log gets a line a minute at most. */
const LOG_EVERY_MS = 60_000

/** Counts such positions, and says so in the log. */
export function createPositionMetrics({
  metrics,
  clock,
  logger,
}: {
  readonly metrics: Metrics
  readonly clock: Clock
  readonly logger: Logger
}): (code: ForeignPosition, event: string) => void {
  const foreign = metrics.counter({
    name: 'aviso_foreign_positions',
    help: 'Positions and numbers of listeners that this store never gave out, by error code: was the store replaced, or put back to an older copy?',
    labels: ['code'],
  })
  let loggedAt = -Infinity
  return (code, event) => {
    foreign.add([code])
    const now = clock.monotonic()
    if (now - loggedAt < LOG_EVERY_MS) return
    loggedAt = now
    logger(
      'warn',
      'A listener came with a position that this store never gave out: was the store restored?',
      {
        code,
        event,
      },
    )
  }
}
