/**
 * Exact-path routing with itty-router: makes a handler from a route table. The handler answers 404, 405 (with `Allow`), 406 and every
 * thrown error in the JSON form of `respond.ts`. It answers HEAD on every GET route and OPTIONS on every path, and adds `X-Request-ID` to
 * every answer.
 *
 * @module
 */

import { Router } from 'itty-router'
import { AvisoError } from '#shared/errors.ts'
import { cancelBody, type Answer, type Handler, type HandlerRequest } from '#shared/handler.ts'
import type { Logger } from '#shared/logger.ts'
import { chooseType } from './accept.ts'
import { asProblem, PROBLEM_TYPE } from './problem.ts'
import { errorResponse, requestIdOf } from './respond.ts'
import type { WireGeneration } from './respond.ts'

/** What a route's handler gets besides the request. */
export interface RouteContext {
  readonly requestId: string
  /** Values of `:name` segments, raw (still percent-encoded). */
  readonly params: Readonly<Record<string, string | undefined>>
}

/** Answers a request, or throws an `AvisoError`. */
export type RouteHandler = (request: HandlerRequest, context: RouteContext) => Promise<Answer> | Answer

/** One line of a route table. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** itty-router pattern; literal segments match byte for byte. */
  readonly path: string
  /** Name of its description in the `doc.ts` of its room (`shared/http/doc.ts`), from which the document of the API is made. */
  readonly doc: string
  readonly handle: RouteHandler
  /** Also answer `path/`. Default: 404, so that a trailing slash cannot bypass a proxy's rule for the path. */
  readonly trailingSlash?: boolean
  /**
   * Media types that a GET can answer with, the preferred first: a client that takes none of them is refused. Absent: `Accept` is not looked
   * at, or the route does it. What a write answers with is not judged, because the write matters more (RFC 9110 §12.5.1 allows both).
   */
  readonly offers?: readonly string[]
  /** Wire form of this route's errors. Default: 1. */
  readonly generation?: WireGeneration
}

export interface RouterOptions {
  readonly random: () => string
  readonly logger: Logger
}

/** What there is to describe of a route. */
export type KnownRoute = Pick<Route, 'method' | 'path' | 'doc'>

/** A handler that can say which routes it has. */
export interface RoutedHandler extends Handler {
  readonly routes: readonly KnownRoute[]
}

/** A handler with the routes that it answers. */
export function withRoutes(handle: Handler, routes: readonly KnownRoute[]): RoutedHandler {
  return Object.assign(handle, { routes })
}

/** What routes with a JSON answer offer; their errors may be problem details. */
export const OFFERS_JSON: readonly string[] = ['application/json', PROBLEM_TYPE]

const VERBS = { GET: 'get', POST: 'post', PUT: 'put', DELETE: 'delete', HEAD: 'head' } as const

/** The path of an absolute URL as the client sent it, without query or fragment. */
export function rawPath(url: string): string {
  const authority = url.indexOf('://') + 3
  const length = url.slice(authority).search(/[?#]/)
  const end = length === -1 ? url.length : authority + length
  const start = url.indexOf('/', authority)
  return start === -1 || start > end ? '/' : url.slice(start, end)
}

/** itty's patterns accept any number of trailing slashes. Here one is accepted, and only if the route allows it. */
function accepts(route: Route, url: string): boolean {
  const path = rawPath(url)
  if (!path.endsWith('/') || path === '/') return true
  return route.trailingSlash === true && !path.endsWith('//')
}

function withoutBody({ status, headers, body }: Answer): Answer {
  cancelBody(body)
  return { status, headers, body: null }
}

/** The object that itty-router reads and changes, so that the request itself stays unchanged. */
interface Routed {
  readonly method: string
  readonly url: string
  readonly request: HandlerRequest
  /** Set when a pattern matches. */
  readonly params?: RouteContext['params']
}

/** @returns a handler that never rejects. */
export function createRouter(routes: readonly Route[], options: RouterOptions): RoutedHandler {
  const { logger, random } = options
  const router = Router<Routed, [string], Answer | undefined>()

  /** What the path of each route is compared with. */
  const patterns: (RegExp | undefined)[] = []
  /** Handlers by method and path, of routes whose path is text: the router makes a URL of each address, and looks at one route after the other. */
  const exact = new Map<string, (routed: Routed, requestId: string) => Promise<Answer | undefined>>()
  for (const route of routes) {
    const handle = async (
      { request, params = {} }: Routed,
      requestId: string,
    ): Promise<Answer | undefined> => {
      if (!accepts(route, request.url)) return undefined
      try {
        requireAcceptable(route, request)
        return await route.handle(request, { requestId, params })
      } catch (error) {
        return errorResponse(error, { requestId, logger, generation: route.generation ?? 1 })
      }
    }
    const isText = !/[:*]/.test(route.path)
    const methods = route.method === 'GET' ? (['GET', 'HEAD'] as const) : [route.method]
    for (const method of methods) {
      const isFirst = !router.routes.some(([other, pattern]) => other === method && pattern.test(route.path))
      if (isText && isFirst) exact.set(`${method} ${route.path}`, handle)
      router[VERBS[method]](route.path, handle)
    }
    patterns.push(router.routes.at(-1)?.[1])
  }

  /** Answers OPTIONS, and refuses every other method. @throws {AvisoError} `ERR_NOT_FOUND`, `ERR_METHOD_NOT_ALLOWED`. */
  const answerOther = (request: HandlerRequest): Answer => {
    const path = rawPath(request.url)
    const found = routes.filter((route, index) => accepts(route, request.url) && patterns[index]?.test(path))
    if (found.length === 0) throw new AvisoError('ERR_NOT_FOUND', 'There is nothing at this path')
    const methods = found.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]))
    const allow = [...new Set(methods), 'OPTIONS'].join(', ')
    if (request.method === 'OPTIONS') return optionsAnswer(allow)
    throw new AvisoError('ERR_METHOD_NOT_ALLOWED', `This path answers ${allow} only`, { details: { allow } })
  }
  const answerOrRefuse = async (request: HandlerRequest, requestId: string): Promise<Answer> => {
    try {
      const { method, url } = request
      const found = exact.get(`${method} ${rawPath(url)}`)
      const asked = { method, url, request }
      const routed: Answer | undefined = await (found?.(asked, requestId) ?? router.fetch(asked, requestId))
      const answer = routed ?? answerOther(request)
      return { ...answer, headers: { 'x-request-id': requestId, ...answer.headers } }
    } catch (error) {
      return errorResponse(error, { requestId, logger })
    }
  }

  const handle: Handler = async (request) => {
    const answer = asProblem(request, await answerOrRefuse(request, requestIdOf(request, random)))
    return request.method === 'HEAD' ? withoutBody(answer) : answer
  }
  return withRoutes(handle, routes)
}

/** The answer to OPTIONS (RFC 9110 §9.3.7). @param allow Value of `Allow`. */
export function optionsAnswer(allow: string): Answer {
  return { status: 204, headers: { allow, 'cache-control': 'no-store' }, body: null }
}

/** @throws {AvisoError} `ERR_NOT_ACCEPTABLE` for a client that takes nothing of what a GET can answer with. */
function requireAcceptable({ method, offers }: Route, { headers }: HandlerRequest): void {
  if (method !== 'GET' || offers === undefined || chooseType(headers.get('accept'), offers) !== undefined)
    return
  const [first = ''] = offers
  throw new AvisoError('ERR_NOT_ACCEPTABLE', `This path answers with ${first}, which Accept does not take`, {
    details: { offers: first },
  })
}
