/**
 * Store address → {@link Store}. Adapters are loaded only when asked for.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { GatewayAuth } from '../etcd/login.ts'
import type { Secret } from '#shared/secret.ts'
import type { StoreBackup } from '../maintenance.ts'
import type { Store } from '../store.ts'
import { parseStoreAddress, type StoreAddress } from './address.ts'

/** What the adapters are made with. */
export interface OpenStoreParts {
  readonly platform: Platform
  /** Folder of the embedded store. */
  readonly dataFolder: string
  readonly clock: Clock
  readonly logger: Logger
  /** etcd user and password. */
  readonly auth?: GatewayAuth
  /** Whether an embedded store is opened that lost acknowledged writes. It then gets a new epoch. */
  readonly acceptLoss?: boolean
  /** Token for a store that is another Aviso, looked up for every request. */
  readonly bearer?: Secret
}

/**
 * Opens a store.
 *
 * @param address As `parseStoreAddress()` takes it.
 * @throws {AvisoError} `ERR_CONFIG` for any other address, or a database that cannot be opened or lost acknowledged writes.
 */
export async function openStore(
  address: string,
  parts: OpenStoreParts,
): Promise<Store & Partial<StoreBackup>> {
  const { clock, logger, platform, bearer, acceptLoss = false } = parts
  const parsed = parseStoreAddress(address)
  if (bearer !== undefined && parsed.kind !== 'http') {
    throw new AvisoError(
      'ERR_CONFIG',
      'vars.storeTokenEnv is for a store that is another Aviso: give its address as http://host:8080, or leave the token out',
    )
  }
  switch (parsed.kind) {
    case 'embedded': {
      const { openEmbeddedStore } = await import('../embedded/store.ts')
      const { refuseLoss } = await import('../embedded/loss.ts')
      const folder = parsed.place === 'memory' ? undefined : parts.dataFolder
      const isSalvaged = acceptLoss && folder !== undefined && (await salvageEmbedded(folder, parts))
      const isAccepted = acceptLoss && !isSalvaged
      const database = await platform.openDatabase(folder, {
        check: (look) => {
          if (!isAccepted) refuseLoss(look)
        },
        warn: (message) => logger('warn', message),
      })
      return openEmbeddedStore(database, { clock, logger, ...(isAccepted && { acceptLoss: platform }) })
    }
    default:
      return openEtcd(parsed, parts)
  }
}

/** @returns Whether pages of the embedded store were damaged: it then has what could be read of it, and a new epoch. */
async function salvageEmbedded(folder: string, parts: OpenStoreParts): Promise<boolean> {
  if (parts.platform.salvageDatabase === undefined) return false
  const { salvageStore } = await import('./salvage.ts')
  return salvageStore(folder, { ...parts, salvage: parts.platform.salvageDatabase })
}

/** Opens a store that is reached over the network. */
async function openEtcd(
  { kind, endpoints }: Exclude<StoreAddress, { readonly kind: 'embedded' }>,
  { clock, logger, platform, auth, bearer }: OpenStoreParts,
): Promise<Store> {
  const { unary: fetch, watch: watchFetch } = platform.storeFetch
  const { connectHttp2: connect, random } = platform
  const common = { endpoints, clock, random, logger, ...(auth !== undefined && { auth }) }
  if (bearer !== undefined) {
    const { createRelayedStore } = await import('../etcd/relayed_store.ts')
    return createRelayedStore({ endpoints, fetch, watchFetch, clock, random, logger, bearer })
  }
  if (kind === 'gateway' || (kind === 'http' && connect === undefined)) {
    const { createGatewayStore } = await import('../etcd/gateway.ts')
    return createGatewayStore({ ...common, fetch, watchFetch })
  }
  if (connect === undefined) {
    const message = 'gRPC cannot be used here: give the address of the store as http://host:2379'
    throw new AvisoError('ERR_CONFIG', message)
  }
  const { createGrpcTransport } = await import('../etcd/grpc_transport.ts')
  const { createStoreOver } = await import('../etcd/store.ts')
  const grpc = createGrpcTransport({ connect, clock })
  if (kind === 'grpc') return createStoreOver({ ...common, transport: grpc })
  const { createHttpTransport } = await import('../etcd/http.ts')
  const { createChosenTransport } = await import('../etcd/chosen_transport.ts')
  const gateway = createHttpTransport({ fetch, watchFetch, clock })
  return createStoreOver({ ...common, transport: createChosenTransport({ grpc, gateway, clock, logger }) })
}
