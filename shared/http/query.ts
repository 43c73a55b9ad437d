/**
 * Reads the query of an address, and the named parts of its path.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

/**
 * The parameters of an address. `URLSearchParams` alone would put U+FFFD in place of bytes that are no UTF-8, and so ask for something
 * that the client did not name.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for a parameter that is not percent-encoded UTF-8.
 */
export function readQuery(address: string): URLSearchParams {
  const { search, searchParams } = new URL(address)
  for (const pair of search.slice(1).split('&')) {
    if (isEncoded(pair)) continue
    const [name = ''] = pair.split('=')
    const shown = isEncoded(name) ? ` "${decodeURIComponent(name).slice(0, 64)}"` : ''
    throw new AvisoError('ERR_BAD_REQUEST', `The query parameter${shown} is not percent-encoded UTF-8`)
  }
  return searchParams
}

/**
 * The text of a named part of a path.
 *
 * @param name What messages call it.
 * @throws {AvisoError} `ERR_BAD_REQUEST` for a part that is not percent-encoded UTF-8.
 */
export function readSegment(segment: string, name: string): string {
  if (isEncoded(segment)) return decodeURIComponent(segment)
  throw new AvisoError('ERR_BAD_REQUEST', `The ${name} in the path is not percent-encoded UTF-8`)
}

function isEncoded(text: string): boolean {
  if (!text.includes('%')) return true
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
