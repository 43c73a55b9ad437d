/**
 * The bindings of a worker module: what it gets instead of flags and files, in the second argument of `fetch`, or as environment variables
 * where a runtime gives none there.
 *
 * | binding | value |
 * |---|---|
 * | `AVISO_SERVICE` | an object: the service itself, on the store of the launcher |
 * | `AVISO_HOST` | a Durable Object namespace of the class `AvisoHost`, which runs the services |
 * | `AVISO_CONFIG` | the configuration file, as JSON or as text; a longer one in parts: `AVISO_CONFIG_1`, `AVISO_CONFIG_2`, … |
 * | `AVISO_CONFIG_FILE` | the path of that file, where there are files |
 * | `AVISO_SCHEMAS` | the schema files, `[{"source": …, "content": …}]`, where they cannot be read; in parts like the above |
 * | `AVISO_SERVICES` | the services to run together, such as `rest auth` or `["rest", "auth"]` |
 * | `AVISO_BASE_URL` | the address for others, where the configuration has none |
 *
 * Secrets are bindings with the names that the configuration gives them.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Answer, Handler } from '#shared/handler.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import type { SchemaFile } from '#shared/notification/schema.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import { createSecretReader } from '#shared/secret.ts'
import { refuseProblems } from '#shared/config/load.ts'
import { flawLine } from '#shared/config/explain.ts'
import { createLogger } from '#shared/logger.ts'
import { systemClock } from '#shared/time/clock.ts'
import { checkConfig } from './check_config.ts'
import { openSystem } from './open_system.ts'
import { createConfiguredSchemas } from './runs.ts'
import { readSchemaFiles } from './schema_files.ts'
import { readConfig, SERVICE_NAMES, type Config, type ServiceName } from './settings.ts'
import type { CronEvent, System } from './system.ts'

/** Values by name. */
export type Bindings = Readonly<Record<string, unknown>>

/** The binding `AVISO_SERVICE`: a service that runs already. */
export interface HostedService {
  readonly handle: Handler
  scheduled(event: CronEvent): Promise<void>
}

/** The binding `AVISO_HOST`: the part of a Durable Object namespace that is used. */
export interface HostNamespace {
  idFromName(name: string): unknown
  get(id: unknown): { fetch(request: Request): Promise<Response> }
}

/** Most parts of one binding: 64 parts of 5 kB are more than a script may have. */
const MAX_PARTS = 64
/** Where nothing says what the address for others is. It is no name that a request could choose. */
const NO_BASE_URL = 'http://localhost'

/** Whether a value has a binding of ours, and is not what some runtimes give in its place. */
export function hasBindings(value: unknown): value is Bindings {
  return isObject(value) && Object.keys(value).some((name) => name.startsWith('AVISO_'))
}

/** The binding `AVISO_SERVICE`; `undefined` where it is not bound. */
export function hostedService(env: unknown): HostedService | undefined {
  const bound = isObject(env) ? env['AVISO_SERVICE'] : undefined
  return hasMethods<HostedService>(bound, 'handle', 'scheduled') ? bound : undefined
}

/** The binding `AVISO_HOST`; `undefined` where it is not bound. */
export function hostNamespace(env: unknown): HostNamespace | undefined {
  const bound = isObject(env) ? env['AVISO_HOST'] : undefined
  return hasMethods<HostNamespace>(bound, 'idFromName', 'get') ? bound : undefined
}

/** What a system is put together from. */
export interface BoundParts {
  readonly bindings: Bindings
  readonly platform: Platform
  /** Which to run, unless `AVISO_SERVICES` names them. */
  readonly services: readonly ServiceName[]
}

/** What a worker runs when nothing hosts it. */
export interface OwnSystem {
  readonly system: System
  readonly config: Config
}

/**
 * Puts a system together from bindings. What is missing or wrong is logged, too.
 *
 * @throws {AvisoError} `ERR_CONFIG` that names what is missing or wrong.
 */
export async function openFromBindings(parts: BoundParts): Promise<OwnSystem> {
  try {
    return await open(parts)
  } catch (error) {
    const log = createLogger(parts.platform.log, systemClock.now)
    log('error', 'The worker cannot start', { reason: error instanceof Error ? error.message : 'unknown' })
    throw error
  }
}

async function open({ bindings, platform, services }: BoundParts): Promise<OwnSystem> {
  const source = 'AVISO_CONFIG'
  const { settings: config, flaws } = readConfig(await configText(bindings, platform), source)
  refuseProblems(source, flaws.map(flawLine))
  if (config === undefined) throw new TypeError('No settings and no flaws')
  const running = servicesOf(bindings) ?? services
  const schemaFiles =
    schemaFilesOf(bindings) ?? (await readSchemaFiles(config.vars.schemas, platform.readText))
  const readSecret = createSecretReader(textsOf(bindings))
  const schemas = createConfiguredSchemas(schemaFiles, config.vars)
  const hasUdp = platform.udp !== undefined
  const parts = { config, services: running, schemas, readSecret, clock: systemClock, hasUdp }
  refuseProblems(source, checkConfig(parts))
  const logger = createLogger(platform.log, systemClock.now, config.vars.logLevel)
  const baseUrl = bindings['AVISO_BASE_URL']
  const system = await openSystem({
    config,
    services: running,
    schemaFiles,
    platform,
    logger,
    readSecret,
    // A worker writes no files, so audit records go where its log goes.
    auditSink: config.vars.audit === undefined ? undefined : (lines: string) => platform.log(lines.trimEnd()),
    baseUrl: () => (typeof baseUrl === 'string' ? baseUrl : NO_BASE_URL),
  })
  return { system, config }
}

/** The answer of a worker that cannot start. Anybody may read which binding is missing or wrong; the rest is for the log. */
export function unopened(error: unknown): Answer {
  const isTold = isAvisoError(error, 'ERR_CONFIG') && error.message.startsWith('The binding AVISO_')
  const message = isTold ? error.message : 'The service cannot start: its log says why'
  return jsonResponse(500, { code: 'ERR_CONFIG', error: 'ERR_CONFIG', message })
}

async function configText(bindings: Bindings, platform: Platform): Promise<string> {
  const text = textOfParts(bindings, 'AVISO_CONFIG')
  if (text !== undefined) return text
  const path = bindings['AVISO_CONFIG_FILE']
  if (typeof path !== 'string')
    throw new AvisoError(
      'ERR_CONFIG',
      `The binding AVISO_CONFIG is missing: give the configuration as JSON, or the path of its file as AVISO_CONFIG_FILE${platform.name === 'workerd' ? '' : ' (both may be environment variables)'}`,
    )
  return platform.readText(path).catch((cause: unknown) => {
    throw new AvisoError('ERR_CONFIG', 'The binding AVISO_CONFIG_FILE names a file that cannot be read', {
      cause,
    })
  })
}

function servicesOf(bindings: Bindings): readonly ServiceName[] | undefined {
  const bound = bindings['AVISO_SERVICES']
  if (bound === undefined) return undefined
  const list = typeof bound === 'string' ? bound.trim().split(/[\s,]+/) : bound
  const names: readonly unknown[] = Array.isArray(list) ? list : []
  const known = SERVICE_NAMES.filter((name) => names.includes(name))
  if (known.length === names.length && known.length > 0) return known
  throw new AvisoError(
    'ERR_CONFIG',
    `The binding AVISO_SERVICES has to name services: known are ${SERVICE_NAMES.join(', ')}`,
  )
}

function schemaFilesOf(bindings: Bindings): readonly SchemaFile[] | undefined {
  const text = textOfParts(bindings, 'AVISO_SCHEMAS')
  if (text === undefined) return undefined
  const files = parsed(text)
  if (Array.isArray(files) && files.every(isSchemaFile)) return files
  throw new AvisoError(
    'ERR_CONFIG',
    'The binding AVISO_SCHEMAS has to be a list such as [{"source": "own.json", "content": {…}}]',
  )
}

function isSchemaFile(value: unknown): value is SchemaFile {
  return isObject(value) && typeof value['source'] === 'string' && 'content' in value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A binding as text, which may be bound as JSON or in parts; `undefined` where it is not bound. */
function textOfParts(bindings: Bindings, name: string): string | undefined {
  const whole = bindings[name]
  if (whole !== undefined) return typeof whole === 'string' ? whole : JSON.stringify(whole)
  const parts: string[] = []
  for (let number = 1; number <= MAX_PARTS; number++) {
    const part = bindings[`${name}_${number}`]
    if (typeof part !== 'string') break
    parts.push(part)
  }
  return parts.length === 0 ? undefined : parts.join('')
}

/** The bindings that are texts: the secrets are among them. */
function textsOf(bindings: Bindings): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(bindings).map(([name, value]) => [name, typeof value === 'string' ? value : undefined]),
  )
}

function isObject(value: unknown): value is Bindings {
  return typeof value === 'object' && value !== null
}

function hasMethods<Kind extends object>(
  value: unknown,
  ...names: readonly (keyof Kind & string)[]
): value is Kind {
  return isObject(value) && names.every((name) => typeof value[name] === 'function')
}
