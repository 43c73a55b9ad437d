/**
 * Routes requests to services by path, as configured. Every process also answers the routes of health, metrics and documents, and what it has
 * on record.
 *
 * @module
 */

import type { Console } from '#services/console/console.ts'
import type { Config, ServiceName } from './settings.ts'
import type { Answer, Handler } from '#shared/handler.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { createRouter, rawPath, type Route } from '#shared/http/route.ts'
import type { Logger } from '#shared/logger.ts'
import type { Instruments } from './instruments.ts'

/** The answer to a readiness probe. */
export interface Readiness {
  /** Whether the store answered just now, and streams have an upstream. */
  readonly connected: boolean
  /** Open listener streams. */
  readonly streams: number
  /** Whether the first notification would wait, because the ids of recent ones are still read. */
  readonly isWarmingUp?: boolean
  /** Whether this process is being stopped. */
  readonly isStopping?: boolean
  /** The problem with the store. */
  readonly reason?: string
}

export interface DispatcherParts {
  readonly dispatch: (service: ServiceName) => Handler
  readonly readiness: () => Promise<Readiness>
  readonly instruments: Pick<Instruments, 'handler' | 'route'>
  /** Further routes that every process has. */
  readonly everywhere: readonly Route[]
  /** The page for people; absent: none. */
  readonly console?: Console | undefined
  readonly random: () => string
  readonly logger: Logger
}

/** Finds what a path leads to: an exact route, otherwise the longest that begins the path. */
export interface RouteTable<Target> {
  set(route: string, target: Target): void
  has(route: string): boolean
  find(path: string): Target | undefined
}

/** Makes an empty table. */
export function createRouteTable<Target>(): RouteTable<Target> {
  const exact = new Map<string, Target>()
  const prefixes: { readonly prefix: string; readonly target: Target }[] = []
  return {
    set: (route, target) => {
      if (!route.endsWith('*')) return void exact.set(route, target)
      prefixes.push({ prefix: route.slice(0, -1), target })
      prefixes.sort((a, b) => b.prefix.length - a.prefix.length)
    },
    has: (route) => exact.has(route),
    find: (path) => exact.get(path) ?? prefixes.find(({ prefix }) => path.startsWith(prefix))?.target,
  }
}

/** Routes that metrics of 2.x tell apart → their names there. */
const NAMES_2: ReadonlyMap<string, string> = new Map([
  ['/api/v1/schema/*', '/api/v1/schema/{event_type}'],
  ['/api/v1/admin/notification/*', '/api/v1/admin/notification/{id}'],
  ['/api/v1/admin/wipe/stream', '/api/v1/admin/wipe/stream'],
  ['/api/v1/admin/wipe/all', '/api/v1/admin/wipe/all'],
])

/**
 * A handler for the routes of the given services. The path is compared as the client sent it, without normalisation. The longest route
 * wins. Paths of no service are answered here.
 */
export function createDispatcher(
  config: Config,
  services: readonly ServiceName[],
  parts: DispatcherParts,
): Handler {
  const table = createRouteTable<Handler>()
  const owners = createRouteTable<ServiceName>()
  const serve = (service: ServiceName, route: string): void =>
    table.set(route, parts.instruments.handler(service, NAMES_2.get(route) ?? route, parts.dispatch(service)))
  for (const service of services) {
    for (const route of config.workers[service].routes) {
      owners.set(route, service)
      serve(service, route)
    }
  }
  const given = new Set(services.flatMap((service) => config.workers[service].routes))
  for (const route of NAMES_2.keys()) {
    const owner = owners.find(route)
    if (owner !== undefined && !given.has(route)) serve(owner, route)
  }
  const ownRoutes = ownRoutesOf(parts)
  const own = createRouter(ownRoutes, parts)
  for (const { path } of ownRoutes) {
    if (!table.has(path)) table.set(path, parts.instruments.handler(undefined, path, own))
  }
  const unmatched = parts.instruments.handler(undefined, 'unmatched', own)
  if (parts.console !== undefined) addConsole(table, parts.console, { parts, otherwise: unmatched })
  return (request) => (table.find(rawPath(request.url)) ?? unmatched)(request)
}

/** What every process answers, whatever its services. */
export function ownRoutesOf(
  parts: Pick<DispatcherParts, 'readiness' | 'everywhere'> & {
    readonly instruments: Pick<Instruments, 'route'>
  },
): readonly Route[] {
  return [...healthRoutes(parts), parts.instruments.route, ...parts.everywhere]
}

/** The console has the paths below `/console`, and gives its page to browsers that ask for `/`. */
function addConsole(
  table: RouteTable<Handler>,
  { handle, inFrontOf }: Console,
  { parts, otherwise }: { readonly parts: DispatcherParts; readonly otherwise: Handler },
): void {
  const observed = parts.instruments.handler(undefined, '/console', handle)
  table.set('/console', observed)
  table.set('/console/*', observed)
  table.set('/', inFrontOf(table.find('/') ?? otherwise))
}

const STOPPING = 'This service is being stopped'
const WARMING_UP = 'The ids of recent notifications are being read'

/** Liveness is about the process alone, because a restart does not fix a store that cannot be reached. */
function healthRoutes({ readiness }: Pick<DispatcherParts, 'readiness'>): readonly Route[] {
  const alive = (): Answer => jsonResponse(200, { status: 'ok' })
  const ready = async (): Promise<Answer> => {
    const {
      connected,
      streams,
      isWarmingUp = false,
      isStopping = false,
      reason = isStopping ? STOPPING : isWarmingUp ? WARMING_UP : undefined,
    } = await readiness()
    const isReady = connected && !isWarmingUp && !isStopping
    return jsonResponse(isReady ? 200 : 503, {
      status: isReady ? 'ready' : 'not_ready',
      backend_connected: connected,
      streams,
      ...(reason !== undefined && { reason }),
    })
  }
  return [
    { method: 'GET', path: '/health', doc: 'health', handle: alive },
    { method: 'GET', path: '/livez', doc: 'livez', handle: alive },
    { method: 'GET', path: '/ready', doc: 'ready', handle: ready },
    { method: 'GET', path: '/readyz', doc: 'readyz', handle: ready },
  ]
}
