/**
 * Puts services together on one store, behind one handler that routes requests by path, as an edge proxy would.
 *
 * Flow: **rest → store → hub → auth**
 *
 * @module
 */

import type { AdminService, ScheduledJob } from '#services/admin/handler.ts'
import { createStreamRegistry, newInstance, type StreamRegistry } from '#services/auth/streams/registry.ts'
import type { Console } from '#services/console/console.ts'
import type { Monitoring } from '#services/monitoring/monitoring.ts'
import type { ReadDocument } from '#services/reference/document_page.ts'
import { createReferenceRoutes } from '#services/reference/routes.ts'
import { schedulesOf, type Config, type ServiceName } from './settings.ts'
import type { Quotas } from '#shared/access/quota/quotas.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
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
import { observeWorkers, type ReplacedWorkers } from '#shared/observe/metrics/observe_workers.ts'
import type { MetricFamily } from '#shared/observe/metrics/registry.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import { createAccessRoutes } from './access_routes.ts'
import { createAuditRoutes } from './audit_routes.ts'
import { loadContract } from './contract.ts'
import { startConsole } from './console.ts'
import { startAccess, type AccessPowers, type SystemAccess } from './access.ts'
import { createInstruments, type InstrumentPowers, type Instruments } from './instruments.ts'
import type { startSystemMonitoring } from './monitoring.ts'
import { createDispatcher, ownRoutesOf, type Readiness } from './routes.ts'
import { findSchemas, keepSchemas, type StartSchemas } from './schemas.ts'
import { createTroubleLog, explainTrouble } from './store_trouble.ts'
import { startServices, type RunningServices, type ServicesParts } from './services.ts'

/** What the launcher hands over. The system makes access and instruments from it itself. */
export interface SystemParts
  extends
    InstrumentPowers,
    AccessPowers,
    Omit<ServicesParts, 'access' | 'instruments' | 'streams' | 'tickets'> {
  readonly store: Store
  /** Puts the module that the configuration names in front of a service. Default: none, requests go to the service itself. */
  readonly inFront?: ((service: ServiceName, handle: Handler) => Handler) | undefined
  /** Finds documents of the repository. Default: there are none here. */
  readonly readDocument?: ReadDocument
  /** Whether the console compresses its files. Default: yes. */
  readonly compresses?: boolean
  /** Starts the monitoring where it is one of the services: only then it is loaded. */
  readonly startMonitoring?: typeof startSystemMonitoring | undefined
  /** The other workers of this launcher, for which this one speaks; absent: there are none. */
  readonly others?: OtherWorkers | undefined
  /** Takes the telemetry of services here where the monitoring is in another worker. */
  readonly acceptElsewhere?: ((message: Uint8Array) => void) | undefined
  /** `fetch` for the members of a store that wants certificates. Default: the runtime's own. */
  readonly fetchOfStore?: (url: string, init: RequestInit) => Promise<Response>
}

/** What other workers tell. No function rejects: one that does not answer counts as none. */
export interface OtherWorkers {
  families(): Promise<readonly (readonly MetricFamily[])[]>
  /** Open listener streams. */
  streams(): Promise<number>
  /** How many were replaced, by the reason. */
  replaced(): ReplacedWorkers
}

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
export interface System {
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
  /** Takes a telemetry message of a service in another worker. Without the monitoring it is dropped. */
  acceptTelemetry(message: Uint8Array): void
  /** What is taken of the quotas, where they are counted. */
  readonly quotas: Quotas
  /** What was measured here. */
  families(): Promise<readonly MetricFamily[]>
  /** Open listener streams here. */
  streams(): number
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

/** Wait between attempts to reach the store at start. */
const START_RETRY: BackOffLimits = { firstMs: 50, mostMs: 1000, steadyShare: 0.5 }
/** Time that a readiness probe gives the store: shorter than the usual limits of probes. */
const READINESS_LIMIT_MS = 2000

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

async function readinessOf(
  parts: SystemParts,
  running: RunningServices,
  isWarmingUp: boolean,
): Promise<Readiness> {
  const failure = await failureOf(parts)
  const { connected, streams } = running.listening()
  if (failure === undefined) return { connected, streams, isWarmingUp }
  return {
    connected: false,
    streams,
    ...(isAvisoError(failure) && { reason: explainTrouble(failure).reason }),
  }
}

function whileStopping(running: RunningServices | undefined): Readiness {
  return { connected: false, streams: 0, ...running?.listening(), isStopping: true }
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

/** What other workers are told, and tell. */
function figuresOf(
  { instruments, monitoring }: Measuring,
  running: () => RunningServices | undefined,
): Pick<System, 'acceptTelemetry' | 'families' | 'streams'> {
  return {
    acceptTelemetry: (message) => void monitoring?.accept(message),
    families: () => instruments.metrics.collect(),
    streams: () => running()?.listening().streams ?? 0,
  }
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

interface Measuring {
  readonly instruments: Instruments
  readonly monitoring: Monitoring | undefined
}

/** Starts the instruments, and the monitoring if it is one of the services. It then gets the telemetry of the others directly. */
function startMeasuring(parts: SystemParts, access: SystemAccess): Measuring {
  const { startMonitoring } = parts
  const isHere = startMonitoring !== undefined && parts.services.includes('monitoring')
  let monitoring: Monitoring | undefined
  const accept = isHere
    ? (message: Uint8Array): void => void monitoring?.accept(message)
    : parts.acceptElsewhere
  const otherFamilies = parts.others?.families
  const instruments = createInstruments({ ...parts, accessCounts: access.counts, accept, otherFamilies })
  if (parts.others !== undefined) observeWorkers(instruments.metrics, parts.others.replaced)
  if (isHere) {
    const { metrics, store } = instruments
    monitoring = startMonitoring({ ...parts, metrics, store, access })
  }
  return { instruments, monitoring }
}

/** Logs why the store does not answer, and remembers the last reason. */
function watchTrouble({ config, clock, logger }: SystemParts): {
  readonly note: (error: AvisoError) => void
  readonly last: () => { readonly reason?: string }
} {
  const log = createTroubleLog(logger, { store: config.vars.store, now: clock.monotonic })
  let last: { readonly reason?: string } = {}
  return {
    note: (error) => {
      last = { reason: log(error).reason }
    },
    last: () => last,
  }
}

/** @returns why the store does not answer just now; `undefined` where it does */
function failureOf(parts: SystemParts): Promise<unknown> {
  return askStore(parts).then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** @throws {AvisoError} `ERR_STORE_UNAVAILABLE` when the store does not answer in time, and the store's other errors. */
function askStore({ store, clock }: SystemParts): Promise<unknown> {
  const late = (): never => {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store does not answer')
  }
  return runWithin((signal) => store.status({ signal }), { clock, ms: READINESS_LIMIT_MS, late })
}

interface StartParts extends SystemParts {
  readonly instruments: Instruments
  readonly access: SystemAccess
  readonly streams: StreamRegistry
  readonly tickets: SystemAccess['tickets']
  /** Called with each failure while the store does not answer. */
  readonly onWaiting: (error: AvisoError) => void
}

async function startWhenStoreAnswers(
  parts: StartParts,
  signal: AbortSignal,
): Promise<{ readonly started: RunningServices; readonly found: StartSchemas }> {
  for (let failures = 0; ; failures++) {
    try {
      const found = await findSchemas(parts)
      if (found.schemas !== parts.schemas) parts.access.useSchemas(found.schemas)
      return { started: await startServices({ ...parts, schemas: found.schemas }), found }
    } catch (error) {
      if (signal.aborted || !(error instanceof AvisoError) || error.status !== 503) throw error
      parts.onWaiting(error)
      const waitMs = backOffMs(failures, START_RETRY, () => randomFraction(parts.random))
      await parts.clock.sleep(waitMs, signal)
    }
  }
}
