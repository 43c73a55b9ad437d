/**
 * The network that a request comes from: which part of `X-Forwarded-For` is believed, and which addresses count as one network.
 *
 * @module
 */

import type { HandlerRequest } from '#shared/handler.ts'

/** Groups of an IPv6 address that a provider assigns to one customer, who chooses the last four. */
const NETWORK_GROUPS = 4

/** The network of an address: an IPv4 address itself, or the first half of an IPv6 address. */
export function networkOf(address: string): string {
  const [mapped = address] = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.slice(1) ?? []
  if (!mapped.includes(':')) return mapped
  const [head = '', tail] = mapped.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - behind.length) }, () => '0')
  return [...groups, ...(tail === undefined ? [] : zeros), ...behind].slice(0, NETWORK_GROUPS).join(':')
}

/** Longest address that a proxy can have meant. */
const MAX_ADDRESS_CHARACTERS = 64

/**
 * Reads the client's address from the header that the proxies in front write. Each proxy adds the address that called it, so the last
 * addresses are from the operator's proxies. A client can invent the addresses before them.
 *
 * @param trustedProxies How many proxies of the operator a request passes; with 0 the header is not read.
 * @returns a function that gives the address of a request's client, or `undefined` when it is not known.
 */
export function createAddressOf(trustedProxies: number): (request: HandlerRequest) => string | undefined {
  return (request) => {
    const told = request.headers.get('x-forwarded-for')?.split(',') ?? []
    const address = (trustedProxies === 0 ? undefined : told.at(-trustedProxies)?.trim()) ?? request.peer
    return address?.slice(0, MAX_ADDRESS_CHARACTERS)
  }
}
