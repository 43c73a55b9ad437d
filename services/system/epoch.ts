/**
 * The epoch of the store as it is now: read at the start, and again when the store is replaced under a running system.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { readOrCreateEpoch } from '#shared/journal/epoch.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'

/** What an epoch is read with. */
export interface EpochParts {
  readonly store: Store
  readonly clock: Clock
  /** 128 random bits as text. */
  readonly random: () => string
  readonly logger: Logger
  /** Ends attempts to read it again. */
  readonly signal: AbortSignal
}

/** The epoch of a store that may be replaced. */
export interface CurrentEpoch {
  /**
   * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` between a replacement and the next reading: a position given out or taken then would mean
   *   something else later.
   */
  current(): string
  /** The store was replaced. */
  renew(): void
}

/** A second between attempts is what a store that has just come back can bear. */
const RETRY_MS = 1000

/** @throws {AvisoError} as `readOrCreateEpoch`. */
export async function openEpoch({ store, clock, random, logger, signal }: EpochParts): Promise<CurrentEpoch> {
  let known: string | undefined = (await readOrCreateEpoch(store, random)).epoch

  async function readAgain(): Promise<void> {
    while (known === undefined && !signal.aborted) {
      try {
        known = (await readOrCreateEpoch(store, random)).epoch
      } catch (error) {
        logger('error', 'The epoch of the store could not be read, trying again', {
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
