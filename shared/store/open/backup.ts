/**
 * The power of a store to be copied, where it has it.
 *
 * @module
 */

import type { StoreBackup } from '../maintenance.ts'
import type { Store } from '../store.ts'

/** @returns `undefined` for a store in memory, one that its host keeps, and one on other machines. */
export function backupOf(store: Store & Partial<StoreBackup>): StoreBackup | undefined {
  const { snapshot } = store
  return snapshot === undefined ? undefined : { snapshot }
}
