/**
 * Finds what is wrong with a configuration whose every value is allowed by itself: names that no schema has, rules that can never apply,
 * secrets that are missing. All of it is told at once, before anything is started.
 *
 * @module
 */

import { hint } from '#shared/closest.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { expiryRules } from '#shared/retention/expiry.ts'
import type { ReadSecret } from '#shared/secret.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import type { Clock } from '#shared/time/clock.ts'
import { protectedEvents, unprotected, withSchemaRights } from './schema_rights.ts'
import { openProvider, type IdentityParts } from './identity.ts'
import { judgePolicy } from './policy.ts'
import { ownRunProblems, runProblems } from './runs.ts'
import type { Config, ServiceName } from './settings.ts'

/** What a configuration is checked with. */
export interface CheckConfigParts {
  readonly config: Config
  /** The services that are to be started. */
  readonly services: readonly ServiceName[]
  /** The schemas of the configuration; absent where they could not be read, which has been told. */
  readonly schemas?: Schemas | undefined
  readonly readSecret: ReadSecret
  readonly clock: Clock
  /** Whether the runtime has UDP. */
  readonly hasUdp: boolean
  /** Begins of the paths of values that were refused and left out, such as `vars.policy`. What follows from them is not judged. */
  readonly refused?: readonly string[]
}

/** @returns a line for each problem, such as `workers.admin.vars.events.nope: no schema has this event type: …` */
export function checkConfig(parts: CheckConfigParts): readonly string[] {
  const { refused = [] } = parts
  const isJudged = (area: string): boolean =>
    !refused.some((path) => path.startsWith(area) || area.startsWith(path))
  const checks: readonly (readonly [area: string, check: (parts: CheckConfigParts) => readonly string[]])[] =
    [
      ['vars.store', checkStore],
      ['vars.store', checkStoreTls],
      ['vars.identity', checkProviders],
      ['vars.identity', isJudged('vars.policy') ? checkPolicy : () => []],
      ['workers', checkPlaces],
      ['workers', checkBindings],
      ['workers.admin', checkJobs],
      ['workers.admin.vars.events', checkRetention],
      ['vars.firstNumbers', checkFirstNumbers],
      ['vars.runs', checkRuns],
      ['workers.rest.vars.skips', checkSkips],
      ['workers.monitoring.vars.udp', checkUdp],
    ]
  return checks.flatMap(([area, check]) => (isJudged(area) ? check(parts) : []))
}

/**
 * Runs a check that throws.
 *
 * @returns its message behind the path; nothing where it passes
 */
export function problemsOf(path: string, check: () => unknown): readonly string[] {
  try {
    check()
    return []
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    return [error.message.startsWith(`${path}:`) ? error.message : `${path}: ${error.message}`]
  }
}

/** Certificates are for a store behind TLS. */
function checkStoreTls({ config: { vars } }: CheckConfigParts): readonly string[] {
  if (vars.storeTls === undefined || /^(?:http|grpc|gateway)s:/.test(vars.store)) return []
  return [
    `vars.storeTls: it is for a store behind TLS, and vars.store is "${vars.store}": write https://, grpcs:// or gateways:// there, or remove it`,
  ]
}

function checkStore({ config: { vars } }: CheckConfigParts): readonly string[] {
  let kind: string | undefined
  const problems = problemsOf('vars.store', () => (kind = parseStoreAddress(vars.store).kind))
  if (kind === undefined || kind === 'http' || vars.storeTokenEnv === undefined) return problems
  return [
    `vars.storeTokenEnv: it is for a store that is another Aviso, and vars.store is "${vars.store}": give http://host:8080 there, or leave the token out`,
  ]
}

function checkProviders(parts: CheckConfigParts): readonly string[] {
  const { identity } = parts.config.vars
  if (identity === 'none') return []
  return identity.providers.flatMap((provider, index) => {
    const path = `vars.identity.providers.${index}`
    const ofSecrets: string[] = []
    const tools = idleTools(parts, (message) => void ofSecrets.push(`${path}: ${message}`))
    return [...problemsOf(path, () => openProvider(provider, identity.realm, tools)), ...ofSecrets]
  })
}

/**
 * What providers and policies are made with. They are only made here, and ask no service.
 *
 * @param tell Gets what is wrong with each secret. One that is missing is told with its place, by who reads the environment.
 */
function idleTools({ readSecret, clock }: CheckConfigParts, tell: (problem: string) => void): IdentityParts {
  return {
    readSecret: (name, rule) => {
      try {
        return readSecret(name, rule)
      } catch (error) {
        if (!isAvisoError(error, 'ERR_CONFIG')) throw error
        if (!error.message.startsWith('A secret is missing')) tell(error.message)
        return { reveal: () => '', toString: () => '[secret]' }
      }
    },
    clock,
    fetch: () => Promise.reject(new TypeError('A check asks no service')),
    random: () => 0,
    logger: () => undefined,
    count: () => undefined,
  }
}

function checkPolicy(parts: CheckConfigParts): readonly string[] {
  const { identity, policy: configured } = parts.config.vars
  const { schemas } = parts
  const exposed = identity === 'none' && schemas !== undefined ? protectedEvents(schemas) : []
  if (exposed.length > 0) return exposed.map(unprotected)
  let policy = configured
  if (identity !== 'none' && schemas !== undefined) {
    const problems = problemsOf('vars.schemas', () => (policy = withSchemaRights(configured, schemas)))
    if (problems.length > 0) return problems
  }
  const { rules, open, destinations, public: forAll } = policy
  const isEmpty =
    rules.length + open.length + forAll.listen.length + forAll.publish.length === 0 &&
    destinations === undefined
  if (identity === 'none') {
    const reason = 'no requester is identified ("identity": "none"), so it would restrict nothing'
    return isEmpty ? [] : [`vars.policy: ${reason}: configure vars.identity, or remove vars.policy`]
  }
  if (isEmpty) {
    const example = '{"realm": "*", "listen": "everything", "publish": "everything"}'
    return [
      `vars.policy: vars.identity is configured, and the policy grants nothing: every request would be refused. Give vars.policy.rules, such as [${example}]`,
    ]
  }
  return judgePolicy(parts.config.vars, identity.providers, parts.schemas)
}

/** Two services cannot have the same path or the same port. */
function checkPlaces({ config, services }: CheckConfigParts): readonly string[] {
  const places = services.flatMap((service) => {
    const { routes, dev } = config.workers[service]
    const { port } = dev
    const own = routes.map((route, index) => ({ service, path: `routes.${index}`, place: `"${route}"` }))
    return port === undefined || port === 0
      ? own
      : [...own, { service, path: 'dev.port', place: `port ${port}` }]
  })
  return places.flatMap(({ service, path, place }, index) => {
    const other = places.slice(0, index).find((one) => one.place === place)
    if (other === undefined) return []
    return [`workers.${service}.${path}: ${place} is taken by workers.${other.service}.${other.path} already`]
  })
}

/** What a module calls has to be started with it. */
function checkBindings({ config, services }: CheckConfigParts): readonly string[] {
  const names = new Map(services.map((service) => [config.workers[service].name, service]))
  return services.flatMap((service) =>
    config.workers[service].services.flatMap(({ service: name }, index) =>
      names.has(name)
        ? []
        : [
            `workers.${service}.services.${index}.service: nobody provides "${name}": ${hint(name, [...names.keys()])}`,
          ],
    ),
  )
}

/** Each cron runs a job, and each job has its cron among those. */
function checkJobs({ config, services }: CheckConfigParts): readonly string[] {
  if (!services.includes('admin')) return []
  const { triggers, vars } = config.workers.admin
  const jobs = Object.entries(vars.jobs)
  const idle = triggers.crons.flatMap((cron, index) =>
    jobs.some(([, own]) => own === cron)
      ? []
      : [
          `workers.admin.triggers.crons.${index}: "${cron}" runs no job: name it in workers.admin.vars.jobs, such as {"compact": "${cron}"}`,
        ],
  )
  const lost = jobs.flatMap(([job, cron]) =>
    cron === null || triggers.crons.includes(cron)
      ? []
      : [
          `workers.admin.vars.jobs.${job}: "${cron}" is not among workers.admin.triggers.crons: add it there, or write null, and the job runs by hand alone`,
        ],
  )
  return [...idle, ...lost]
}

/** With `schemaService`, the store knows the event types, and it has not been asked yet. */
function checkRetention({ config, services, schemas }: CheckConfigParts): readonly string[] {
  if (schemas === undefined || !services.includes('admin') || config.vars.schemaService !== undefined)
    return []
  return Object.entries(config.workers.admin.vars.events).flatMap(([event, { dateField }]) => {
    const path = `workers.admin.vars.events.${event}`
    if (schemas.get(event) === undefined)
      return [`${path}: no schema has this event type: ${hint(event, schemas.events)}`]
    return problemsOf(`${path}.dateField`, () => expiryRules(schemas, event, { ageMs: 0, dateField }))
  })
}

function checkFirstNumbers({ config, schemas }: CheckConfigParts): readonly string[] {
  if (schemas === undefined || config.vars.schemaService !== undefined || schemas.isPermissive) return []
  return Object.keys(config.vars.firstNumbers).flatMap((event) =>
    schemas.get(event) === undefined
      ? [`vars.firstNumbers.${event}: no schema has this event type: ${hint(event, schemas.events)}`]
      : [],
  )
}

/** A schema in the store is held against `vars.runs` when it is read, and when it is pushed. */
function checkRuns({ config: { vars }, schemas }: CheckConfigParts): readonly string[] {
  if (vars.schemaService !== undefined) return ownRunProblems(vars)
  return schemas === undefined ? [] : runProblems(schemas, vars)
}

function checkSkips({ config, services, schemas }: CheckConfigParts): readonly string[] {
  if (schemas === undefined || !services.includes('rest') || config.vars.schemaService !== undefined)
    return []
  const known = new Set(schemas.events.flatMap((event) => schemas.get(event)?.fields ?? []))
  return Object.keys(config.workers.rest.vars.skips)
    .filter((field) => !known.has(field))
    .map((field) => `workers.rest.vars.skips.${field}: no schema has this field: ${hint(field, [...known])}`)
}

function checkUdp({ config, services, hasUdp }: CheckConfigParts): readonly string[] {
  const isUsed = services.includes('monitoring') && config.workers.monitoring.vars.udp !== undefined
  return isUsed && !hasUdp ? ['workers.monitoring.vars.udp: this runtime has no UDP; remove the setting'] : []
}
