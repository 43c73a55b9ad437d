/**
 * Requests that Node takes and that have two readings: refused before anything is made of them.
 *
 * `new URL()` turns `/v3/x/../kv/range` and `/v3\kv` into other paths than a proxy in front has seen, `POST http://other/v3/kv/range` names
 * another host, and of two `Host` headers each could be the one that a proxy or the application believes. An absolute form that names the same host as `Host`
 * has one reading.
 *
 * @module
 */

import type { IncomingMessage } from 'node:http'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { asProblem } from '#shared/http/problem.ts'

/** Dots as a segment, in any spelling; a backslash; two slashes at the start. */
const AMBIGUOUS_PATH = /(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$)|\\|^\/\//i

/** Why a request is refused. */
export type Ambiguity = 'path' | 'host'

/** A target in absolute form, which every server must take (RFC 9112 §3.2.2). */
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i

/** The target in origin form, with the authority that it names; none: it was in origin form. */
export function readTarget(target: string): { readonly target: string; readonly authority?: string } {
  const match = target.startsWith('/') ? null : ABSOLUTE.exec(target)
  if (match === null) return { target }
  const [, authority = '', rest = ''] = match
  return { target: rest.startsWith('/') ? rest : `/${rest}`, authority }
}

/** What has two readings in a request, or `undefined`. The authority of an absolute form must be that of `Host` (RFC 9112 §3.2). */
export function ambiguityOf({
  url = '',
  rawHeaders,
}: Pick<IncomingMessage, 'url' | 'rawHeaders'>): Ambiguity | undefined {
  const { target, authority } = readTarget(url)
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (!path.startsWith('/') || AMBIGUOUS_PATH.test(path)) return 'path'
  let hosts = 0
  let host: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.length !== 4 || rawHeaders[index]?.toLowerCase() !== 'host') continue
    hosts++
    host = rawHeaders[index + 1]
  }
  if (hosts > 1) return 'host'
  return authority === undefined || authority.toLowerCase() === host?.toLowerCase() ? undefined : 'path'
}

const ANSWERS: Readonly<Record<Ambiguity, readonly [status: number, code: string, message: string]>> = {
  // As for any path that is not there.
  path: [404, 'ERR_NOT_FOUND', 'There is nothing at this path'],
  host: [400, 'ERR_BAD_REQUEST', 'Send one Host header'],
}

/** The answer to such a request, in the form of all errors. @param random Makes its id: one that it names is not read. */
export function refuseAmbiguity(
  request: Pick<HandlerRequest, 'headers'>,
  ambiguity: Ambiguity,
  random: () => string,
): Answer {
  const [status, code, message] = ANSWERS[ambiguity]
  const id = random()
  return asProblem(request, {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': id,
    },
    body: JSON.stringify({ message, code, detail: message, error: code, request_id: id }),
  })
}

/** The answer to `OPTIONS *`, which asks about the server as a whole (RFC 9110 §9.3.7); `undefined` for any other request. */
export function answerAsterisk({ method, url }: Pick<IncomingMessage, 'method' | 'url'>): Answer | undefined {
  if (method !== 'OPTIONS' || url !== '*') return undefined
  return { status: 204, headers: { allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS' }, body: null }
}
