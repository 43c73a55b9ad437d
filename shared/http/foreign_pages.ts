/**
 * Keeps pages of other sites away from routes for operators: a browser sends what such a page asks with credentials that it remembers.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'

/**
 * Programs send neither `Origin` nor `Sec-Fetch-Site`.
 *
 * @throws {AvisoError} `ERR_FORBIDDEN` for a request of a page of another site.
 */
export function refuseForeignPages({ headers, url }: HandlerRequest): void {
  const site = headers.get('sec-fetch-site')
  const origin = headers.get('origin')
  const isForeign =
    origin !== null &&
    (!URL.canParse(origin) || new URL(origin).host !== (headers.get('host') ?? new URL(url).host))
  if (isForeign || site === 'cross-site' || site === 'same-site')
    throw new AvisoError('ERR_FORBIDDEN', 'Web pages of other sites cannot call the admin service')
}
