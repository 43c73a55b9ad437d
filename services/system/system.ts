/**
 * Puts services together on one store, behind one handler that routes requests by path, as an edge proxy would.
 *
 * Flow: **rest → store → hub → auth**
 *
 * @module
 */

import type { AdminService, ScheduledJob } from '#services/admin/handler.ts'
import { createStreamRegistry, newInstance } from '#services/auth/streams/registry.ts'
import type { Console } from '#services/console/console.ts'
import type { Monitoring } from '#services/monitoring/monitoring.ts'
import { createReferenceRoutes } from '#services/reference/routes.ts'
import { schedulesOf, type Config, type ServiceName } from './settings.ts'
import type { Quotas } from '#shared/access/quota/quotas.ts'
import { AvisoError } from '#shared/errors.ts'
import {
  toFetchHandler,
  type Answer,
  type FetchHandler,
  type Handler,
  type HandlerRequest,
} from '#shared/handler.ts'
import { createPageOrigins, forPages } from '#shared/http/pages.ts'
import { asProblem } from '#shared/http/problem.ts'
import { errorResponse, requestIdOf } from '#shared/http/respond.ts'
import type { KnownRoute, Route } from '#shared/http/route.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Clock } from '#shared/time/clock.ts'
import { startAccess } from './access.ts'
import { createAccessRoutes } from './access_routes.ts'
import { createAuditRoutes } from './audit_routes.ts'
import { loadContract } from './contract.ts'
import { startConsole } from './console.ts'
import { figuresOf, startMeasuring, type Figures } from './measuring.ts'
import { readinessOf, watchTrouble, whileStopping } from './readiness.ts'
import { createDispatcher, ownRoutesOf, type Readiness } from './routes.ts'
import { keepSchemas } from './schemas.ts'
import { startServices, type RunningServices } from './services.ts'
import { startWhenStoreAnswers, type StartParts } from './start.ts'
import type { SystemParts } from './system_parts.ts'

/** A cron trigger that is due. */
export interface CronEvent {
  /** As the configuration has it: it says which jobs are due. */
  readonly cron: string
  /** The time when it was due, milliseconds since 1970: the same for all admins. */
  readonly scheduledTime: number
  /** Whether no admin was running at that time. */
  readonly isCatchUp?: boolean
}

const JOBS: readonly ScheduledJob[] = ['compact', 'clean']

/** Running services. */
export interface System extends Figures {
  /** All services behind one address. */
  readonly handle: Handler
  /** The same as a standard Fetch handler. */
  readonly fetch: FetchHandler
  /** The routes of the services, once they run, and those that every process has. */
  routes(): readonly KnownRoute[]
  /** One service alone, for a port of its own. */
  only(service: ServiceName): Handler
  /** Resolves when the store has answered, the services run, and a first notification would not wait. */
  readonly ready: Promise<void>
  /** Runs the jobs of a cron that is due, once the services run. Does nothing without the admin service. Never rejects. */
  scheduled(event: CronEvent): Promise<void>
  /** Answers the hubs of other workers of this machine, which may read everything. 503 until the services run. */
  readonly relay: Handler
  /** What is taken of the quotas, where they are counted. */
  readonly quotas: Quotas
  /** Replaces the policy, for open streams too. @throws {AvisoError} `ERR_CONFIG` for invalid rules; the old policy then stays. */
  replacePolicy(policy: Config['vars']['policy']): void
  /**
   * Prepares the end: readiness turns 503 at once, and the streams there are end one after another over a time. New work is served on.
   *
   * @param ms How long it takes.
   * @returns at the end of that time; at once where it is 0
   */
  drain(ms: number): Promise<void>
  /** Ends streams with a resumable position, finishes writes, closes the store. Idempotent. */
  close(): Promise<void>
}

/**
 * Starts the services. If the store cannot be reached yet, the system waits for it, and every route answers 503. So an operator may start
 * things in any order.
 */
export function startSystem(parts: SystemParts): System {
  const { random, logger } = parts
  const stop = new AbortController()
  const access = startAccess(parts)
  const { instruments, monitoring } = startMeasuring(parts, access)
  /** Absent until the store has answered. */
  let running: RunningServices | undefined
  /** Whether the first notification would still wait for recent ids. */
  let isWarmingUp = true
  /** Follows the schemas in the store. */
  let keeping: Promise<void> | undefined
  let closing: Promise<void> | undefined
  let isDraining = false
  const trouble = watchTrouble(parts)
  const { startParts, operating } = prepare(parts, { access, instruments, onWaiting: trouble.note })
  const ready = startWhenStoreAnswers(startParts, stop.signal).then(async ({ started, found }) => {
    running = started
    keeping = keepSchemas(startParts, found, { onChange: restart, signal: stop.signal })
    await started.warmUp(stop.signal)
    isWarmingUp = false
  })
  ready.catch((error: unknown) => {
    if (stop.signal.aborted) return
    logger('error', 'services did not start', { reason: error instanceof Error ? error.message : 'unknown' })
  })
  const consoles = startConsole(parts)
  const handle = serve(parts.services)
  return {
    handle,
    fetch: toFetchHandler(handle),
    only: (service) => serve([service]),
    routes: () => [
      ...ownRoutesOf({ readiness, everywhere: [...operating, ...referenceOf(parts)], instruments }),
      ...consoles.routes,
      ...routesOf(running, monitoring),
    ],
    ready,
    scheduled: (event) =>
      ready
        .then(() => runDue(event, parts, () => (stop.signal.aborted ? undefined : running?.admin)))
        .catch(() => undefined),
    relay: (request) => running?.relay?.(request) ?? unreached(parts, request),
    ...figuresOf({ instruments, monitoring }, () => running),
    quotas: access.quotas,
    replacePolicy: access.replacePolicy,
    drain: (ms) => {
      isDraining = true
      return drainFor(ms, running, parts.clock)
    },
    close: () => (closing ??= close()),
  }

  function serve(services: readonly ServiceName[]): Handler {
    const targets = { monitoring, running: () => running }
    const page = consoles.on(services)
    const everywhere = [...operating, ...referenceOf(parts, page)]
    const own = { readiness, instruments, everywhere, console: page, random, logger }
    const dispatcher = createDispatcher(parts.config, services, {
      ...own,
      dispatch: dispatcherTo(parts, targets),
    })
    return access.guard(forConfiguredPages(dispatcher, parts.config))
  }

  async function readiness(): Promise<Readiness> {
    const [own, elsewhere = 0] = await Promise.all([ownReadiness(), parts.others?.streams()])
    return { ...own, streams: own.streams + elsewhere }
  }

  async function ownReadiness(): Promise<Readiness> {
    if (isDraining || stop.signal.aborted) return whileStopping(running)
    if (running === undefined) return { connected: false, streams: 0, ...trouble.last() }
    return readinessOf(parts, running, isWarmingUp)
  }

  /** Starts services with another schema, then closes the old ones. Their streams end with a resumable position, as at any restart. */
  async function restart(schemas: Schemas): Promise<void> {
    const before = running
    access.useSchemas(schemas)
    running = await startServices({ ...startParts, schemas })
    void running.warmUp(stop.signal)
    logger('info', 'The services have taken over a schema from the store', {
      events: schemas.events.join(' '),
    })
    await before?.close()
  }

  async function close(): Promise<void> {
    stop.abort()
    await ready.catch(() => undefined)
    await keeping
    await running?.close()
    await access.close()
    await monitoring?.close()
    await instruments.close()
    await parts.store.close()
  }
}

/** What starting services takes, and what is here without them. */
function prepare(
  parts: SystemParts,
  tools: Pick<StartParts, 'access' | 'instruments' | 'onWaiting'>,
): { readonly startParts: StartParts; readonly operating: readonly Route[] } {
  const { access } = tools
  const streams = createStreamRegistry(parts.clock, newInstance(parts.random))
  return {
    startParts: { ...parts, ...tools, streams, tickets: access.tickets },
    operating: [...createAuditRoutes({ access, instance: streams.instance }), ...createAccessRoutes(access)],
  }
}

/** @param page The console at the same address. */
function referenceOf(
  { version, readDocument = () => Promise.resolve(undefined) }: SystemParts,
  page?: Console,
): readonly Route[] {
  return createReferenceRoutes({
    version,
    loadContract,
    readDocument,
    hasConsole: () => page?.isOn() === true,
  })
}

/** What hands requests to a service, as it is when they come. */
function dispatcherTo(
  parts: SystemParts,
  { monitoring, running }: DispatchTargets,
): (service: ServiceName) => Handler {
  return (service) => {
    const own: Handler =
      // The monitoring also answers while the store cannot be reached.
      service === 'monitoring' && monitoring !== undefined
        ? monitoring.handle
        : (request) => running()?.handlers.get(service)?.(request) ?? unreached(parts, request)
    return parts.inFront?.(service, own) ?? own
  }
}

interface DispatchTargets {
  readonly monitoring: { readonly handle: Handler } | undefined
  readonly running: () => RunningServices | undefined
}

function routesOf(
  running: RunningServices | undefined,
  monitoring: Monitoring | undefined,
): readonly KnownRoute[] {
  const services = [...(running?.handlers.values() ?? [])].flatMap(({ routes }) => routes)
  return [...services, ...(monitoring?.handle.routes ?? [])]
}

/** The answer of services that do not run yet. */
function unreached({ random, logger }: SystemParts, request: HandlerRequest): Promise<Answer> {
  const error = new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    'The store cannot be reached yet; try again in a moment',
  )
  const requestId = requestIdOf(request, random)
  return Promise.resolve(asProblem(request, errorResponse(error, { requestId, logger })))
}

/** Waits also where there is no stream to end: others have to see that the services are not ready. */
async function drainFor(ms: number, running: RunningServices | undefined, clock: Clock): Promise<void> {
  if (ms > 0) await Promise.all([running?.drain(ms), clock.sleep(ms)])
}

/** Runs the jobs whose schedule a cron is, one after the other. @param admin Absent where there is none, or it is closed. */
async function runDue(
  { cron, ...event }: CronEvent,
  { config, logger }: SystemParts,
  admin: () => AdminService | undefined,
): Promise<void> {
  const crons = schedulesOf(config)
  const due = JOBS.filter((job) => crons[job] === cron)
  if (due.length === 0) logger('warn', 'No job has this schedule', { cron })
  for (const job of due) await admin()?.scheduled({ job, ...event })
}

/** A handler whose answers the configured pages may read. */
function forConfiguredPages(handler: Handler, { vars: { allowedOrigins } }: Config): Handler {
  return allowedOrigins === undefined ? handler : forPages(handler, createPageOrigins(allowedOrigins))
}
