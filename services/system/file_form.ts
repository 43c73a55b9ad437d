/**
 * The form of the configuration file: workers as wrangler describes them, in the member `workers`, and environments by wrangler's rules. The
 * form of version 0.1 is read, too: `services` in place of `workers`, and environments that are merged.
 *
 * @module
 */

import {
  isAt,
  mergedForm,
  namesIn,
  noEnvironment,
  type FileForm,
  type FormedFile,
} from '#shared/config/load.ts'
import type { Flaw } from '#shared/config/explain.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'

/** What an environment does not take from above, as in wrangler. */
const NOT_INHERITED: readonly string[] = ['vars', 'services', 'durable_objects']

/** Gives a file its present form. @throws {AvisoError} `ERR_CONFIG` where it has no such environment. */
export const presentForm: FileForm = (file, environment, source) =>
  isJsonRecord(file['services']) && file['workers'] === undefined
    ? fromServices(file, environment, source)
    : fromWorkers(file, environment, source)

/** By wrangler's rules: what an environment writes replaces what stands above it, and `vars` is never taken from above. */
function fromWorkers(file: JsonRecord, environment: string | undefined, source: string): FormedFile {
  const { env, ...top } = file
  const workers = isJsonRecord(file['workers']) ? file['workers'] : {}
  const environments = [
    ...new Set([env, ...Object.values(workers).map((entry) => memberOf(entry, 'env'))].flatMap(namesIn)),
  ]
  if (environment !== undefined && !environments.includes(environment))
    throw noEnvironment(environment, environments, source)
  const notices: string[] = []
  const apply = (value: unknown, place: string): unknown => {
    if (!isJsonRecord(value)) return value
    const { env: own, ...base } = value
    const overlay = environment === undefined ? undefined : memberOf(own, environment)
    if (!isJsonRecord(overlay)) return base
    notices.push(...notTaken(base, overlay, `${place}env.${environment}`))
    const inherited = Object.entries(base).filter(([name]) => !NOT_INHERITED.includes(name))
    return { ...Object.fromEntries(inherited), ...overlay }
  }
  const formed = apply({ ...top, env }, '')
  const given = isJsonRecord(formed) ? formed : {}
  const present = Object.entries(workers).map(([name, entry]) => [name, apply(entry, `workers.${name}.`)])
  const hasWorkers = isJsonRecord(file['workers'])
  return {
    given: { ...given, ...(hasWorkers && { workers: Object.fromEntries(present) }) },
    notices,
    environments,
    flaws: [...misplacedIn(env, 'env'), ...Object.entries(workers).flatMap(flawsOfWorker)],
    placeOf: (path) => placeIn(file, environment, path),
  }
}

function flawsOfWorker([name, entry]: readonly [name: string, entry: unknown]): readonly Flaw[] {
  return misplacedIn(memberOf(entry, 'env'), `workers.${name}.env`)
}

/** What would have no effect in environments, and so is refused. */
function misplacedIn(env: unknown, place: string): readonly Flaw[] {
  const path = place.split('.')
  if (env === undefined) return []
  if (!isJsonRecord(env))
    return [{ path, reason: 'expected an object: the name of each environment, and what it changes' }]
  return Object.entries(env).flatMap(([name, overlay]): readonly Flaw[] => {
    if (!isJsonRecord(overlay))
      return [{ path: [...path, name], reason: 'expected an object: what the environment changes' }]
    if (overlay['workers'] === undefined) return []
    const reason = `an environment of a worker is in the worker, as in wrangler: write workers.WORKER.env.${name}`
    return [{ path: [...path, name, 'workers'], reason }]
  })
}

/** wrangler says so, too, because it surprises. */
function notTaken(base: JsonRecord, overlay: JsonRecord, place: string): readonly string[] {
  const lost = NOT_INHERITED.filter((name) => base[name] !== undefined && overlay[name] === undefined)
  const { vars: above } = base
  const { vars } = overlay
  const keys =
    isJsonRecord(above) && isJsonRecord(vars) ? Object.keys(above).filter((key) => !(key in vars)) : []
  return [...lost, ...keys.map((key) => `vars.${key}`)].map(
    (name) =>
      `${place} has no "${name}", and an environment does not take it from above: repeat there what it needs`,
  )
}

/** The path in the file. What an environment writes is at its place there. */
function placeIn(
  file: JsonRecord,
  environment: string | undefined,
  path: readonly string[],
): readonly string[] {
  if (environment === undefined) return path
  const [first = '', worker = '', ...rest] = path
  const inside =
    first === 'workers' ? ['workers', worker, 'env', environment, ...rest] : ['env', environment, ...path]
  const section = inside.slice(0, -1)
  return isAt(file, inside) || (rest.length > 0 && isAt(file, section)) ? inside : path
}

/** The form of version 0.1. */
function fromServices(file: JsonRecord, environment: string | undefined, source: string): FormedFile {
  const { given, environments, placeOf } = mergedForm(file, environment, source)
  const { services, ...rest } = given
  const notices = [
    'write "workers" in place of "services"; what env.NAME had for a service is then workers.SERVICE.env.NAME, and repeats all "vars" that it needs, as in wrangler',
  ]
  const workers = Object.entries(isJsonRecord(services) ? services : {}).map(([name, entry]) => [
    name,
    isJsonRecord(entry) ? presentEntry(name, entry, notices) : entry,
  ])
  const place = (path: readonly string[]): readonly string[] => {
    const [first, ...below] = path
    const old = placeOf(first === 'workers' ? ['services', ...below] : path)
    return old.map((step) => (step === 'services' ? 'workers' : step))
  }
  return {
    given: { ...rest, workers: Object.fromEntries(workers) },
    notices: environment === undefined || environments.includes(environment) ? notices : [],
    environments,
    placeOf: place,
  }
}

function presentEntry(name: string, entry: JsonRecord, notices: string[]): JsonRecord {
  const { port, triggers, ...rest } = entry
  const crons = memberOf(triggers, 'crons')
  if (port !== undefined) notices.push(`write workers.${name}.dev.port in place of services.${name}.port`)
  const present = { ...rest, ...(port !== undefined && { dev: { port } }) }
  if (!isJsonRecord(crons)) return triggers === undefined ? present : { ...present, triggers }
  notices.push(
    `write workers.${name}.triggers.crons as a list, and which cron runs which job in workers.${name}.vars.jobs`,
  )
  const vars = isJsonRecord(rest['vars']) ? rest['vars'] : {}
  const jobs = { ...DEFAULT_JOBS, ...crons }
  const list = [...new Set(Object.values(jobs))].filter((cron) => cron !== null)
  return { ...present, triggers: { crons: list }, vars: { ...vars, jobs } }
}

/** What the jobs of version 0.1 run at without a schedule of their own. */
const DEFAULT_JOBS = { compact: '0 * * * *', clean: '30 0 * * *' } as const

function memberOf(value: unknown, name: string): unknown {
  return isJsonRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined
}
