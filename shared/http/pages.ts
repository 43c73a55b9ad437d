/**
 * Which web pages may read what the service answers (CORS, the Fetch standard §3.3), by configuration.
 *
 * A browser sends a page's requests anyway, and asks before those with a credential ("preflight"). What it reads here decides whether the
 * page sees the answer. Cookies are not used, so no answer allows credentials of the browser's own.
 *
 * @module
 */

import type { Answer, Handler, HandlerRequest } from '#shared/handler.ts'
import { addVary } from './vary.ts'

/** Origins of pages. */
export interface PageOrigins {
  /** Whether pages of this origin may read answers. */
  readonly mayRead: (origin: string) => boolean
  /** Whether the configuration names this origin, so that its pages may also publish. `*` names none. */
  readonly isNamed: (origin: string) => boolean
  /** Whether every page may read, so that one answer is for all. */
  readonly isOpen: boolean
}

/** Any origin, in the configuration. */
export const ANY_ORIGIN = '*'

/** Headers of requests that pages may send besides those that are always allowed. `Authorization` has to be named. */
const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'Last-Event-ID',
  'Accept',
  'X-Auth-Type',
  'X-Request-ID',
  'Idempotency-Key',
  'If-None-Match',
  'traceparent',
  'ce-id',
  'ce-source',
  'ce-specversion',
  'ce-time',
  'ce-type',
].join(', ')
/** Headers of answers that pages may read besides those that are always readable. */
const EXPOSED_HEADERS = [
  'X-Request-ID',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'WWW-Authenticate',
  'Allow',
  'ETag',
  'Idempotent-Replay',
].join(', ')
/** How long a browser remembers a preflight: Chromium's limit. It decides nothing about the answers themselves. */
const MAX_AGE_SECONDS = 7_200
const ALLOW_ORIGIN = 'access-control-allow-origin'
/** Where nothing says which methods a path has, for example because the store cannot be reached yet. */
const ALL_METHODS = 'GET, HEAD, POST, PUT, DELETE, OPTIONS'

/** @param allowed Origins such as `https://pages.example`, or {@link ANY_ORIGIN}. */
export function createPageOrigins(allowed: readonly string[]): PageOrigins {
  const named = new Set(
    allowed.filter((origin) => origin !== ANY_ORIGIN).map((origin) => new URL(origin).origin),
  )
  const isOpen = allowed.includes(ANY_ORIGIN)
  return { isOpen, isNamed: (origin) => named.has(origin), mayRead: (origin) => isOpen || named.has(origin) }
}

/**
 * A handler whose answers, refusals included, pages of allowed origins may read.
 *
 * A preflight of such a page is always answered 204: the browser hides every other answer to it, and then the page would not learn what is
 * wrong with its request.
 */
export function forPages(handler: Handler, origins: PageOrigins): Handler {
  return async (request) => {
    const answer = withOrigin(await handler(request), request, origins)
    const isAllowed = answer.headers[ALLOW_ORIGIN] !== undefined
    return isAllowed && isPreflight(request) ? toPreflight(answer) : answer
  }
}

function withOrigin(
  { status, headers, body }: Answer,
  request: HandlerRequest,
  origins: PageOrigins,
): Answer {
  const { [ALLOW_ORIGIN]: _own, ...rest } = headers
  const origin = request.headers.get('origin')
  const shown = origins.isOpen ? ANY_ORIGIN : origin !== null && origins.mayRead(origin) ? origin : undefined
  return {
    status,
    headers: {
      ...(origins.isOpen ? rest : addVary(rest, 'Origin')),
      ...(shown !== undefined && { [ALLOW_ORIGIN]: shown, 'access-control-expose-headers': EXPOSED_HEADERS }),
    },
    body,
  }
}

function isPreflight({ method, headers }: HandlerRequest): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method')
}

function toPreflight({ headers }: Answer): Answer {
  const { [ALLOW_ORIGIN]: origin = '', allow = ALL_METHODS, vary, 'x-request-id': requestId } = headers
  return {
    status: 204,
    headers: {
      allow,
      ...(requestId !== undefined && { 'x-request-id': requestId }),
      ...(vary !== undefined && { vary }),
      [ALLOW_ORIGIN]: origin,
      'access-control-allow-methods': allow,
      'access-control-allow-headers': ALLOWED_HEADERS,
      'access-control-max-age': String(MAX_AGE_SECONDS),
      'cache-control': 'no-store',
    },
    body: null,
  }
}
