/**
 * Finds the address at the other end of a request that a runtime's own server hands to a Fetch handler.
 *
 * @module
 */

/** What `bun FILE` gives beside the request. */
interface BunServer {
  requestIP(request: Request): { readonly address: string } | null
}

/**
 * @param beside The second argument of the Fetch handler: an address on Deno, the server on Bun.
 * @returns the address; `undefined` where the server does not tell it
 */
export function peerOf(request: Request, beside: unknown): string | undefined {
  if (isBunServer(beside)) return beside.requestIP(request)?.address
  if (hasMember(beside, 'remoteAddr') && hasMember(beside.remoteAddr, 'hostname'))
    return textOf(beside.remoteAddr.hostname)
  // As servers for Fetch handlers do that give nothing beside the request.
  return hasMember(request, 'ip') ? textOf(request.ip) : undefined
}

function isBunServer(value: unknown): value is BunServer {
  return hasMember(value, 'requestIP') && typeof value.requestIP === 'function'
}

function hasMember<const Name extends string>(
  value: unknown,
  name: Name,
): value is Readonly<Record<Name, unknown>> {
  return typeof value === 'object' && value !== null && name in value
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
