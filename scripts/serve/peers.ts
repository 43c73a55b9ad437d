/**
 * Addresses at the other end of connections, for as long as their requests live.
 *
 * @module
 */

/** Remembers addresses. */
export interface Peers {
  note(request: Request, address: string): void
  of(request: Request): string | undefined
}

export function createPeers(): Peers {
  const addresses = new WeakMap<Request, string>()
  return {
    note: (request, address) => {
      addresses.set(request, address)
    },
    of: (request) => addresses.get(request),
  }
}
