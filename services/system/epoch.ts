/**
 * The epoch of the store: a random text that names one history of the store. It is read at the start, and again when the store is replaced
 * while the system runs.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { readOrCreateEpoch } from '#shared/journal/epoch.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'

export interface EpochParts {
  readonly store: Store
  readonly clock: Clock
  /** 128 random bits as text. */
  readonly random: () => string
  readonly logger: Logger
  /** Ends the attempts to read it again. */
  readonly signal: AbortSignal
}

/** The epoch of a store that may be replaced. */
export interface CurrentEpoch {
  /**
   * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` between a replacement and the next read, because a position that is given out or accepted
   *   then would mean something else later.
   */
  current(): string
  /** Forgets the epoch and reads it again, because the store was replaced. */
  renew(): void
}

/** Wait between attempts: a store that has just come back can bear one a second. */
const RETRY_MS = 1000

/** @throws {AvisoError} As `readOrCreateEpoch`. */
export async function openEpoch({ store, clock, random, logger, signal }: EpochParts): Promise<CurrentEpoch> {
  let known: string | undefined = (await readOrCreateEpoch(store, random)).epoch

  async function readAgain(): Promise<void> {
    while (known === undefined && !signal.aborted) {
      try {
        known = (await readOrCreateEpoch(store, random)).epoch
      } catch (error) {
        logger('error', 'The epoch of the store could not be read; trying again', {
          code: isAvisoError(error) ? error.code : 'ERR_INTERNAL',
        })
        await clock.sleep(RETRY_MS, signal)
      }
    }
  }

  return {
    current: () => {
      if (known !== undefined) return known
      throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store was replaced; try again in a moment')
    },
    renew: () => {
      const isReading = known === undefined
      known = undefined
      if (!isReading) void readAgain()
    },
  }
}
