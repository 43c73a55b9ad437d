/**
 * Store address → the power to copy the store, or the reason why it cannot be copied.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { BackupPower, StoreBackup } from '../maintenance.ts'
import type { Store } from '../store.ts'
import { parseStoreAddress } from './address.ts'
import type { OpenStoreParts } from './open.ts'

/** @returns `undefined` for a store in memory, one that its host keeps, and one on other machines. */
export function backupOf(store: Store & Partial<StoreBackup>): StoreBackup | undefined {
  const { snapshot } = store
  return snapshot === undefined ? undefined : { snapshot }
}

/**
 * Finds the power to copy a store. Etcd serves its JSON gateway beside gRPC, and is always copied through it.
 *
 * @param address As `openStore()` takes it, and checked there.
 * @param store What `openStore()` opened.
 */
export async function openBackup(
  address: string,
  store: Store & Partial<StoreBackup>,
  { platform, clock, logger, auth, bearer }: Omit<OpenStoreParts, 'dataFolder' | 'acceptLoss'>,
): Promise<BackupPower> {
  if (bearer !== undefined)
    return refused('ERR_READ_ONLY', 'The store is another Aviso: make the backup there')
  const parsed = parseStoreAddress(address)
  if (parsed.kind === 'embedded') {
    const backup = backupOf(store)
    return backup === undefined
      ? refused('ERR_NOT_FOUND', 'This store is in memory, or kept by its host: there is nothing to copy')
      : { backup }
  }
  const { newSha256, storeFetch } = platform
  if (newSha256 === undefined)
    return refused(
      'ERR_NOT_FOUND',
      'This runtime cannot copy etcd: use an admin service on Node, Deno or Bun, or etcdctl snapshot save',
    )
  const { createGatewayBackup } = await import('../etcd/backup.ts')
  const backup = createGatewayBackup({
    endpoints: parsed.endpoints,
    fetch: storeFetch.unary,
    watchFetch: storeFetch.watch,
    clock,
    random: platform.random,
    logger,
    newSha256,
    ...(auth !== undefined && { auth }),
  })
  return { backup }
}

function refused(code: 'ERR_READ_ONLY' | 'ERR_NOT_FOUND', reason: string): BackupPower {
  return { refusal: new AvisoError(code, reason) }
}
