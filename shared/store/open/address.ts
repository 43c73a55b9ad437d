/**
 * The address of a store, read once: which kind of store it is, and where.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

/** Where a store is. */
export type StoreAddress =
  /** SQLite in this process. */
  | { readonly kind: 'embedded'; readonly place: 'disk' | 'memory' }
  /** etcd by gRPC where that is to be had, otherwise by its JSON gateway; or another Aviso. */
  | { readonly kind: 'http'; readonly endpoints: readonly string[] }
  /** etcd by its JSON gateway alone. */
  | { readonly kind: 'gateway'; readonly endpoints: readonly string[] }
  /** etcd by gRPC alone. Members answer HTTP on the same port. */
  | { readonly kind: 'grpc'; readonly endpoints: readonly string[] }

/** Schemes → ways to etcd. Each has one for TLS, too. */
const SCHEMES = { 'http:': 'http', 'gateway:': 'gateway', 'grpc:': 'grpc' } as const

/**
 * Reads an address.
 *
 * @param text `embedded:`, `embedded:memory`, `http://a:2379,http://b:2379`, `gateway://a:2379,…` or `grpc://a:2379,…`.
 * @returns The kind, and the addresses of the members as `http://a:2379` or `https://a:2379`.
 * @throws {AvisoError} `ERR_CONFIG` for any other text.
 */
export function parseStoreAddress(text: string): StoreAddress {
  if (text === 'embedded:') return { kind: 'embedded', place: 'disk' }
  if (text === 'embedded:memory') return { kind: 'embedded', place: 'memory' }
  for (const [scheme, kind] of Object.entries(SCHEMES)) {
    const secure = scheme.replace(':', 's:')
    if (text.startsWith(scheme) || text.startsWith(secure))
      return { kind, endpoints: endpointsOf(text, { scheme, secure }) }
  }
  throw unusable(text)
}

/** A scheme, without and with TLS. */
interface Schemes {
  readonly scheme: string
  readonly secure: string
}

function endpointsOf(list: string, { scheme, secure }: Schemes): string[] {
  return list.split(',').map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    const plain =
      url !== undefined &&
      (url.protocol === scheme || url.protocol === secure) &&
      url.host !== '' &&
      url.username === '' &&
      url.search === '' &&
      /^\/?$/.test(url.pathname)
    if (!plain) throw unusable(list)
    return `${url.protocol === secure ? 'https' : 'http'}://${url.host}`
  })
}

function unusable(address: string): AvisoError {
  const shown = address.replaceAll(/\/\/[^/@]*@/g, '//…@')
  return new AvisoError(
    'ERR_CONFIG',
    `Cannot use "${shown}" as a store: give embedded:, embedded:memory, http://host:2379[,http://…], grpc://host:2379[,…] or gateway://host:2379[,…]`,
  )
}
