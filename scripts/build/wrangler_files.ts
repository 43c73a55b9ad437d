/**
 * Makes wrangler's own configuration from ours: one file for each worker, or one for all services together.
 *
 * @module
 */

import { secretNames } from '../serve/secret_names.ts'
import { findMain, varsOf } from '../serve/worker_modules.ts'
import { REFERENCE_ROUTES } from '#services/reference/paths.ts'
import type { Config, ServiceName } from '#services/system/settings.ts'
import type { JsonRecord } from '#shared/json/record.ts'
import type { SchemaFile } from '#shared/notification/schema.ts'

/** The compatibility date that is tested. The pinned workerd also knows newer dates. */
export const COMPATIBILITY_DATE = '2026-01-01'
/** A listener that leaves is noticed by the signal of its request. */
export const NEEDED_FLAGS = ['enable_request_signal'] as const
/** Most bytes of one variable. Cloudflare takes 5 kB; what is below it is for the name and for what it counts besides. */
export const VARIABLE_BYTES = 4_800
const HOST_BINDING = { name: 'AVISO_HOST', class_name: 'AvisoHost' } as const
const MIGRATIONS = [{ tag: 'v1', new_sqlite_classes: ['AvisoHost'] }] as const

/** What files are made from. */
export interface WranglerParts {
  readonly config: Config
  /** The values of our file with the environment applied. */
  readonly given: JsonRecord
  readonly schemaFiles: readonly SchemaFile[]
  readonly services: readonly ServiceName[]
  /** Path of our file. */
  readonly file: string
  readonly environment?: string | undefined
}

/** A worker to deploy. */
export interface BuiltWorker {
  readonly name: string
  /** The services that come to it. */
  readonly services: readonly ServiceName[]
  /** Whether it has the Durable Object. */
  readonly isHost: boolean
  /** The content of its `wrangler.jsonc`. */
  readonly file: JsonRecord
  /** Names of the secrets that it needs. */
  readonly secrets: readonly string[]
}

/** One worker for each service; the first one with the Durable Object, unless the file names another. */
export function separateWorkers(parts: WranglerParts): readonly BuiltWorker[] {
  const { config, services } = parts
  const owner = ownerOf(config, services)
  return services.map((service) => {
    const entry = config.workers[service]
    const isHost = service === owner
    const name = deployedName(entry.name, parts.environment)
    const isShipped = 'shipped' in findMain(entry.main, { service, config: parts.file })
    const script = isHost ? {} : { script_name: deployedName(config.workers[owner].name, parts.environment) }
    const vars = { ...(isShipped ? {} : varsOf(parts.given, service)), ...(isHost && bindingsOf(parts)) }
    const called = entry.services.map(({ binding, service: other }) => ({
      binding,
      service: deployedName(other, parts.environment),
    }))
    const file = {
      ...commonOf(parts, [service], { name, isHost }),
      vars,
      ...(called.length > 0 && { services: called }),
      durable_objects: { bindings: [{ ...HOST_BINDING, ...script }] },
      ...(isHost && { migrations: entry.migrations ?? MIGRATIONS }),
    }
    return { name, services: [service], isHost, file, secrets: isHost ? secretsOf(parts) : [] }
  })
}

/** One worker for all services, under the name of the system. */
export function oneWorker(parts: WranglerParts): BuiltWorker {
  const { config, services } = parts
  const name = deployedName(config.name, parts.environment)
  const migrations = services.map((service) => config.workers[service].migrations).find(Boolean) ?? MIGRATIONS
  const file = {
    ...commonOf(parts, services, { name, isHost: true }),
    vars: bindingsOf(parts),
    durable_objects: { bindings: [HOST_BINDING] },
    migrations,
  }
  return { name, services, isHost: true, file, secrets: secretsOf(parts) }
}

/** As wrangler names what `--env` deploys. */
function deployedName(name: string, environment: string | undefined): string {
  return environment === undefined ? name : `${name}-${environment}`
}

/** The worker that has the class: the one whose binding names no other script; otherwise the listening service, or the first. */
function ownerOf({ workers }: Config, services: readonly ServiceName[]): ServiceName {
  const named = services.find((service) =>
    workers[service].durable_objects?.bindings.some(({ script_name }) => script_name === undefined),
  )
  return named ?? (services.includes('auth') ? 'auth' : (services[0] ?? 'auth'))
}

/** What all workers have. */
function commonOf(
  { config, services: all }: WranglerParts,
  services: readonly ServiceName[],
  { name, isHost }: Pick<BuiltWorker, 'name' | 'isHost'>,
): JsonRecord {
  const entries = services.map((service) => config.workers[service])
  const [first] = entries
  const flags = [...NEEDED_FLAGS, ...(config.compatibility_flags ?? []), ...entries.flatMap(flagsOf)]
  const routes = routesOf(config, services, isHost)
  const { limits, observability } = first ?? {}
  const crons = services.includes('admin') && all.includes('admin') ? config.workers.admin.triggers.crons : []
  return {
    name,
    main: 'index.mjs',
    no_bundle: true,
    compatibility_date: first?.compatibility_date ?? config.compatibility_date ?? COMPATIBILITY_DATE,
    compatibility_flags: [...new Set(flags)],
    ...(routes.length > 0 && { routes }),
    ...(crons.length > 0 && { triggers: { crons } }),
    ...(limits !== undefined && { limits }),
    ...(observability !== undefined && { observability }),
  }
}

function flagsOf({
  compatibility_flags: flags = [],
}: Pick<Config['workers'][ServiceName], 'compatibility_flags'>): readonly string[] {
  return flags
}

/** Routes of Cloudflare have a host: that of `vars.baseUrl`. Without one, the worker has its own address alone. */
function routesOf(
  { vars, workers }: Config,
  services: readonly ServiceName[],
  isHost: boolean,
): readonly string[] {
  const { baseUrl } = vars
  if (baseUrl === undefined) return []
  const { host } = new URL(baseUrl)
  // Every worker can show the documents, and the one with the Durable Object is asked for them.
  const routes = [
    ...services.flatMap((service) => workers[service].routes),
    ...(isHost ? REFERENCE_ROUTES : []),
  ]
  return routes.map((route) => `${host}${route}`)
}

/** The bindings of the Durable Object: everything that it cannot read from files. */
function bindingsOf({ given, schemaFiles, services }: WranglerParts): JsonRecord {
  const { $schema: _schema, dev: _dev, ...file } = given
  const isShipped = schemaFiles.every(({ source }) => source === 'flight' || source === 'ecmwf')
  return {
    ...inParts('AVISO_CONFIG', file),
    ...(!isShipped && inParts('AVISO_SCHEMAS', schemaFiles)),
    AVISO_SERVICES: services,
  }
}

/** A value as variables that are small enough. */
function inParts(name: string, value: unknown): JsonRecord {
  // A character is a byte then, so it can be cut anywhere.
  const text = JSON.stringify(value).replaceAll(
    /[^\0-\x7f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  if (text.length <= VARIABLE_BYTES) return { [name]: text }
  const parts = Array.from({ length: Math.ceil(text.length / VARIABLE_BYTES) }, (_, index) =>
    text.slice(index * VARIABLE_BYTES, (index + 1) * VARIABLE_BYTES),
  )
  return Object.fromEntries(parts.map((part, index) => [`${name}_${index + 1}`, part]))
}

function secretsOf({ config, services }: WranglerParts): readonly string[] {
  return secretNames([config.vars, ...services.map((service) => config.workers[service])])
}

/** @returns what cannot be deployed, as lines such as `vars.store: …` */
export function undeployable({ config, given, services, file }: WranglerParts): readonly string[] {
  const { vars } = config
  const problems: string[] = []
  if (/^grpcs?:/.test(vars.store))
    problems.push('vars.store: workerd has no gRPC: write http:// or https://, and the JSON gateway is used')
  if (vars.store === 'embedded:memory')
    problems.push('vars.store: a Durable Object keeps what it stores: write embedded:')
  if (vars.storeTls !== undefined)
    problems.push('vars.storeTls: a worker reads no files: remove it, or take another store')
  if (vars.identity === 'none' && vars.baseUrl !== undefined)
    problems.push(
      `vars.identity: "none" with the public address ${vars.baseUrl}: every client could do everything. Configure vars.identity and vars.policy`,
    )
  for (const [job, cron] of Object.entries(config.workers.admin.vars.jobs))
    if (services.includes('admin') && /\d/.test(cron?.split(' ')[4] ?? ''))
      problems.push(
        `workers.admin.vars.jobs.${job}: "${String(cron)}" has a day of the week as a number, and Cloudflare counts from Sunday as 1: write its name, such as MON`,
      )
  for (const service of services) {
    if ('shipped' in findMain(config.workers[service].main, { service, config: file })) continue
    for (const [name, value] of Object.entries(varsOf(given, service)))
      if (new TextEncoder().encode(JSON.stringify(value)).length > VARIABLE_BYTES)
        problems.push(
          `workers.${service}.vars.${name}: a variable of a worker has at most ${VARIABLE_BYTES} bytes: take a part of it into the module`,
        )
  }
  return problems
}
