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
  /** etcd's JSON gateway, or another Aviso. */
  | { readonly kind: 'gateway'; readonly endpoints: readonly string[] }
  /** etcd by gRPC. `gateways` are the same members by HTTP, which etcd answers on the same port. */
  | { readonly kind: 'grpc'; readonly endpoints: readonly string[]; readonly gateways: readonly string[] }

/**
 * Reads an address.
 *
 * @param text `embedded:`, `embedded:memory`, `http://a:2379,http://b:2379` (etcd's JSON gateway, or another Aviso) or `grpc://a:2379,…`.
 * @throws {AvisoError} `ERR_CONFIG` for any other text.
 */
export function parseStoreAddress(text: string): StoreAddress {
  if (text === 'embedded:') return { kind: 'embedded', place: 'disk' }
  if (text === 'embedded:memory') return { kind: 'embedded', place: 'memory' }
  if (/^https?:/.test(text)) return { kind: 'gateway', endpoints: endpointsOf(text, /^https?:$/) }
  if (/^grpcs?:/.test(text)) {
    const endpoints = endpointsOf(text, /^grpcs?:$/)
    return { kind: 'grpc', endpoints, gateways: endpoints.map((url) => url.replace(/^grpc/, 'http')) }
  }
  throw unusable(text)
}

function endpointsOf(list: string, protocol: RegExp): string[] {
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
