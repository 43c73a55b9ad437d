/**
 * The launcher, `npm start` and `aviso serve`: runs any set of services on Node, Deno or Bun (workerd: `serve_workerd.ts`).
 *
 * @module
 */

import { homedir } from 'node:os'
import { resolve } from 'node:path'
import process from 'node:process'
import packageFile from '../package.json' with { type: 'json' }
import type { Bindings } from '#services/system/bindings.ts'
import { openSystem } from '#services/system/open_system.ts'
import { DEV_DEFAULTS, schedulesOf, type Config, type ServiceName } from '#services/system/settings.ts'
import type { CronEvent, System } from '#services/system/system.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Answer, Handler } from '#shared/handler.ts'
import { createSecretReader, type ReadSecret } from '#shared/secret.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { Platform, RunningServer } from '#shared/runtime/runtime.ts'
import { errorResponse, toAvisoError } from '#shared/http/respond.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createLogger, type Logger } from '#shared/logger.ts'
import { isTracingRegistered, type Tracer } from '#shared/observe/telemetry/tracing.ts'
import { isMain } from './is_main.ts'
import { findGivenConfig } from './serve/given_config.ts'
import { openAuditSink } from './serve/audit_sink.ts'
import { CALL, IS_RELEASE } from './released.ts'
import {
  asksStore,
  fineText,
  isCheck,
  parseServeArguments,
  readOptionsConfig,
  resolveConfig,
  withConfigFile,
  type ServeOptions,
} from './serve/options.ts'
import { portProblem } from './serve/port_problem.ts'
import { preflight, type Ready } from './serve/preflight.ts'
import { startSchedules } from './serve/schedules.ts'
import type { SecretFiles } from './serve/secret_files.ts'
import { secretNames } from './serve/secret_names.ts'
import { openServiceManager, systemdNotify } from './serve/service_manager.ts'
import { checkStore } from './serve/store_check.ts'
import { inFrontOf, runScheduled, serviceBindings, varsOf, type Placed } from './serve/worker_modules.ts'
import { openStoreTls, secured, type StoreTlsFiles } from './serve/store_tls.ts'
import { stopRequest } from './stop_requests.ts'

/** Longest time from a stop signal to the exit. It exceeds the 10 s that an ingest may need to learn an outcome. */
const STOP_LIMIT_MS = 15_000
/** Time between two reads of secrets. With the 25 s between checks of a stream, a token removed from its file is refused within 65 s. */
const REREAD_SECRETS_MS = 30_000

/** What to listen to first. A release is not in the folder of its examples. */
const EXAMPLE = IS_RELEASE ? '--event flight' : 'scripts/examples/flight.yaml'

/** The first Node that has SQLite without a flag. */
const SQLITE_SINCE = { major: 22, minor: 13 } as const

/** A started system and its addresses. */
interface Launched {
  readonly system: System
  readonly servers: readonly RunningServer[]
  /** The module of the admin service, which gets the cron triggers. */
  readonly admin: Placed | undefined
}

/**
 * Runs the services until a signal.
 *
 * @param call How it is called, for the usage text.
 * @returns the exit code
 */
export async function serve(argv: readonly string[], call?: string): Promise<number> {
  try {
    return await main(argv, call)
  } catch (error) {
    if (!isAvisoError(error)) throw error
    console.error(`error: ${error.message}`)
    return isAvisoError(error, 'ERR_CONFIG') ? 2 : 1
  }
}

async function main(argv: readonly string[], call: string | undefined): Promise<number> {
  refuseOldNode()
  const platform = await detectPlatform()
  const parsed = parseServeArguments(argv, platform.name, call)
  if (typeof parsed === 'number') return parsed
  const given = await findGivenConfig(parsed, {
    ...platform,
    home: homedir(),
    newToken: () => crypto.randomUUID(),
  })
  for (const note of given.notes) console.error(note)
  const { readText, environment } = given
  const options = await withConfigFile(given.options, readText)
  const ready = await preflight({
    options,
    read: await readOptionsConfig(options, readText),
    environment,
    readText,
    hasUdp: platform.udp !== undefined,
    askStore: asksStore(options) ? (...named) => askStore(named, options, platform) : undefined,
  })
  const { config, secrets } = ready
  for (const notice of ready.notices) console.error(`notice: ${options.config}: ${notice}`)
  if (isCheck(options)) {
    console.log(fineText(options, config, platform.version))
    return 0
  }
  const logger = createLogger(platform.log, systemClock.now, config.vars.logLevel)
  const readSecret = createSecretReader(secrets.environment, ({ message }) => warnOfSecret(logger, message))
  const { acceptLoss = false } = options
  const tlsFiles = storeTlsOf(config)
  const launched = await launch(ready, options, {
    platform: secured(platform, tlsFiles),
    logger,
    readSecret,
    acceptLoss,
  })
  // Signals are handled before the address is printed, because a script may stop the process as soon as it reads the address.
  const stopped = stopRequest(process)
  const rereadTls = (): void => rereadStoreTls(tlsFiles, logger)
  const reload = createReload({ system: launched.system, options, readText, secrets, logger, rereadTls })
  const manager = openServiceManager({
    environment: platform.environment,
    send: systemdNotify,
    clock: systemClock,
    logger,
  })
  process.on('SIGHUP', () => {
    manager.reloading()
    void reload().then(manager.ready)
  })
  announce(launched, config, platform)
  manager.ready()
  const stopSchedules = startCrons(launched, config, logger)
  const stopRereading = systemClock.every(REREAD_SECRETS_MS, () => {
    rereadTls()
    void rereadSecrets(secrets, [], logger)
  })
  const end = await Promise.race([stopped, failureOf(launched.system)])
  if (typeof end === 'string') console.error(`\n${end}: finishing writes and ending streams`)
  stopSchedules()
  const drainMs = end === 'SIGTERM' ? config.dev.drainSeconds * 1000 : 0
  manager.stopping(drainMs + STOP_LIMIT_MS)
  // Who presses Ctrl-C waits at a terminal, and no proxy is asked to look away.
  await launched.system.drain(drainMs)
  stopRereading()
  const limit = setTimeout(() => process.exit(1), STOP_LIMIT_MS)
  await launched.system.close()
  await Promise.all(launched.servers.map((server) => server.close()))
  await manager.close()
  clearTimeout(limit)
  if (typeof end !== 'string') throw end
  return 0
}

/** @returns why the services did not start, which waiting cannot mend; never where they run. */
function failureOf({ ready }: System): Promise<AvisoError> {
  return new Promise((failed) => {
    ready.catch((error: unknown) => failed(toAvisoError(error)))
  })
}

interface LaunchParts {
  readonly platform: Platform
  readonly logger: Logger
  readonly readSecret: ReadSecret
  readonly acceptLoss: boolean
}

function askStore(
  [config, secrets]: readonly [Config, SecretFiles],
  { acceptLoss = false }: ServeOptions,
  platform: Platform,
): Promise<readonly string[]> {
  return checkStore({
    config,
    platform: secured(platform, storeTlsOf(config)),
    readSecret: createSecretReader(secrets.environment),
    acceptLoss,
  })
}

function storeTlsOf({ vars: { storeTls } }: Config): StoreTlsFiles | undefined {
  return storeTls === undefined ? undefined : openStoreTls(storeTls, systemClock.now)
}

async function launch(
  { config, schemaFiles, modules, given }: Ready,
  { services }: ServeOptions,
  { platform, logger, readSecret, acceptLoss }: LaunchParts,
): Promise<Launched> {
  const servers: RunningServer[] = []
  const { audit } = config.vars
  const scheduled = (event: CronEvent): Promise<void> => system.scheduled(event)
  const placed = new Map<ServiceName, Placed>()
  const calls = (service: ServiceName): Bindings =>
    serviceBindings(config, service, (called) => system.only(called))
  const system: System = await openSystem({
    config,
    services,
    schemaFiles,
    platform,
    logger,
    readSecret,
    acceptLoss,
    tracer: await findTracer(),
    auditSink: audit === undefined ? undefined : await openAuditSink(audit.file),
    baseUrl: () => servers[0]?.url ?? `http://${config.dev.host}:${config.dev.port}`,
    inFront: (service, handle) => {
      const module = modules.get(service)
      if (module === undefined) return handle
      const place = {
        module,
        hosted: { handle, scheduled },
        env: { ...varsOf(given, service), ...calls(service) },
      }
      placed.set(service, place)
      return inFrontOf(place, (error) => moduleFailed(service, error, { platform, logger }))
    },
  })
  await openPorts({ system, servers, platform }, config, services)
  return { system, servers, admin: placed.get('admin') }
}

/** Opens the common port, and those of single services. @throws {AvisoError} `ERR_CONFIG` where one is not to be had; all are closed then. */
async function openPorts(
  {
    system,
    servers,
    platform,
  }: { readonly system: System; readonly servers: RunningServer[]; readonly platform: Platform },
  config: Config,
  services: readonly ServiceName[],
): Promise<void> {
  const { host } = config.dev
  const listen = async (path: string, handle: Handler, port: number): Promise<void> => {
    try {
      servers.push(await platform.serve(handle, { host, port }))
    } catch (cause) {
      await Promise.all(servers.map((server) => server.close()))
      await system.close()
      throw new AvisoError('ERR_CONFIG', portProblem(cause, { path, host, port }), { cause })
    }
  }
  if (services.some((name) => config.workers[name].dev.port === undefined))
    await listen('dev.port', system.handle, config.dev.port)
  for (const name of services) {
    const port = config.workers[name].dev.port
    if (port !== undefined) await listen(`workers.${name}.dev.port`, system.only(name), port)
  }
}

/** Starts the cron triggers of the admin service. @returns what stops them */
function startCrons({ admin }: Launched, config: Config, logger: Logger): () => void {
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

interface ReloadParts {
  readonly system: System
  readonly options: ServeOptions
  readonly readText: (path: string) => Promise<string>
  readonly secrets: SecretFiles
  readonly logger: Logger
  readonly rereadTls: () => void
}

/**
 * @returns a function that reads the policy in the configuration file and the secrets again, so that a right can be revoked without a
 *   restart. When the policy is wrong, the old policy stays.
 */
function createReload(parts: ReloadParts): () => Promise<void> {
  const { system, options, readText, secrets, logger } = parts
  return async () => {
    parts.rereadTls()
    try {
      const config = await resolveConfig(options, readText)
      await rereadSecrets(secrets, secretNames(config), logger)
      system.replacePolicy(config.vars.policy)
      logger('info', 'The policy was read again')
    } catch (error) {
      logger('error', 'The policy could not be read again: the old policy stays', { reason: reasonOf(error) })
    }
  }
}

/** @param more Secrets that the configuration now names. */
async function rereadSecrets(secrets: SecretFiles, more: readonly string[], logger: Logger): Promise<void> {
  const changed = await secrets.readAgain(more, ({ message }) => warnOfSecret(logger, message))
  if (changed.length > 0) logger('info', 'Secrets were replaced', { names: changed.join() })
}

function rereadStoreTls(files: StoreTlsFiles | undefined, logger: Logger): void {
  const warn = (reason: string): void =>
    logger('error', 'New certificates for the store cannot be used: the old ones stay', { reason })
  if (files?.readAgain(warn) === true) logger('info', 'The certificates for the store were replaced')
}

function warnOfSecret(logger: Logger, reason: string): void {
  logger('error', 'A new secret cannot be used: the old secret stays', { reason })
}

function reasonOf(error: unknown): string {
  return isAvisoError(error, 'ERR_CONFIG') ? error.message : 'unknown'
}

function announce({ servers }: Launched, config: Config, platform: Platform): void {
  const url = servers[0]?.url ?? ''
  const where =
    config.vars.store === 'embedded:'
      ? `embedded store in ${dataFolder(config)}/`
      : `store ${config.vars.store}`
  const server = url === `http://${DEV_DEFAULTS.host}:${DEV_DEFAULTS.port}` ? '' : `AVISO_BASE_URL=${url} `
  // What SIGHUP is sent to: npm would end of it.
  console.log(`Aviso ${packageFile.version} on ${platform.version}, ${where}, process ${process.pid}`)
  for (const { url: address } of servers) console.log(`Listening on ${address}`)
  console.log(
    `Listen:   ${server}${CALL} listen ${EXAMPLE}   (or: curl -N '${url}/api/v1/watch?event=flight')`,
  )
  console.log(
    `Publish:  ${server}${CALL} notify event=flight,country=Italy,airport=FCO,date=20260810,number=AZ203,payload=Landed`,
  )
}

/** A release is started in any folder, and names the one that is meant. */
function dataFolder({ dev }: Config): string {
  return IS_RELEASE ? resolve(dev.data) : dev.data
}

/** `npm start` says so itself; tsx starts on older ones. @throws {AvisoError} `ERR_CONFIG` where Node lacks what is used. */
function refuseOldNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > SQLITE_SINCE.major || (major === SQLITE_SINCE.major && minor >= SQLITE_SINCE.minor)) return
  throw new AvisoError(
    'ERR_CONFIG',
    IS_RELEASE
      ? `Node ${process.versions.node} is too old for the services, and the package was installed without the Node that it brings: install it again without --omit=optional, or use Node 22.13 or newer. The client runs on it`
      : `Node ${process.versions.node} is too old for the services: they need 22.18 or newer. The client runs on it`,
  )
}

/** The tracer of an SDK that the operator has loaded; `undefined` without one. */
async function findTracer(): Promise<Tracer | undefined> {
  if (!isTracingRegistered(globalThis)) return undefined
  const openTelemetry = await import('#shared/observe/telemetry/open_telemetry.ts')
  return openTelemetry.findTracer(packageFile.version)
}

if (isMain(import.meta)) {
  process.exitCode = await serve(process.argv.slice(2))
  process.exit()
}
