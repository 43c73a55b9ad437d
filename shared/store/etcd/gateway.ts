/**
 * The store port over etcd's JSON gateway, with nothing but a `fetch`: the main adapter, on every runtime.
 *
 * Flow: ingest → **store** → hub → listener
 *
 * @see https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/
 * @module
 */

import { createHttpTransport, type HttpTransportParts } from './http.ts'
import { createStoreOver, type EtcdStoreParts } from './store.ts'
import type { Store } from '../store.ts'

/** What the store is made with. Its addresses look like `http://10.0.0.1:2379`. */
export interface GatewayStoreParts extends Omit<EtcdStoreParts, 'transport'>, HttpTransportParts {}

/** Makes the store. Nothing is asked of etcd before the first call. */
export function createGatewayStore(parts: GatewayStoreParts): Store {
  return createStoreOver({ ...parts, transport: createHttpTransport(parts) })
}
