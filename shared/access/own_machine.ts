/**
 * The door of a service without identities: it is for programs and people on this machine, and not for web pages that their browsers show.
 *
 * A page of any site can send requests to loopback. Three things keep it out. The name in `Host` must be one of this machine, so a page that
 * lets its own name point to loopback (DNS rebinding) is not of our origin. No answer lets pages of other origins read it. Writes by such
 * pages are refused, by what browsers say of a request and a page cannot change: `Origin` and `Sec-Fetch-Site`. Programs send neither.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Answer, Handler, HandlerRequest } from '#shared/handler.ts'

/** Why a request is not let in. */
export type Foreign = 'host' | 'page'

export interface OwnMachineParts {
  /** Public address of the service: its host is accepted too. A function, because a free port is known only after listening. */
  readonly baseUrl: () => string
  /** Answers a request that is not let in. */
  readonly refuse: (request: HandlerRequest, error: AvisoError, foreign: Foreign) => Answer
}

/** Names of loopback with any port. Any other name can be made to lead here by its owner. */
const LOOPBACK_HOST =
  /^(?:localhost|127(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}|\[::1\])(?::\d{1,5})?$/i
const READING_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS']
/** What `Sec-Fetch-Site` says of pages of our own origin, and of what a person typed. */
const OWN_SITES: readonly string[] = ['same-origin', 'none']
const CORS_HEADER = 'access-control-allow-origin'

/** A handler that lets in only what comes from this machine. */
export function forOwnMachine(handler: Handler, { baseUrl, refuse }: OwnMachineParts): Handler {
  return async (request) => {
    const host = hostOf(request)
    if (!LOOPBACK_HOST.test(host) && host !== hostIn(baseUrl())) return refuse(request, misdirected(), 'host')
    if (isForeignWrite(request, host)) return refuse(request, foreignPage(), 'page')
    return withoutCors(await handler(request))
  }
}

/** The name and port that the client asked for, in lower case. */
function hostOf({ headers, url }: HandlerRequest): string {
  return headers.get('host')?.toLowerCase() ?? hostIn(url)
}

/** Name and port of an address; empty when it has none, which is no host. */
function hostIn(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}

function isForeignWrite({ method, headers }: HandlerRequest, host: string): boolean {
  if (READING_METHODS.includes(method)) return false
  const site = headers.get('sec-fetch-site')
  if (site !== null && !OWN_SITES.includes(site.toLowerCase())) return true
  const origin = headers.get('origin')
  // The scheme is left out: a proxy on this machine may take https, and pass http on. The origin "null" has no host.
  return origin !== null && (host === '' || hostIn(origin) !== hostIn(`http://${host}`))
}

function withoutCors(answer: Answer): Answer {
  if (answer.headers[CORS_HEADER] === undefined) return answer
  const { [CORS_HEADER]: _allowed, ...headers } = answer.headers
  return { ...answer, headers }
}

function misdirected(): AvisoError {
  return new AvisoError(
    'ERR_MISDIRECTED',
    'Without identities this service answers only to the names of its own machine: use http://127.0.0.1 or http://localhost, or configure vars.baseUrl or vars.identity',
  )
}

function foreignPage(): AvisoError {
  return new AvisoError('ERR_FORBIDDEN', 'Web pages of other origins cannot change anything here')
}
