/**
 * The key of the epoch, which names one history of a store. The embedded store writes it where it was put back or has lost something,
 * `shared/journal/epoch.ts` everywhere else.
 *
 * @module
 */

/** The key. Cursors contain its value, because etcd's own cluster id survives a wipe. */
export const EPOCH_KEY = '/_aviso/epoch'

/** An epoch that took the place of a lost one begins with this. So numbers of what was lost are not given out again. */
const RENEWED = 'r-'

/** Stands in the place of an epoch while a store is the target of a migration. No service starts on such a store. */
export const MIGRATION_UNDER_WAY = 'a migration is under way: not an epoch'

/** The value of an epoch that takes the place of a lost one. @param random 128 random bits as text. */
export function renewedEpoch(random: string): string {
  return RENEWED + random
}

export function isRenewedEpoch(epoch: string): boolean {
  return epoch.startsWith(RENEWED)
}
