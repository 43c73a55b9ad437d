/**
 * The epoch of the store: a random text that names one history of the store. It is read at the start. The hub tells the next one when the
 * store is replaced while the system runs.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { readOrCreateEpoch } from '#shared/journal/epoch.ts'
import type { Store } from '#shared/store/store.ts'

/** The epoch of a store that may be replaced. */
export interface CurrentEpoch {
  /**
   * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` between a replacement and the new epoch, because a position that is given out or accepted
   *   then would mean something else later.
   */
  current(): string
  /** Takes the epoch of a store that was replaced; `undefined` while it is not known. */
  change(epoch: string | undefined): void
}

/** @param random 128 random bits as text. @throws {AvisoError} As `readOrCreateEpoch`. */
export async function openEpoch(store: Store, random: () => string): Promise<CurrentEpoch> {
  let known: string | undefined = (await readOrCreateEpoch(store, random)).epoch
  return {
    current: () => {
      if (known !== undefined) return known
      throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store was replaced; try again in a moment')
    },
    change: (epoch) => {
      known = epoch
    },
  }
}
