/**
 * Puts services together on one store: one handler, routed by path as an edge proxy would.
 *
 * Flow: **rest → store → hub → auth**
 *
 * @module
 */

import { toAdminSettings } from '#services/admin/from_config.ts'
import { createAdminService, type AdminService, type ScheduledEvent } from '#services/admin/handler.ts'
import { createAuthHandler } from '#services/auth/handler.ts'
import { toHubLimits } from '#services/auth/settings.ts'
import type { Monitoring } from '#services/monitoring/monitoring.ts'
import { createRestHandler } from '#services/rest/handler.ts'
import type { Config, ServiceName } from './settings.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { errorResponse } from '#shared/http/respond.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { createPublisher } from '#shared/publish/publisher.ts'
import { openRemovals } from '#shared/hub/removals.ts'
import type { FetchHandler } from '#shared/runtime/runtime.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { createHub } from '#shared/hub/shared_hub.ts'
import { startAccess, type AccessPowers, type SystemAccess } from './access.ts'
import { openEpoch } from './epoch.ts'
import { createInstruments, type InstrumentPowers, type Instruments } from './instruments.ts'
import { startSystemMonitoring } from './monitoring.ts'
import { createDispatcher, type Readiness } from './routes.ts'
import { findSchemas, keepSchemas, type StartSchemas } from './schemas.ts'

/** What a system is made of. */
export interface SystemParts extends InstrumentPowers, AccessPowers {
  readonly config: Config
  readonly services: readonly ServiceName[]
  readonly store: Store
  /** What an admin may do to the store's members; absent where it has none. */
  readonly maintenance?: StoreMaintenance | undefined
  readonly schemas: Schemas
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly identity: { readonly unixUser: string; readonly hostname: string }
  /** Public address, the `source` of delivered CloudEvents. A function, because a free port is known only after listening. */
  readonly baseUrl: () => string
  readonly version: string
}

/** Running services. */
export interface System {
  /** All services behind one address. */
  readonly fetch: FetchHandler
  /** One service alone, for an own port. */
  only(service: ServiceName): FetchHandler
  /** Resolves when the store has answered and the services stand. */
  readonly ready: Promise<void>
  /** A cron trigger is due. Waits until the services stand; does nothing where the admin is not among them. Never rejects. */
  scheduled(event: ScheduledEvent): Promise<void>
  /** Who may do what from now on, for open streams too. @throws {AvisoError} `ERR_CONFIG` for rules that cannot be; the old ones then stay. */
  replacePolicy(policy: Config['vars']['policy']): void
  /** Ends streams with a resumable position, finishes writes, closes the store. Idempotent. */
  close(): Promise<void>
}

interface Running {
  readonly handlers: ReadonlyMap<ServiceName, FetchHandler>
  /** Open listener streams, and whether they have an upstream. */
  readonly listening: () => { readonly connected: boolean; readonly streams: number }
  readonly admin: AdminService | undefined
  close(): Promise<void>
}

/** Wait between attempts to reach the store at start. */
const START_RETRY_MS = { first: 50, most: 1000 } as const
/** Time that a readiness probe gives the store: shorter than any prober's own limit. */
const READINESS_LIMIT_MS = 2000

/**
 * Starts the services. A store that cannot be reached yet is waited for; until then every route answers 503,
 * so the order in which an operator starts things does not matter.
 */
export function startSystem(parts: SystemParts): System {
  const stop = new AbortController()
  const access = startAccess(parts)
  const { instruments, monitoring } = startMeasuring(parts, access)
  let running: Running | undefined
  let keeping: Promise<void> | undefined
  let waiting: AvisoError | undefined
  const onWaiting = (error: AvisoError): void => {
    waiting = error
  }
  const startParts = { ...parts, instruments, access, onWaiting }
  const ready = startWhenStoreAnswers(startParts, stop.signal).then(({ started, found }) => {
    running = started
    keeping = keepSchemas(parts, found, { onChange: restart, signal: stop.signal })
  })
  ready.catch((error: unknown) => {
    if (!stop.signal.aborted)
      parts.logger('error', 'services did not start', {
        reason: error instanceof Error ? error.message : 'unknown',
      })
  })
  const dispatch = (service: ServiceName): FetchHandler => {
    // It tells how things are also while the store cannot be reached.
    if (service === 'monitoring' && monitoring !== undefined) return monitoring.fetch
    return (request) => {
      const handler = running?.handlers.get(service)
      if (handler !== undefined) return handler(request)
      const waiting = new AvisoError(
        'ERR_STORE_UNAVAILABLE',
        'The store cannot be reached yet; try again in a moment',
      )
      return Promise.resolve(errorResponse(waiting, { requestId: parts.random(), logger: parts.logger }))
    }
  }
  const readiness = async (): Promise<Readiness> => {
    if (running === undefined || stop.signal.aborted) {
      return { connected: false, streams: 0, ...(waiting !== undefined && { reason: waiting.message }) }
    }
    const failure = await parts.store.status({ signal: AbortSignal.timeout(READINESS_LIMIT_MS) }).then(
      () => undefined,
      (error: unknown) => error,
    )
    const { connected, streams } = running.listening()
    if (failure === undefined) return { connected, streams }
    return { connected: false, streams, ...(isAvisoError(failure) && { reason: failure.message }) }
  }
  let closing: Promise<void> | undefined
  const { random, logger } = parts
  const serve = (services: readonly ServiceName[]): FetchHandler =>
    createDispatcher(parts.config, services, { dispatch, readiness, instruments, random, logger })
  return {
    fetch: serve(parts.services),
    only: (service) => serve([service]),
    ready,
    scheduled: async (event) => {
      await ready.catch(() => undefined)
      if (!stop.signal.aborted) await running?.admin?.scheduled(event)
    },
    replacePolicy: (policy) => access.replacePolicy(policy),
    close: () => {
      closing ??= closeSystem()
      return closing
    },
  }

  /** Services of another schema take over from those that run; streams end with a resumable position, as for any restart. */
  async function restart(schemas: Schemas): Promise<void> {
    const before = running
    running = await start({ ...startParts, schemas }, stop.signal)
    parts.logger('info', 'The services have taken over a schema from the store', {
      events: schemas.events.join(' '),
    })
    await before?.close()
  }

  async function closeSystem(): Promise<void> {
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

interface Measuring {
  readonly instruments: Instruments
  readonly monitoring: Monitoring | undefined
}

/** Instruments, and the monitoring where it is one of the services: it is told by the others directly then. */
function startMeasuring(parts: SystemParts, access: SystemAccess): Measuring {
  const isHere = parts.services.includes('monitoring')
  let monitoring: Monitoring | undefined
  const accept = isHere ? (message: Uint8Array): void => void monitoring?.accept(message) : undefined
  const instruments = createInstruments({ ...parts, accept })
  instruments.watchAccess(access.counts)
  if (isHere) {
    const { metrics, store } = instruments
    monitoring = startSystemMonitoring({ ...parts, metrics, store, access })
  }
  return { instruments, monitoring }
}

/** What services are started with. */
interface StartParts extends SystemParts {
  readonly instruments: Instruments
  readonly access: SystemAccess
  /** The store does not answer yet, for this reason. */
  readonly onWaiting: (error: AvisoError) => void
}

async function startWhenStoreAnswers(
  parts: StartParts,
  signal: AbortSignal,
): Promise<{ readonly started: Running; readonly found: StartSchemas }> {
  let waitMs: number = START_RETRY_MS.first
  for (;;) {
    try {
      const found = await findSchemas(parts)
      return { started: await start({ ...parts, schemas: found.schemas }, signal), found }
    } catch (error) {
      if (signal.aborted || !(error instanceof AvisoError) || error.status !== 503) throw error
      parts.onWaiting(error)
      parts.logger('warn', 'waiting for the store', { code: error.code, reason: error.message })
      await parts.clock.sleep(waitMs, signal)
      waitMs = Math.min(waitMs * 2, START_RETRY_MS.most)
    }
  }
}

/** Things to close, in no order. */
type Closers = (() => Promise<void>)[]

/** Starts services. What was begun is closed again where the rest fails. */
async function start(parts: StartParts, systemSignal: AbortSignal): Promise<Running> {
  const stop = new AbortController()
  const closers: Closers = [async () => stop.abort()]
  try {
    const signal = AbortSignal.any([systemSignal, stop.signal])
    return await startServices(parts, closers, signal)
  } catch (error) {
    await Promise.all(closers.map((close) => close()))
    throw error
  }
}

async function startServices(parts: StartParts, closers: Closers, signal: AbortSignal): Promise<Running> {
  const { access, clock, config, instruments, logger, random, schemas, services } = parts
  const { store } = instruments
  const epoch = await openEpoch({ store, clock, random, logger, signal })
  const handlers = new Map<ServiceName, FetchHandler>()
  let listening: Running['listening'] = () => ({ connected: true, streams: 0 })
  const info = { baseUrl: parts.baseUrl, version: parts.version }
  if (services.includes('rest')) {
    const vars = config.services.rest.vars
    const identity = { ...parts.identity, version: parts.version }
    const publisher = createPublisher({ store, clock, random, logger, identity, strictIds: vars.strictIds })
    closers.push(() => publisher.close())
    handlers.set(
      'rest',
      createRestHandler({
        publisher: instruments.publisher(publisher),
        schemas,
        clock,
        random,
        logger: instruments.logger('rest'),
        skips: vars.skips,
        info,
        access,
        onRefused: instruments.onRefused,
      }),
    )
  }
  if (services.includes('auth')) {
    const limits = toHubLimits(config.services.auth.vars)
    const removals = await openRemovals({ store, clock, random, logger })
    closers.push(() => removals.close())
    const hub = await createHub({
      store,
      removals,
      schemas,
      roots: schemas.roots,
      clock,
      random,
      logger,
      limits,
      onEpochChange: () => epoch.renew(),
      observer: instruments.hubObserver,
    })
    closers.push(() => hub.close())
    listening = () => {
      const { connected, subscribers } = hub.status()
      return { connected, streams: subscribers }
    }
    handlers.set(
      'auth',
      createAuthHandler({
        store,
        hub: instruments.hub(hub),
        schemas,
        access: instruments.listening(access),
        clock,
        random,
        logger: instruments.logger('auth'),
        info,
        limits: { maxAgeSeconds: limits.maxAgeSeconds },
        epoch: () => epoch.current(),
        traces: instruments.traces,
      }),
    )
  }
  const admin = services.includes('admin') ? startAdmin({ ...parts, store }) : undefined
  if (admin !== undefined) {
    handlers.set('admin', admin.fetch)
    closers.push(() => admin.close())
  }
  return {
    handlers,
    listening,
    admin,
    close: async () => {
      await Promise.all(closers.map((close) => close()))
    },
  }
}

function startAdmin({
  config,
  store,
  maintenance,
  schemas,
  clock,
  random,
  logger,
  access,
  version,
}: StartParts): AdminService {
  const settings = toAdminSettings(config.services.admin.vars, schemas)
  const { schemaService } = config.vars
  const info = { version }
  return createAdminService({
    store,
    maintenance,
    schemas,
    clock,
    random,
    logger,
    settings,
    access,
    schemaService,
    info,
  })
}
