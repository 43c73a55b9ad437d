/**
 * Looks before the start at everything that a start needs, and tells all that is wrong at once. It changes and starts nothing.
 *
 * @module
 */

import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { checkConfig, problemsOf } from '#services/system/check_config.ts'
import { createConfiguredSchemas } from '#services/system/runs.ts'
import { readSchemaFiles } from '#services/system/schema_files.ts'
import type { Config } from '#services/system/settings.ts'
import { flawLine } from '#shared/config/explain.ts'
import { refuseProblems, type ReadSettings } from '#shared/config/load.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { SchemaFile, Schemas } from '#shared/notification/schema.ts'
import { createSecretReader } from '#shared/secret.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import { systemClock } from '#shared/time/clock.ts'
import { refuseOpenAddress, type ServeOptions } from './options.ts'
import { checkRoutes } from './known_routes.ts'
import { isInUse } from '#shared/runtime/socket_file.ts'
import type { PassedSocket } from './passed_sockets.ts'
import { portProblem, socketProblem } from './port_problem.ts'
import { checkSchedules } from './schedules.ts'
import { createSecretFiles, type SecretFiles } from './secret_files.ts'
import { secretPlaces } from './secret_names.ts'
import { checkStoreTls } from './store_tls.ts'
import { loadModules, type LoadedModules } from './worker_modules.ts'
import { checkWorkers, servicesOfFurther } from './workers/count.ts'

/** What is looked at. */
export interface PreflightParts {
  readonly options: ServeOptions
  readonly read: ReadSettings<Config>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly readText: (path: string) => Promise<string>
  readonly hasUdp: boolean
  /** Whether ports are tried; `false`: the services may be running. */
  readonly opensPorts?: boolean
  /** Whether this is not the first of several workers: ports and folders are the first one's. */
  readonly isFurther?: boolean
  /** Sockets that the service manager has opened. */
  readonly passed?: readonly PassedSocket[]
  /** Whether another program serves, at a port, in one process: workerd. */
  readonly isOneProcess?: boolean
  /** Asks the store, for a check alone: a start waits for it. @returns a line for each problem */
  readonly askStore?: ((config: Config, secrets: SecretFiles) => Promise<readonly string[]>) | undefined
}

/** What a start goes on with. */
export interface Ready {
  readonly config: Config
  readonly secrets: SecretFiles
  readonly schemaFiles: readonly SchemaFile[]
  /** The modules of the services, by which requests come to them. */
  readonly modules: LoadedModules
  /** The file's values with environment and flags applied. */
  readonly given: ReadSettings<Config>['given']
  /** What the operator should write instead of something that is still read. */
  readonly notices: readonly string[]
}

/** @throws {AvisoError} `ERR_CONFIG` that lists everything that is wrong. */
export async function preflight(parts: PreflightParts): Promise<Ready> {
  const { options, read, environment, readText } = parts
  const secrets = createSecretFiles(environment, readText)
  const { settings: config } = read
  const problems = read.flaws.map(flawLine)
  if (config === undefined) {
    refuseProblems(options.config, problems)
    throw new TypeError('No settings and no flaws')
  }
  const refused = read.flaws.map(({ path }) => path.join('.'))
  const schemaFiles: SchemaFile[] = []
  problems.push(...(await readSchemas(config, readText, schemaFiles)))
  problems.push(...(await readSecrets(parts, config, secrets)))
  const found = checkConfig({
    config,
    services: options.services,
    schemas: schemasOf(schemaFiles, config, problems),
    readSecret: createSecretReader(secrets.environment),
    clock: systemClock,
    hasUdp: parts.hasUdp,
    refused,
  })
  problems.push(...found, ...checkCrons(config, refused), ...checkFolder(config), ...checkAudit(config))
  problems.push(...checkProcesses(parts, config))
  problems.push(...checkRoutes(config, options.services))
  if (!refused.some((path) => path.startsWith('vars.storeTls')))
    problems.push(...checkStoreTls(config.vars, systemClock.now()))
  if (!refused.some((path) => path.startsWith('vars.identity')))
    problems.push(...problemsOf('dev.host', () => refuseOpenAddress(config)))
  if (parts.isFurther !== true && parts.opensPorts !== false)
    problems.push(...(await checkPlaces(parts, config)))
  // A further worker has the modules of its own services.
  const here = parts.isFurther === true ? servicesOfFurther(config, options.services) : options.services
  const modules = await loadModules(config, here, { file: options.config, problems })
  const isStoreNamed = !problems.some((line) => /^(?:vars\.store|dev\.data)/.test(line))
  if (isStoreNamed) problems.push(...((await parts.askStore?.(config, secrets)) ?? []))
  refuseProblems(options.config, [...new Set(problems)])
  const notices = [...read.notices, ...idleFolder(options, config)]
  return { config, secrets, schemaFiles, modules, given: read.given, notices }
}

/** Every file is read, though another one cannot be. */
async function readSchemas(
  { vars }: Config,
  readText: PreflightParts['readText'],
  files: SchemaFile[],
): Promise<readonly string[]> {
  const read = vars.schemas.map((name) => readSchemaFiles([name], readText))
  const problems: string[] = []
  for (const [index, result] of (await Promise.allSettled(read)).entries()) {
    if (result.status === 'fulfilled') files.push(...result.value)
    else problems.push(...problemsOf(`vars.schemas.${index}`, () => rethrow(result.reason)))
  }
  return problems
}

/** The schemas, unless a problem with them was told or is added now. */
function schemasOf(files: readonly SchemaFile[], { vars }: Config, problems: string[]): Schemas | undefined {
  if (problems.some((line) => line.startsWith('vars.schemas'))) return undefined
  let schemas: Schemas | undefined
  problems.push(...problemsOf('vars.schemas', () => (schemas = createConfiguredSchemas(files, vars))))
  return schemas
}

/** Reads all secrets that the services need; each that is missing is told where it is named. */
async function readSecrets(
  { options }: PreflightParts,
  { vars, workers }: Config,
  secrets: SecretFiles,
): Promise<readonly string[]> {
  const running = Object.fromEntries(options.services.map((name) => [name, workers[name]]))
  const problems: string[] = []
  for (const { path, name } of secretPlaces({ vars, workers: running })) {
    try {
      // One after the other, so that each problem has its place.
      await secrets.read([name])
      createSecretReader(secrets.environment)(name)
    } catch (error) {
      problems.push(...problemsOf(path, () => rethrow(error)))
    }
  }
  return problems
}

function rethrow(error: unknown): never {
  throw error
}

/** @param refused Begins of the paths of values that were refused. */
export function checkCrons({ workers }: Config, refused: readonly string[]): readonly string[] {
  const { vars } = workers.admin
  if (refused.some((path) => path.startsWith('workers.admin'))) return []
  const limits = { longestGapMs: vars.longestGap, nowMs: systemClock.now() }
  return Object.entries(vars.jobs).flatMap(([job, cron]) =>
    problemsOf(`workers.admin.vars.jobs.${job}`, () => checkSchedules({ [job]: cron }, limits)),
  )
}

/** File systems of the kernel: their folders pass for writable, and hold no files of a program. */
const KERNEL_FOLDER = /^\/(?:proc|sys)(?:\/|$)/

/** The folder of the embedded store, or the nearest one above it that is there, must be a folder that can be written. */
function checkFolder(config: Config): readonly string[] {
  return isOnDisk(config) ? folderProblem('dev.data', config.dev.data, 'name another folder with --data') : []
}

/** A folder that is named for nothing: its user may believe that notifications are kept there. */
function idleFolder({ data }: ServeOptions, config: Config): readonly string[] {
  if (data === undefined || isOnDisk(config)) return []
  return [
    `--data has no effect: the store is ${config.vars.store}, and only embedded: keeps its notifications in a folder`,
  ]
}

function isOnDisk({ vars }: Config): boolean {
  try {
    const address = parseStoreAddress(vars.store)
    return address.kind === 'embedded' && address.place === 'disk'
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    return false
  }
}

function checkAudit({ vars }: Config): readonly string[] {
  const { audit } = vars
  if (audit === undefined || audit.file === '-') return []
  if (existsSync(audit.file) && statSync(audit.file).isDirectory())
    return [`vars.audit.file: "${audit.file}" is a folder: name a file`]
  if (!existsSync(dirname(resolve(audit.file))))
    return [`vars.audit.file: the folder of "${audit.file}" is missing: make it`]
  return canWrite(existsSync(audit.file) ? audit.file : dirname(resolve(audit.file)))
    ? []
    : [`vars.audit.file: "${audit.file}" cannot be written by this user`]
}

function folderProblem(path: string, folder: string, remedy: string): readonly string[] {
  let there = resolve(folder)
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  const what = there === resolve(folder) ? `"${folder}"` : `"${folder}" cannot be made: "${there}"`
  if (process.platform === 'linux' && KERNEL_FOLDER.test(realpathSync(there)))
    return [`${path}: ${what} is of the kernel, which keeps no files there: ${remedy}`]
  if (!statSync(there).isDirectory()) return [`${path}: ${what} is a file and not a folder: ${remedy}`]
  if (!canWrite(there)) return [`${path}: ${what} cannot be written by this user: ${remedy}`]
  return []
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Whether there can be so many processes, where they are to listen. */
function checkProcesses(
  { options, isOneProcess = false }: PreflightParts,
  config: Config,
): readonly string[] {
  const { workers = 1, services } = options
  if (!isOneProcess) return checkWorkers(workers, { config, services })
  return [
    ...(workers === 1 ? [] : ['--workers: workerd runs all services in one process: leave it out']),
    ...(config.dev.socket === undefined
      ? []
      : ['dev.socket: workerd is started at a port: leave dev.socket out, and give dev.port']),
  ]
}

/** The place of all services together, and the ports of single ones. */
async function checkPlaces(
  { options, passed = [] }: PreflightParts,
  config: Config,
): Promise<readonly string[]> {
  const { socket } = config.dev
  const isPort = passed.length === 0 && socket === undefined
  const ports = await checkPorts(options, config, isPort)
  return passed.length > 0 || socket === undefined ? ports : [...ports, ...(await checkSocket(socket))]
}

async function checkSocket(path: string): Promise<readonly string[]> {
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) return [socketProblem(Object.assign(new Error(), { code: 'ENOENT' }), path)]
  if (!canWrite(folder)) return [socketProblem(Object.assign(new Error(), { code: 'EACCES' }), path)]
  const inUse = await isInUse(path)
  return inUse ? [socketProblem(Object.assign(new Error(), { code: 'EADDRINUSE' }), path)] : []
}

/** Opens each port for a moment. */
async function checkPorts(
  { services, port }: ServeOptions,
  config: Config,
  isCommon: boolean,
): Promise<readonly string[]> {
  const { host } = config.dev
  const alone = services.flatMap((name) => {
    const own = config.workers[name].dev.port
    return own === undefined ? [] : [{ path: `workers.${name}.dev.port`, port: own }]
  })
  const common = { path: port === undefined ? 'dev.port' : '--port', port: config.dev.port }
  const places = alone.length === services.length || !isCommon ? alone : [common, ...alone]
  const problems = await Promise.all(
    places.map(async (place) => {
      const error = await tryPort(host, place.port)
      return error === undefined ? undefined : portProblem(error, { ...place, host })
    }),
  )
  return problems.filter((problem) => problem !== undefined)
}

function tryPort(host: string, port: number): Promise<unknown> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', done)
    server.listen({ host, port, exclusive: true }, () => server.close(() => done(undefined)))
  })
}
