/**
 * Store address → {@link StoreMaintenance}, where the store has such a power.
 *
 * @module
 */

import type { StoreMaintenance } from '../maintenance.ts'
import type { OpenStoreParts } from './open.ts'

/**
 * Opens the maintenance of a store. Etcd serves its JSON gateway beside gRPC, so a `grpc:` address is maintained through it, too.
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
  if (bearer !== undefined || !/^(?:https?|grpcs?):/.test(address)) return undefined
  const { createGatewayMaintenance } = await import('../etcd/maintenance.ts')
  return createGatewayMaintenance({
    endpoints: address.split(',').map((url) => url.replace(/^grpc/, 'http').replace(/\/$/, '')),
    fetch: platform.storeFetch.unary,
    clock,
    random: platform.random,
    logger,
    ...(auth !== undefined && { auth }),
  })
}
