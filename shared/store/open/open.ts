/**
 * Store address → {@link Store}. Adapters are loaded only when asked for.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { EtcdStoreParts } from '../etcd/store.ts'
import type { Store } from '../store.ts'

/** What the adapters are made with. */
export interface OpenStoreParts {
  readonly platform: Platform
  /** Folder of the embedded store. */
  readonly dataFolder: string
  readonly clock: Clock
  readonly logger: Logger
  /** etcd user and password. */
  readonly auth?: { readonly name: string; readonly password: string }
  /** Token for a store that is another Aviso, asked for with every request. */
  readonly bearer?: () => string
}

/**
 * Opens a store.
 *
 * @param address `embedded:`, `embedded:memory`, `http://a:2379,http://b:2379` (etcd's JSON gateway, or another Aviso) or
 *   `grpc://a:2379,…`.
 * @throws {AvisoError} `ERR_CONFIG` for any other address, or a database that cannot be opened.
 */
export async function openStore(address: string, parts: OpenStoreParts): Promise<Store> {
  const { clock, logger, platform, bearer } = parts
  if (bearer !== undefined && !/^https?:/.test(address)) {
    throw new AvisoError(
      'ERR_CONFIG',
      'vars.storeTokenEnv is for a store that is another Aviso: give its address as http://host:8080, or leave the token out',
    )
  }
  if (address === 'embedded:memory')
    return (await import('../embedded/memory.ts')).createMemoryStore({ clock })
  if (address === 'embedded:') {
    const { openEmbeddedStore } = await import('../embedded/embedded.ts')
    return openEmbeddedStore(await platform.openDatabase(parts.dataFolder), { clock, logger })
  }
  const auth = parts.auth === undefined ? {} : { auth: parts.auth }
  if (/^https?:/.test(address)) {
    const endpoints = addresses(address, /^https?:$/)
    const { unary: fetch, watch: watchFetch } = platform.storeFetch
    const gateway = { endpoints, fetch, watchFetch, clock, random: platform.random, logger }
    if (bearer !== undefined) {
      return (await import('../etcd/relayed_store.ts')).createRelayedStore({ ...gateway, bearer })
    }
    return (await import('../etcd/gateway.ts')).createGatewayStore({ ...gateway, ...auth })
  }
  if (/^grpcs?:/.test(address)) {
    const endpoints = addresses(address, /^grpcs?:$/)
    const { createEtcdStore } = await loadGrpc()
    return createEtcdStore({ endpoints, clock, random: platform.random, logger, ...auth })
  }
  throw unusable(address)
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

function addresses(list: string, protocol: RegExp): string[] {
  return list.split(',').map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    const plain =
      url !== undefined &&
      protocol.test(url.protocol) &&
      url.username === '' &&
      url.search === '' &&
      /^\/?$/.test(url.pathname)
    if (!plain) throw unusable(list)
    return `${url.protocol}//${url.host}`
  })
}

function unusable(address: string): AvisoError {
  const shown = address.replaceAll(/\/\/[^/@]*@/g, '//…@')
  return new AvisoError(
    'ERR_CONFIG',
    `Cannot use "${shown}" as a store: give embedded:, embedded:memory, http://host:2379[,http://…] or grpc://host:2379[,…]`,
  )
}
