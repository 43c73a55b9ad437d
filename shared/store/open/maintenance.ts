/**
 * Store address → {@link StoreMaintenance}, where the store has such a power.
 *
 * @module
 */

import type { StoreMaintenance } from '../maintenance.ts'
import { parseStoreAddress } from './address.ts'
import type { OpenStoreParts } from './open.ts'

/**
 * Opens the maintenance of a store. Etcd serves its JSON gateway beside gRPC, and is always maintained through it.
 *
 * @param address As `openStore()` takes it, and checked there.
 * @returns `undefined` for the embedded store, which gives room back by itself when it is compacted, and for another Aviso, which has its
 *   own admin.
 */
export async function openMaintenance(
  address: string,
  {
    platform,
    clock,
    logger,
    auth,
    bearer,
  }: Pick<OpenStoreParts, 'platform' | 'clock' | 'logger' | 'auth' | 'bearer'>,
): Promise<StoreMaintenance | undefined> {
  const parsed = parseStoreAddress(address)
  if (bearer !== undefined || parsed.kind === 'embedded') return undefined
  const { createGatewayMaintenance } = await import('../etcd/maintenance.ts')
  return createGatewayMaintenance({
    endpoints: parsed.endpoints,
    fetch: platform.storeFetch.unary,
    clock,
    random: platform.random,
    logger,
    ...(auth !== undefined && { auth }),
  })
}
