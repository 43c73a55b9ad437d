/**
 * Where a request comes from: which part of `X-Forwarded-For` is believed, and what counts as one place.
 *
 * @module
 */

/** The parts of an IPv6 address that one customer of a network is given: the last half is theirs to choose. */
const NETWORK_GROUPS = 4

/** A key for everything that comes from one place: the address, and of IPv6 the network alone. */
export function networkOf(address: string): string {
  const [mapped = address] = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.slice(1) ?? []
  if (!mapped.includes(':')) return mapped
  const [head = '', tail] = mapped.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - behind.length) }, () => '0')
  return [...groups, ...(tail === undefined ? [] : zeros), ...behind].slice(0, NETWORK_GROUPS).join(':')
}

/**
 * Addresses as the proxies in front tell them: each adds the one it was called from, so the last ones are theirs. A client can invent the
 * ones before.
 *
 * @param trustedProxies How many proxies of the operator a request passes; with 0 the header is not read.
 * @param peerOf The other end of a request's connection, where the runtime knows it.
 * @returns the network of a request's client, or `undefined` where its address is not known.
 */
export function createAddressOf(
  trustedProxies: number,
  peerOf: (request: Request) => string | undefined = () => undefined,
): (request: Request) => string | undefined {
  return (request) => {
    const told = request.headers.get('x-forwarded-for')?.split(',') ?? []
    const address = (trustedProxies === 0 ? undefined : told.at(-trustedProxies)?.trim()) ?? peerOf(request)
    return address === undefined ? undefined : networkOf(address)
  }
}
