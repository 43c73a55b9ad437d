/**
 * Shapes of settings that identity and policy share.
 *
 * @module
 */

import * as v from 'valibot'
import { isLoopback } from '#shared/config/shapes.ts'

/** Longest time to believe another server's answer about a user. With the checks of streams, a revocation is noticed within 65 s. */
export const MAX_CACHE_SECONDS = 30

/** A name. */
export const text = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(256),
  v.regex(/^\S(?:[\s\S]*\S)?$/, 'Must not begin or end with white space'),
)

/** A realm: it stands between quotes in `WWW-Authenticate`. */
export const realm = v.pipe(
  text,
  v.regex(/^[\w .:/@-]{1,64}$/, 'A realm has letters, digits and . : / @ - _ only'),
)

/** `*` stands for every realm. */
export const anyRealm = v.union([v.literal('*'), realm])

export const cacheSeconds = v.optional(
  v.pipe(
    v.number(),
    v.minValue(1),
    v.maxValue(MAX_CACHE_SECONDS),
    v.metadata({ unit: 'seconds' }),
    v.description('An answer of the server is believed for this long'),
  ),
  MAX_CACHE_SECONDS,
)

/** An address of another server, without credentials, query or fragment. */
export const address = v.pipe(
  v.string(),
  v.url(),
  v.check((value) => {
    // `v.url` has already reported a text that is not an address.
    if (!URL.canParse(value)) return true
    const { protocol, username, password, search, hash } = new URL(value)
    return /^https?:$/.test(protocol) && username === '' && password === '' && search === '' && hash === ''
  }, 'An http(s) address without credentials, query or fragment'),
)

/** Allows http to another machine, for example to a server in the same cluster. */
export const plaintext = v.optional(
  v.pipe(
    v.boolean(),
    v.description('Allow http to another machine, because the network in between is trusted'),
  ),
  false,
)

/** @returns whether credentials are safe on the way to this address. */
export function isReachedSafely(url: string | undefined, allowPlaintext: boolean): boolean {
  if (url === undefined || allowPlaintext || !URL.canParse(url)) return true
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))
}

export const UNSAFE =
  'http is for loopback; use https, or say "plaintext": true if the network in between is trusted'
