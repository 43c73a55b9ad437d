/**
 * Stores over etcd, as the launcher makes them, with this runtime's own clients.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { silentLogger } from '#shared/logger.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { createGatewayStore, type GatewayStoreParts } from '#shared/store/etcd/gateway.ts'
import type { createEtcdStore } from '#shared/store/etcd/etcd3.ts'
import { createGrpcTransport } from '#shared/store/etcd/grpc_transport.ts'
import { createStoreOver, type EtcdStoreParts } from '#shared/store/etcd/store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

const COMMON = { clock: systemClock, random: randomUUID, logger: silentLogger }

/** A store over the JSON gateway. @param endpoints e.g. `http://127.0.0.1:2379` */
export async function openGatewayStore(
  endpoints: readonly string[],
  more: Partial<GatewayStoreParts> = {},
): Promise<Store> {
  const { unary, watch } = (await detectPlatform()).storeFetch
  return createGatewayStore({ endpoints, fetch: unary, watchFetch: watch, ...COMMON, ...more })
}

/** A store over our gRPC. @param endpoints As for {@link openGatewayStore}. */
export async function openGrpcStore(
  endpoints: readonly string[],
  more: Partial<EtcdStoreParts> = {},
): Promise<Store> {
  const { connectHttp2: connect } = await detectPlatform()
  if (connect === undefined) throw new Error('This runtime has no HTTP/2')
  const transport = createGrpcTransport({ connect, clock: COMMON.clock })
  return createStoreOver({ endpoints, transport, ...COMMON, ...more })
}

/** A store over the gRPC of npm etcd3. @param endpoints As for {@link openGatewayStore}. */
export async function openEtcd3Store(
  endpoints: readonly string[],
  more: Partial<Parameters<typeof createEtcdStore>[0]> = {},
): Promise<Store> {
  const urls = endpoints.map((url) => url.replace(/^http/, 'grpc'))
  // Loaded by those who use it: etcd3 takes as long as a unit test.
  const grpc = await import('#shared/store/etcd/etcd3.ts')
  return grpc.createEtcdStore({ endpoints: urls, ...COMMON, ...more })
}
