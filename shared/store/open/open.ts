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
import type { EtcdStoreParts } from '../etcd/store.ts'
import type { StoreBackup } from '../maintenance.ts'
import type { Store } from '../store.ts'
import { parseStoreAddress } from './address.ts'

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
  if (bearer !== undefined && parsed.kind !== 'gateway') {
    throw new AvisoError(
      'ERR_CONFIG',
      'vars.storeTokenEnv is for a store that is another Aviso: give its address as http://host:8080, or leave the token out',
    )
  }
  const auth = parts.auth === undefined ? {} : { auth: parts.auth }
  switch (parsed.kind) {
    case 'embedded': {
      const { openEmbeddedStore } = await import('../embedded/store.ts')
      const { refuseLoss } = await import('../embedded/loss.ts')
      const folder = parsed.place === 'memory' ? undefined : parts.dataFolder
      const database = await platform.openDatabase(folder, {
        check: (look) => {
          if (!acceptLoss) refuseLoss(look)
        },
        warn: (message) => logger('warn', message),
      })
      return openEmbeddedStore(database, { clock, logger, ...(acceptLoss && { acceptLoss: platform }) })
    }
    case 'gateway': {
      const { endpoints } = parsed
      const { unary: fetch, watch: watchFetch } = platform.storeFetch
      const gateway = { endpoints, fetch, watchFetch, clock, random: platform.random, logger }
      if (bearer !== undefined) {
        return (await import('../etcd/relayed_store.ts')).createRelayedStore({ ...gateway, bearer })
      }
      return (await import('../etcd/gateway.ts')).createGatewayStore({ ...gateway, ...auth })
    }
    case 'grpc': {
      const { endpoints } = parsed
      const { createEtcdStore } = await loadGrpc()
      return createEtcdStore({ endpoints, clock, random: platform.random, logger, ...auth })
    }
  }
}

/** What is used of `etcd/grpc.ts`. */
interface GrpcModule {
  createEtcdStore(parts: Omit<EtcdStoreParts, 'transport'>): Store
}

/** @throws {AvisoError} `ERR_CONFIG` where gRPC cannot be loaded. */
async function loadGrpc(): Promise<GrpcModule> {
  // Not written where it is imported: a bundle for workerd must not hold it, nor its types bring those of Node.
  const path = '../etcd/grpc.ts'
  try {
    return (await import(path)) as GrpcModule
  } catch (cause) {
    const message = 'gRPC cannot be used here: give the address of the store as http://host:2379'
    throw new AvisoError('ERR_CONFIG', message, { cause })
  }
}
