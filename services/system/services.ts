/**
 * Starts the services of a system on its store, and closes them.
 *
 * @module
 */

import type { BackupPowers } from '#services/admin/backup_routes.ts'
import type { AdminParts, AdminService } from '#services/admin/handler.ts'
import { createAuthHandler } from '#services/auth/handler.ts'
import { createRelayDoor } from '#services/auth/relay_door.ts'
import { createActivity } from '#services/auth/streams/activity.ts'
import type { StreamRegistry } from '#services/auth/streams/registry.ts'
import type { TicketSettings } from '#services/auth/tickets.ts'
import { toHubLimits } from '#services/auth/settings.ts'
import { toPublishLimits } from '#services/rest/settings.ts'
import { createIdleRunsHandler } from '#services/runs/idle.ts'
import type { Access } from '#shared/access/access.ts'
import { tellFirstNumbers } from './first_numbers.ts'
import { schedulesOf, type Config, type ServiceName } from './settings.ts'
import type { Feed } from '#shared/hub/source/feed.ts'
import { openRemovals } from '#shared/hub/removals.ts'
import { createHub } from '#shared/hub/shared_hub.ts'
import { createPageOrigins } from '#shared/http/pages.ts'
import type { Logger } from '#shared/logger.ts'
import { createGenericBound } from '#shared/notification/aviso2/generic_bound.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Expectation } from '#shared/runs/expectation.ts'
import type { Handler } from '#shared/handler.ts'
import type { RoutedHandler } from '#shared/http/route.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import type { Clock } from '#shared/time/clock.ts'
import { openEpoch, type CurrentEpoch } from './epoch.ts'
import { createStoredSchemas, expectationsOf, followable, reservedEvents } from './runs.ts'
import type { Instruments } from './instruments.ts'

/** What services are started with. */
export interface ServicesParts {
  readonly config: Config
  readonly services: readonly ServiceName[]
  /** Their parts, loaded before, so that a port that opens now is not ahead of them. Default: they are loaded at the start. */
  readonly loaded?: Loaded
  /** Whether no other process can have the store: it is embedded. */
  readonly ownsStore?: boolean
  /** Maintenance of the store's members; absent when the store has none. */
  readonly maintenance?: StoreMaintenance | undefined
  /** What backups of the store are made with; absent where the runtime has none. */
  readonly backups?: BackupPowers | undefined
  /** When a cron is next due; absent where others run the schedules. */
  readonly nextRun?: AdminParts['nextRun']
  readonly schemas: Schemas
  readonly access: Access & { readonly checkSchemas: (schemas: Schemas) => void }
  /** Limits of tickets. */
  readonly tickets: TicketSettings
  /** Where open streams are noted, whatever schemas the services run with. */
  readonly streams: StreamRegistry
  /** They hold the measured store. */
  readonly instruments: Instruments
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly identity: { readonly unixUser: string; readonly hostname: string }
  /** Public address, the `source` of delivered CloudEvents. A function, because a free port is known only after listening. */
  readonly baseUrl: () => string
  readonly version: string
}

/** Running services. */
export interface RunningServices {
  readonly handlers: ReadonlyMap<ServiceName, RoutedHandler>
  /** Open listener streams, and whether they have an upstream. */
  readonly listening: () => { readonly connected: boolean; readonly streams: number }
  readonly admin: AdminService | undefined
  /** Answers the hubs of other workers; absent without the listening service. */
  readonly relay: Handler | undefined
  /** Reads ahead what the first notification would wait for. Never rejects, and ends by itself. */
  warmUp(signal: AbortSignal): Promise<void>
  /** Ends the streams there are, spread over a time. Resolves at its end. */
  readonly drain: (ms: number) => Promise<void>
  /** Ends streams with a resumable position and finishes writes. */
  close(): Promise<void>
}

/** What ingest and administration are made with; absent: they do not run here. */
export interface Loaded {
  readonly rest:
    | (Pick<typeof import('#services/rest/handler.ts'), 'createRestHandler'> &
        Pick<typeof import('#shared/publish/publisher.ts'), 'createPublisher'>)
    | undefined
  readonly admin:
    | (Pick<typeof import('#services/admin/handler.ts'), 'createAdminService'> &
        Pick<typeof import('#services/admin/from_config.ts'), 'toAdminSettings'>)
    | undefined
}

/** Loads ingest and administration where they run: a further worker on the embedded store has neither. */
export async function loadServices(services: readonly ServiceName[]): Promise<Loaded> {
  const [rest, admin] = await Promise.all([
    services.includes('rest') ? loadIngest() : undefined,
    services.includes('admin') ? loadAdmin() : undefined,
  ])
  return { rest, admin }
}

async function loadIngest(): Promise<Loaded['rest']> {
  const { createRestHandler } = await import('#services/rest/handler.ts')
  const { createPublisher } = await import('#shared/publish/publisher.ts')
  return { createRestHandler, createPublisher }
}

async function loadAdmin(): Promise<Loaded['admin']> {
  const { createAdminService } = await import('#services/admin/handler.ts')
  const { toAdminSettings } = await import('#services/admin/from_config.ts')
  return { createAdminService, toAdminSettings }
}

/** Functions that close a part each, in any order. */
type Closers = (() => Promise<void>)[]

/**
 * Starts all services except the monitoring, which also runs without a store. If one fails, the others are closed again.
 *
 * @throws {AvisoError} The store's error.
 */
export async function startServices(parts: ServicesParts): Promise<RunningServices> {
  warnIfPermissive(parts)
  const closers: Closers = []
  const close = async (): Promise<void> => {
    await Promise.all(closers.map((closeOne) => closeOne()))
  }
  try {
    return { ...(await startEach(parts, closers)), close }
  } catch (error) {
    await close()
    throw error
  }
}

function warnIfPermissive({ schemas, logger }: Pick<ServicesParts, 'schemas' | 'logger'>): void {
  if (schemas.isPermissive)
    logger(
      'warn',
      'Event types without a schema are accepted: a misspelled one is stored, and nobody listens to it. Set notification_schema_strict to true to refuse them',
    )
}

async function startEach(parts: ServicesParts, closers: Closers): Promise<Omit<RunningServices, 'close'>> {
  const { instruments, random, services } = parts
  const handlers = new Map<ServiceName, RoutedHandler>()
  const loaded = parts.loaded ?? (await loadServices(services))
  const epoch = await openEpoch(instruments.store, random)
  const ingest = startIngest(parts, loaded, closers)
  if (ingest !== undefined) handlers.set('rest', ingest.handle)
  const listening = services.includes('auth') ? await startListening(parts, epoch, closers) : undefined
  if (listening !== undefined) handlers.set('auth', listening.fetch)
  if (services.includes('runs')) handlers.set('runs', await startRuns(parts, listening?.feed, closers))
  const admin = startAdmin(parts, loaded, closers)
  if (admin !== undefined) handlers.set('admin', admin.handle)
  return {
    handlers,
    listening: listening?.state ?? (() => ({ connected: true, streams: 0 })),
    admin,
    relay: listening?.relay,
    drain: listening?.drain ?? (() => Promise.resolve()),
    warmUp: ingest?.warmUp ?? (() => Promise.resolve()),
  }
}

interface IngestService {
  readonly handle: RoutedHandler
  readonly warmUp: RunningServices['warmUp']
}

function startIngest(parts: ServicesParts, { rest }: Loaded, closers: Closers): IngestService | undefined {
  if (rest === undefined) return undefined
  const { createRestHandler, createPublisher } = rest
  const { access, clock, config, instruments, logger, random, schemas, version } = parts
  const { store } = instruments
  const { strictIds, skips } = config.workers.rest.vars
  const identity = { ...parts.identity, version }
  const limits = toPublishLimits(config.workers.rest.vars)
  const publisher = createPublisher({
    store,
    clock,
    random,
    logger,
    identity,
    strictIds,
    limits,
    firstNumbers: config.vars.firstNumbers,
  })
  closers.push(publisher.close)
  const known = new Set(schemas.events)
  const generic = createGenericBound((event) => known.has(event))
  instruments.genericEvents(() => generic.size)
  const handle = createRestHandler({
    publisher: instruments.publisher(publisher),
    access,
    schemas,
    clock,
    random,
    logger: instruments.logger('rest'),
    skips,
    reserved: reservedEvents(config.vars),
    info: { version },
    onRefused: instruments.onRefused,
    generic,
    mayPublish: createPageOrigins(config.vars.allowedOrigins ?? []).isNamed,
  })
  return {
    handle,
    async warmUp(signal) {
      await tellFirstNumbers({ store, firstNumbers: config.vars.firstNumbers, logger, signal })
      await publisher.warmUp(schemas.events, signal)
    },
  }
}

/**
 * Where there is nothing to follow, nothing is started.
 *
 * @param feed Of the hub, where this process has one.
 */
async function startRuns(
  parts: ServicesParts,
  feed: Feed | undefined,
  closers: Closers,
): Promise<RoutedHandler> {
  const { access, clock, config, instruments, random, schemas } = parts
  const { store } = instruments
  const logger = instruments.logger('runs')
  const expectations = expectationsHere(parts, logger)
  if (expectations.size === 0) return createIdleRunsHandler({ random, logger })
  const { startRunsService } = await import('#services/runs/handler.ts')
  const { createPublisher } = await import('#shared/publish/publisher.ts')
  const publisher = createPublisher({
    store,
    clock,
    random,
    logger,
    identity: { ...parts.identity, version: parts.version },
    // A notification of a run has an id that follows from the run and its state, and whatever else it says, it is published once.
    strictIds: true,
    limits: toPublishLimits(config.workers.rest.vars),
    firstNumbers: config.vars.firstNumbers,
  })
  const service = startRunsService({
    store,
    ownsStore: parts.ownsStore ?? false,
    schemas,
    expectations,
    keepMs: config.workers.runs.vars.keep,
    publisher: instruments.publisher(publisher),
    access,
    metrics: instruments.metrics,
    clock,
    random,
    logger,
    feed,
  })
  closers.push(service.close)
  return service.handle
}

/**
 * What is expected of runs here: nothing without `vars.runs`, and where the store is another Aviso, which follows them. While the schema of
 * the configuration stands in for one in the store, it may lack what `vars.runs` names: that must not keep the services from starting.
 */
function expectationsHere(
  { config: { vars }, schemas }: ServicesParts,
  logger: Logger,
): ReadonlyMap<string, Expectation> {
  if (vars.runs === undefined || vars.storeTokenEnv !== undefined) return new Map()
  if (vars.schemaService === undefined) return expectationsOf(schemas, vars)
  const { expectations, problems } = followable(schemas, vars)
  if (problems.length > 0)
    logger('error', 'Some runs are not followed, because the schema does not have them', {
      problems: problems.join('; '),
    })
  return expectations
}

interface Listening {
  readonly fetch: RoutedHandler
  readonly relay: Handler
  readonly state: RunningServices['listening']
  readonly drain: RunningServices['drain']
  readonly feed: Feed
}

async function startListening(
  parts: ServicesParts,
  epoch: CurrentEpoch,
  closers: Closers,
): Promise<Listening> {
  const { access, clock, config, instruments, logger, random, schemas } = parts
  const { store } = instruments
  const limits = toHubLimits(config.workers.auth.vars)
  const activity = createActivity(clock)
  const removals = await openRemovals({ store, clock, random, logger })
  closers.push(removals.close)
  const hub = await createHub({
    store,
    removals,
    schemas,
    roots: schemas.roots,
    clock,
    random,
    logger,
    limits,
    onEpochChange: epoch.change,
    observer: {
      seen: (notification, listeners, ofRanges) => {
        instruments.hubObserver.seen(notification, listeners, ofRanges)
        activity.seen(notification, listeners)
      },
    },
  })
  closers.push(hub.close)
  const closing = new AbortController()
  closers.push(async () => closing.abort())
  const fetch = createAuthHandler({
    store,
    hub: instruments.hub(hub),
    removals,
    schemas,
    access: instruments.listening(access),
    administration: access,
    activity,
    closing: closing.signal,
    clock,
    random,
    logger: instruments.logger('auth'),
    info: { baseUrl: parts.baseUrl },
    limits: { maxAgeSeconds: limits.maxAgeSeconds },
    epoch: epoch.current,
    traces: instruments.traces,
    onForeignPosition: instruments.onForeignPosition,
    streams: parts.streams,
    onStreams: instruments.streams,
    tickets: parts.tickets,
    firstNumbers: config.vars.firstNumbers,
  })
  const relay = createRelayDoor({ ...parts, store, hub, epoch: epoch.current, limits })
  const state = (): ReturnType<RunningServices['listening']> => {
    const { connected, subscribers } = hub.status()
    return { connected, streams: subscribers - relay.streams() }
  }
  return { fetch, relay: relay.handle, state, drain: (ms) => hub.drain(ms), feed: hub.feed }
}

function startAdmin(
  parts: ServicesParts,
  { admin: loaded }: Loaded,
  closers: Closers,
): AdminService | undefined {
  if (loaded === undefined) return undefined
  const { createAdminService, toAdminSettings } = loaded
  const { access, backups, clock, config, instruments, logger, maintenance, random, schemas, version } = parts
  const { nextRun } = parts
  // A schema that is pushed to the store may drop an event type, and must not keep the services from starting.
  const onUnknown =
    config.vars.schemaService === undefined
      ? undefined
      : (event: string): void =>
          logger(
            'error',
            'workers.admin.vars.events names an event type that the schema in the store lacks',
            {
              event,
            },
          )
  const admin = createAdminService({
    store: instruments.store,
    maintenance,
    backups,
    schedules: schedulesOf(config),
    nextRun,
    schemas,
    access,
    operations: instruments.operations,
    clock,
    random,
    logger,
    settings: toAdminSettings(config.workers.admin.vars, schemas, onUnknown),
    checkSchemas: access.checkSchemas,
    compileSchemas: (files) => createStoredSchemas(files, config.vars),
    schemaService: config.vars.schemaService,
    info: { version },
  })
  closers.push(admin.close)
  return admin
}
