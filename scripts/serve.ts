/**
 * The launcher, `npm start` and `aviso serve`: runs any set of services on Node, Deno or Bun (workerd: `serve_workerd.ts`).
 *
 * @module
 */

import { homedir } from 'node:os'
import { resolve } from 'node:path'
import process from 'node:process'
import packageFile from '../package.json' with { type: 'json' }
import type { Config, ServiceName } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { createSecretReader } from '#shared/secret.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { Platform, RunningServer } from '#shared/runtime/runtime.ts'
import { toAvisoError } from '#shared/http/respond.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createLogger } from '#shared/logger.ts'
import { isMain } from './is_main.ts'
import { firstSteps } from './serve/first_steps.ts'
import { findGivenConfig } from './serve/given_config.ts'
import { IS_RELEASE } from './released.ts'
import { launch, openPorts, startCrons, type LaunchParts } from './serve/launch.ts'
import {
  asksStore,
  fineText,
  isCheck,
  parseServeArguments,
  readOptionsConfig,
  withConfigFile,
  type ServeOptions,
} from './serve/options.ts'
import { takePassedSockets, type PassedSocket } from './serve/passed_sockets.ts'
import { preflight, type Ready } from './serve/preflight.ts'
import { createReload, keepRereading, warnOfSecret, type ReloadParts } from './serve/reload.ts'
import type { SecretFiles } from './serve/secret_files.ts'
import { openServiceManager, systemdNotify } from './serve/service_manager.ts'
import { checkStore } from './serve/store_check.ts'
import { openStoreTls, secured, type StoreTlsFiles } from './serve/store_tls.ts'
import type { Family } from './serve/workers/family.ts'
import { readPlace, WorkerEnded } from './serve/workers/place.ts'
import { printResult } from './standard_output.ts'
import { stopRequest } from './stop_requests.ts'

/** Longest time from a stop signal to the exit. It exceeds the 10 s that an ingest may need to learn an outcome. */
const STOP_LIMIT_MS = 15_000

/** The first Node that has SQLite without a flag. */
const SQLITE_SINCE = { major: 22, minor: 13 } as const

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
    // A worker has said why itself.
    if (error instanceof WorkerEnded) return error.exitCode
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
  const place = readPlace(platform.environment)
  const passed = place?.passed ?? takePassedSockets(process)
  const given = await findGivenConfig(parsed, {
    ...platform,
    home: homedir(),
    newToken: () => crypto.randomUUID(),
  })
  if (place === undefined) for (const note of given.notes) console.error(note)
  const { readText, environment } = given
  const options = await withConfigFile(given.options, readText)
  const ready = await preflight({
    options,
    read: await readOptionsConfig(options, readText),
    environment,
    readText,
    hasUdp: platform.udp !== undefined,
    isFurther: place !== undefined,
    passed,
    askStore: asksStore(options) ? (...named) => askStore(named, options, platform) : undefined,
  })
  const { config, secrets } = ready
  if (isCheck(options)) {
    tellNotices(ready, options)
    return printResult(fineText(options, config, platform.version))
  }
  const logger = createLogger(platform.log, systemClock.now, config.vars.logLevel)
  const readSecret = createSecretReader(secrets.environment, ({ message }) => warnOfSecret(logger, message))
  const tlsFiles = storeTlsOf(config)
  const parts = {
    platform: secured(platform, tlsFiles),
    logger,
    readSecret,
    acceptLoss: options.acceptLoss ?? false,
    services: options.services,
  }
  const again = { options, readText, secrets, logger, tlsFiles }
  if (place !== undefined) {
    const { runFurther } = await import('./serve/workers/run_further.ts')
    return runFurther(ready, { place, launchParts: parts, again, failureOf })
  }
  tellNotices(ready, options)
  return runFirst(ready, parts, { ...again, passed })
}

function tellNotices({ notices }: Ready, { config }: ServeOptions): void {
  for (const notice of notices) console.error(`notice: ${config}: ${notice}`)
}

/** Runs the first worker, which is mostly the only one, until a signal. @returns the exit code */
async function runFirst(
  ready: Ready,
  parts: LaunchParts,
  { passed, ...again }: Omit<ReloadParts, 'system'> & { readonly passed: readonly PassedSocket[] },
): Promise<number> {
  const { config } = ready
  const { platform, logger } = parts
  const { services, workers: count = 1 } = again.options
  // Most services are one worker, and their start does not pay for what several need.
  const lead = count === 1 ? undefined : (await import('./serve/workers/lead.ts')).createLead(count, parts)
  const family = lead?.family
  const launched = await launch(ready, {
    ...parts,
    ...(lead && { others: lead.family.others, elsewhere: lead.elsewhere, forAll: lead.forAll }),
  })
  const { system } = launched
  const { servers, ports } = await openPorts(launched, {
    config,
    services,
    platform,
    isShared: family !== undefined,
    passed,
  })
  // Signals are handled before the address is printed, because a script may stop the process as soon as it reads the address.
  const stopped = stopRequest(process)
  const failed = failureOf(system)
  const reload = createReload({ ...again, system })
  const manager = openServiceManager({
    environment: platform.environment,
    send: systemdNotify,
    clock: systemClock,
    logger,
  })
  process.on('SIGHUP', () => {
    manager.reloading()
    family?.order({ kind: 'reload' })
    void reload().then(manager.ready)
  })
  const closeAll = async (): Promise<void> => {
    await family?.end(STOP_LIMIT_MS)
    await system.close()
    await Promise.all([...servers, ...doors].map((server) => server.close()))
  }
  const doors = lead === undefined ? [] : [await lead.openDoors(launched)]
  const isUp = await Promise.race([startAll(family, { ports, passed }, closeAll), stopped, failed])
  if (isUp === undefined) {
    announce(servers, { config, services, schemaFiles: ready.schemaFiles, platform, count })
    manager.ready()
  }
  const stopSchedules = startCrons(launched, config, logger)
  const stopRereading = keepRereading(again)
  const end = await Promise.race([stopped, failed])
  if (typeof end === 'string') console.error(`\n${end}: finishing writes and ending streams`)
  stopSchedules()
  const drainMs = end === 'SIGTERM' ? config.dev.drainSeconds * 1000 : 0
  manager.stopping(drainMs + STOP_LIMIT_MS)
  // Who presses Ctrl-C waits at a terminal, and no proxy is asked to look away.
  if (drainMs > 0) family?.order({ kind: 'drain', ms: drainMs })
  await system.drain(drainMs)
  stopRereading()
  const limit = setTimeout(() => process.exit(1), STOP_LIMIT_MS)
  await closeAll()
  await manager.close()
  clearTimeout(limit)
  if (typeof end !== 'string') throw end
  return 0
}

/** Starts the further workers. Where one does not come to listen, all end. */
async function startAll(
  family: Family | undefined,
  places: Parameters<Family['start']>[0],
  closeAll: () => Promise<void>,
): Promise<undefined> {
  try {
    await family?.start(places)
    return undefined
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** @returns why the services did not start, which waiting cannot mend; never where they run. */
function failureOf({ ready }: System): Promise<AvisoError> {
  return new Promise((failed) => {
    ready.catch((error: unknown) => failed(toAvisoError(error)))
  })
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

interface AnnounceParts {
  readonly services: readonly ServiceName[]
  readonly config: Config
  readonly schemaFiles: Ready['schemaFiles']
  readonly platform: Platform
  readonly count: number
}

/** By `console.log`: services go on where nothing can be written. */
function announce(servers: readonly RunningServer[], parts: AnnounceParts): void {
  const { config, services, schemaFiles, platform, count } = parts
  const url = servers[0]?.url ?? ''
  const where =
    config.vars.store === 'embedded:'
      ? `embedded store in ${dataFolder(config)}/`
      : `store ${config.vars.store}`
  // What SIGHUP is sent to: npm would end of it.
  const workers = count === 1 ? '' : `, ${count} workers`
  console.log(
    `Aviso ${packageFile.version} on ${platform.version}, ${where}${workers}, process ${process.pid}`,
  )
  for (const { url: address } of servers) console.log(`Listening on ${address}`)
  for (const line of firstSteps({ url, config, services, schemaFiles })) console.log(line)
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

if (isMain(import.meta)) {
  process.exitCode = await serve(process.argv.slice(2))
  process.exit()
}
