/**
 * How long the leases of a store still last, which the port does not tell, because nothing but a move to another store asks.
 *
 * @module
 */

import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import { parseStoreAddress } from './address.ts'
import type { OpenStoreParts } from './open.ts'

/** Seconds that a lease still lasts; `undefined` where it has ended. */
export type LeaseSeconds = (id: bigint) => Promise<number | undefined>

/** The leases of an embedded store's database. */
export function embeddedLeases(database: Pick<SqlDatabase, 'all'>, now: () => number): LeaseSeconds {
  return (id) => {
    const [row] = database.all('SELECT ends_at FROM leases WHERE id = ?', id)
    const leftMs = row === undefined ? 0 : Number(row['ends_at']) - now()
    return Promise.resolve(leftMs > 0 ? Math.ceil(leftMs / 1_000) : undefined)
  }
}

/** The leases of an etcd, which are asked for through its gateway. */
export async function etcdLeases(
  address: string,
  { platform, clock, logger, auth }: OpenStoreParts,
): Promise<LeaseSeconds> {
  const parsed = parseStoreAddress(address)
  const endpoints = parsed.kind === 'embedded' ? [] : parsed.endpoints
  const { createGatewayLeases } = await import('../etcd/leases.ts')
  const { unary, watch } = platform.storeFetch
  return createGatewayLeases({
    endpoints,
    fetch: unary,
    watchFetch: watch,
    clock,
    random: platform.random,
    logger,
    ...(auth !== undefined && { auth }),
  })
}
