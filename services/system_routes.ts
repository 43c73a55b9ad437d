/**
 * Path → service, as the configuration says, plus the health routes every process answers.
 *
 * @module
 */

import type { Config, ServiceName } from '#shared/config/config.ts'
import { AvisoError } from '#shared/errors.ts'
import { errorResponse, jsonResponse } from '#shared/http/respond.ts'
import type { FetchHandler } from '#shared/runtime/runtime.ts'
import type { Logger } from '#shared/telemetry/logger.ts'

/** What a readiness probe is told. */
export interface Readiness {
  /** Whether the store answered just now. */
  readonly connected: boolean
  /** Open listener streams. */
  readonly streams: number
}

/** What the router asks of the system. */
export interface RouterParts {
  readonly dispatch: (service: ServiceName) => FetchHandler
  readonly readiness: () => Promise<Readiness>
  readonly parts: { readonly random: () => string; readonly logger: Logger }
}

/** A handler over the routes of the given services. The path is compared as it was sent: nothing is normalised. */
export function createRouter(
  config: Config,
  services: readonly ServiceName[],
  router: RouterParts,
): FetchHandler {
  const exact = new Map<string, FetchHandler>()
  const prefixes: { readonly prefix: string; readonly handler: FetchHandler }[] = []
  for (const service of services) {
    const handler = router.dispatch(service)
    for (const route of config.services[service].routes) {
      if (route.endsWith('*')) prefixes.push({ prefix: route.slice(0, -1), handler })
      else exact.set(route, handler)
    }
  }
  prefixes.sort((a, b) => b.prefix.length - a.prefix.length)
  return async (request) => {
    const path = pathOf(request.url)
    const handler = exact.get(path) ?? prefixes.find(({ prefix }) => path.startsWith(prefix))?.handler
    return handler === undefined ? own(path, request, router) : handler(request)
  }
}

async function own(path: string, request: Request, { readiness, parts }: RouterParts): Promise<Response> {
  const context = { requestId: parts.random(), logger: parts.logger }
  const known = path === '/health' || path === '/livez' || path === '/ready' || path === '/readyz'
  if (!known)
    return errorResponse(new AvisoError('ERR_NOT_FOUND', 'No service here answers this path'), context)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const refused = errorResponse(new AvisoError('ERR_METHOD_NOT_ALLOWED', 'Use GET here'), context)
    refused.headers.set('Allow', 'GET, HEAD')
    return refused
  }
  if (path === '/health' || path === '/livez') return jsonResponse(200, { status: 'ok' })
  const { connected, streams } = await readiness()
  return jsonResponse(connected ? 200 : 503, {
    status: connected ? 'ready' : 'not_ready',
    backend_connected: connected,
    streams,
  })
}

/** The raw path of an absolute URL: from the first slash behind the authority to `?` or `#`. */
function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  if (start === -1) return '/'
  const end = url.slice(start).search(/[?#]/)
  return end === -1 ? url.slice(start) : url.slice(start, start + end)
}
