/**
 * Requests that Node takes and that have two readings: refused before anything is made of them.
 *
 * `new URL()` turns `/v3/x/../kv/range` and `/v3\kv` into other paths than a proxy in front has seen, `POST http://other/v3/kv/range` names
 * another host, and of two `Host` headers each could be the one that a proxy or the application believes.
 *
 * @module
 */

import type { IncomingMessage } from 'node:http'
import type { Answer } from '#shared/handler.ts'

/** Dots as a segment, in any spelling; a backslash; two slashes at the start. */
const AMBIGUOUS_PATH = /(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$)|\\|^\/\//i

/** Why a request is refused. */
export type Ambiguity = 'path' | 'host'

/** What has two readings in a request, or `undefined`. */
export function ambiguityOf({
  url = '',
  rawHeaders,
}: Pick<IncomingMessage, 'url' | 'rawHeaders'>): Ambiguity | undefined {
  const query = url.indexOf('?')
  const path = query === -1 ? url : url.slice(0, query)
  if (!path.startsWith('/') || AMBIGUOUS_PATH.test(path)) return 'path'
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.length === 4 && rawHeaders[index]?.toLowerCase() === 'host') hosts++
  }
  return hosts > 1 ? 'host' : undefined
}

const ANSWERS: Readonly<Record<Ambiguity, readonly [status: number, code: string, message: string]>> = {
  // As for any path that is not there.
  path: [404, 'ERR_NOT_FOUND', 'There is nothing at this path'],
  host: [400, 'ERR_BAD_REQUEST', 'Send one Host header'],
}

/** The answer to such a request. */
export function refuseAmbiguity(ambiguity: Ambiguity): Answer {
  const [status, code, message] = ANSWERS[ambiguity]
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify({ message, detail: message, code }),
  }
}
