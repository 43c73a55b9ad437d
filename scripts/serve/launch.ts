/**
 * Starts the services of one process as configured, and opens their ports.
 *
 * @module
 */

import packageFile from '../../package.json' with { type: 'json' }
import type { Bindings } from '#services/system/bindings.ts'
import { openSystem } from '#services/system/open_system.ts'
import { schedulesOf, type Config, type ServiceName } from '#services/system/settings.ts'
import type { CronEvent, System } from '#services/system/system.ts'
import type { OtherWorkers } from '#services/system/system_parts.ts'
import type { Elsewhere } from '#shared/access/quota/elsewhere.ts'
import type { Quotas } from '#shared/access/quota/quotas.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Answer, Handler } from '#shared/handler.ts'
import { errorResponse } from '#shared/http/respond.ts'
import type { Logger } from '#shared/logger.ts'
import { isTracingRegistered, type Tracer } from '#shared/observe/telemetry/tracing.ts'
import type { ListenPlace, Platform, RunningServer } from '#shared/runtime/runtime.ts'
import type { ReadSecret } from '#shared/secret.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { openAuditSink } from './audit_sink.ts'
import { refuseOpenAddress } from './options.ts'
import type { PassedSocket } from './passed_sockets.ts'
import { portProblem, socketProblem } from './port_problem.ts'
import type { Ready } from './preflight.ts'
import { nextTime, startSchedules } from './schedules.ts'
import { inFrontOf, runScheduled, serviceBindings, varsOf, type Placed } from './worker_modules.ts'
import type { HandOn } from './workers/hand_on.ts'
import type { OpenPorts } from './workers/place.ts'

/** What services are started with. */
export interface LaunchParts {
  readonly platform: Platform
  readonly logger: Logger
  readonly readSecret: ReadSecret
  readonly acceptLoss: boolean
  /** Those that run here. */
  readonly services: readonly ServiceName[]
  /** The other workers; absent: there are none. */
  readonly others?: OtherWorkers | undefined
  /** Counts attempts with the other workers; absent: there are none. */
  readonly elsewhere?: Elsewhere | undefined
  /** Put in front of all services, and of the listening service alone. */
  readonly forAll?: ((handler: Handler) => Handler) | undefined
  /** Set in a further worker. */
  readonly further?: FurtherParts | undefined
}

/** What is different in a further worker. */
export interface FurtherParts {
  /** The hub of the first worker as a store; absent: the store of the configuration. */
  readonly store?: Store | undefined
  readonly handOn: HandOn
  readonly acceptElsewhere: (message: Uint8Array) => void
  /** The quotas, which the first worker counts for all. */
  readonly quotas: Quotas
}

/** Started services, as clients reach them. */
export interface Launched {
  readonly system: System
  readonly all: Handler
  readonly only: (service: ServiceName) => Handler
  /** The module of the admin service, which gets the cron triggers. */
  readonly admin: Placed | undefined
  /** Address for others, where the configuration has none. */
  baseUrl: string
}

/** Starts the services. No port is open yet. */
export async function launch(
  { config, schemaFiles, modules, given }: Ready,
  {
    platform,
    logger,
    readSecret,
    acceptLoss,
    services,
    others,
    elsewhere,
    further,
    forAll = asItIs,
  }: LaunchParts,
): Promise<Launched> {
  const { audit } = config.vars
  const scheduled = (event: CronEvent): Promise<void> => system.scheduled(event)
  const placed = new Map<ServiceName, Placed>()
  const only = (service: ServiceName): Handler => {
    const handler = services.includes(service) ? system.only(service) : undefined
    return further?.handOn.only(service, handler) ?? forAll(system.only(service))
  }
  const system: System = await openSystem({
    config,
    services,
    schemaFiles,
    platform,
    logger,
    readSecret,
    acceptLoss,
    others,
    store: further?.store,
    acceptElsewhere: further?.acceptElsewhere,
    quotas: further?.quotas,
    elsewhere,
    tracer: await findTracer(),
    auditSink: audit === undefined ? undefined : await openAuditSink(audit.file),
    nextRun: (cron) => nextTime(cron, systemClock.now()),
    baseUrl: () => launched.baseUrl,
    inFront: (service, handle) => {
      const module = modules.get(service)
      if (module === undefined) return handle
      const calls: Bindings = serviceBindings(config, service, only)
      const place = { module, hosted: { handle, scheduled }, env: { ...varsOf(given, service), ...calls } }
      placed.set(service, place)
      return inFrontOf(place, (error) => moduleFailed(service, error, { platform, logger }))
    },
  })
  const launched: Launched = {
    system,
    all: further?.handOn.all(system.handle) ?? forAll(system.handle),
    only,
    admin: placed.get('admin'),
    baseUrl: `http://${config.dev.host}:${config.dev.port}`,
  }
  return launched
}

function asItIs(handler: Handler): Handler {
  return handler
}

/** Where to listen. */
export interface PortParts {
  readonly config: Config
  /** Those that run in any worker. */
  readonly services: readonly ServiceName[]
  readonly platform: Platform
  /** Whether other workers listen there too. */
  readonly isShared: boolean
  /** Sockets that the service manager has opened. They take the place of the common port. */
  readonly passed: readonly PassedSocket[]
}

/** Who may connect to `dev.socket`: its user and group, as a proxy is made a member of the group. */
const SOCKET_MODE = 0o660

/** Servers that listen. */
export interface OpenServers {
  readonly servers: readonly RunningServer[]
  readonly ports: OpenPorts
}

/**
 * Opens the common place, and the ports of single services.
 *
 * @throws {AvisoError} `ERR_CONFIG` where one is not to be had; all are closed then, and the services too.
 */
export async function openPorts(launched: Launched, parts: PortParts): Promise<OpenServers> {
  const servers: RunningServer[] = []
  try {
    return { servers, ports: await openEach(launched, parts, servers) }
  } catch (error) {
    await Promise.all(servers.map((server) => server.close()))
    await launched.system.close()
    throw error
  }
}

async function openEach(
  launched: Launched,
  { config, services, platform, isShared, passed }: PortParts,
  servers: RunningServer[],
): Promise<OpenPorts> {
  const { host, socket, port: commonPort } = config.dev
  const open = async (
    handle: Handler,
    place: ListenPlace,
    problem: (cause: unknown) => string,
  ): Promise<string> => {
    const server = await platform.serve(handle, place).catch((cause: unknown) => {
      throw isAvisoError(cause) ? cause : new AvisoError('ERR_CONFIG', problem(cause), { cause })
    })
    if (servers.length === 0 && server.url.startsWith('http:')) launched.baseUrl = server.url
    servers.push(server)
    return server.url
  }
  const openPort = async (path: string, handle: Handler, port: number): Promise<number> => {
    const place = { host, port, isShared }
    const url = await open(handle, place, (cause) => portProblem(cause, { path, host, port }))
    return Number(new URL(url).port || DEFAULT_PORT)
  }
  for (const { descriptor, service } of passed) {
    const handle = service === undefined ? launched.all : launched.only(service)
    const url = await open(
      handle,
      { descriptor },
      () => `LISTEN_FDS: socket ${descriptor} cannot be listened on`,
    )
    refuseOpenSocket(url, config)
  }
  const isCommon = services.some((name) => config.workers[name].dev.port === undefined) && passed.length === 0
  if (isCommon && socket !== undefined)
    await open(launched.all, { path: socket, mode: SOCKET_MODE }, (cause) => socketProblem(cause, socket))
  const common =
    isCommon && socket === undefined ? await openPort('dev.port', launched.all, commonPort) : undefined
  const own: Partial<Record<ServiceName, number>> = {}
  for (const name of services) {
    const port = config.workers[name].dev.port
    if (port !== undefined) own[name] = await openPort(`workers.${name}.dev.port`, launched.only(name), port)
  }
  return { ...(common !== undefined && { common }), own }
}

/** A socket of the service manager may be open to other machines. @throws {AvisoError} `ERR_CONFIG` where that is not allowed. */
function refuseOpenSocket(url: string, config: Config): void {
  if (!url.startsWith('http:')) return
  const { hostname } = new URL(url)
  refuseOpenAddress({ ...config, dev: { ...config.dev, host: hostname.replace(/^\[|\]$/g, '') } })
}

/** The port that an address of `http` does not name. */
const DEFAULT_PORT = 80

/** Starts the cron triggers of the admin service. @returns what stops them */
export function startCrons({ admin }: Launched, config: Config, logger: Logger): () => void {
  if (admin === undefined) return () => undefined
  const run = (event: CronEvent): Promise<void> =>
    runScheduled(admin, event).catch((error: unknown) =>
      logger('error', 'The module failed', { service: 'admin', reason: messageOf(error) }),
    )
  return startSchedules({ crons: schedulesOf(config), run, now: systemClock.now })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'it threw'
}

/** The answer for a module that failed. What it threw is for the log. */
function moduleFailed(
  service: ServiceName,
  error: unknown,
  { platform, logger }: Pick<LaunchParts, 'platform' | 'logger'>,
): Answer {
  logger('error', 'The module failed', { service, reason: messageOf(error) })
  const failure = new AvisoError('ERR_INTERNAL', 'The module of this service failed')
  return errorResponse(failure, { requestId: platform.random(), logger })
}

/** The tracer of an SDK that the operator has loaded; `undefined` without one. */
async function findTracer(): Promise<Tracer | undefined> {
  if (!isTracingRegistered(globalThis)) return undefined
  const openTelemetry = await import('#shared/observe/telemetry/open_telemetry.ts')
  return openTelemetry.findTracer(packageFile.version)
}
