/**
 * The command `aviso config explain-access`: says what a user may do, and by which part of the services' configuration. It asks the policy
 * of the services, and no server.
 *
 * @module
 */

import { createConfiguredSchemas, followingOf, reservedEvents } from '#services/system/runs.ts'
import { readSchemaFiles } from '#services/system/schema_files.ts'
import { assumeIdentity, NO_REALM } from '#services/system/assumed_identity.ts'
import { openPolicy, judgePolicy, rootsOf } from '#services/system/policy.ts'
import { destinationReaders } from '#services/system/schema_rights.ts'
import type { Config } from '#services/system/settings.ts'
import type { Identity } from '#shared/access/identity/identity.ts'
import { verdictUnavailable } from '#shared/access/identity/unavailable.ts'
import { normalise, toInterval, type IntervalSet } from '#shared/access/interval.ts'
import {
  askPolicy,
  DESTINATIONS_PATH,
  heldGrants,
  type AccessAnswer,
  type AccessQuestion,
  type HeldGrant,
} from '#shared/access/policy/explain.ts'
import { followGrants } from '#shared/access/policy/following.ts'
import { setOf } from '#shared/access/policy/grants.ts'
import { prefixesFor, type DestinationRights, type Policy } from '#shared/access/policy/policy.ts'
import { isSegment } from '#shared/access/policy/prefix.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { ClientError, EXIT_FAILURE, EXIT_USAGE } from '#shared/client/client_error.ts'
import { hint } from '#shared/closest.ts'
import { refuseProblems } from '#shared/config/load.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { EventSchema, Schemas } from '#shared/notification/schema.ts'
import { systemClock } from '#shared/time/clock.ts'
import { findConfigToRead } from '../serve/given_config.ts'
import { DEFAULT_CONFIG_FILE, resolveConfig } from '../serve/options.ts'
import { printAnswer, type AnswerTarget } from './answer.ts'
import { tableText } from './table.ts'

/** Flags of the command. */
export interface ExplainFlags {
  readonly servicesConfig?: string
  readonly env?: string
  /** The requester has no identity. */
  readonly anonymous?: boolean
  readonly realm?: string
  readonly role?: readonly string[]
  /** Pairs such as `team=x`. */
  readonly claim?: readonly string[]
  /** What ECPDS would list. */
  readonly destinations?: string
}

/** What the command line asks. */
export interface ExplainTask {
  /** The user, and what they want to do. */
  readonly words: readonly string[]
  readonly options: ExplainFlags
}

interface Parts extends AnswerTarget {
  readonly readText: (path: string) => Promise<string>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Folder of the user. */
  readonly home: string
}

/** A configuration, ready for questions. */
interface Site {
  readonly file: string
  readonly config: Config
  readonly schemas: Schemas
  /** Absent: without identities everything is allowed. */
  readonly policy: Policy | undefined
}

type Right = AccessQuestion['right']

const RIGHTS: readonly Right[] = ['listen', 'publish', 'administer', 'relay']
/** What decides where there are no identities. */
const NO_IDENTITIES = 'vars.identity'
const OPEN: AccessAnswer = { isAllowed: true, isPartly: false, by: [NO_IDENTITIES] }
/** Stands for what ECPDS was not asked for. */
const UNKNOWN_DESTINATIONS = '{each that ECPDS lists}'
const OPEN_NOTE =
  'vars.identity is "none": every request of this machine may do everything, and others do not get in.'

/**
 * Prints what a user may do, or whether they may do one thing.
 *
 * @returns the exit code: 0, or 1 when they may not
 * @throws {ClientError} for a configuration that cannot be used, and for a question that cannot be answered.
 */
export async function explainAccess({ words, options }: ExplainTask, parts: Parts): Promise<number> {
  try {
    const isNameless = options.anonymous === true
    const user = isNameless ? undefined : words[0]
    const asked = isNameless ? words : words.slice(1)
    if (isNameless && [options.realm, options.role, options.claim].some((flag) => flag !== undefined))
      throw usage('--anonymous is a request without an identity: leave --realm, --role and --claim out')
    if (user === undefined && !isNameless)
      throw usage('Name a user, or give --anonymous for requests without an identity')
    const site = await openSite(options, parts)
    const identity = user === undefined ? undefined : identityOf(user, options, site)
    if (asked.length === 0) return printRights(site, identity, options, parts)
    return await answerQuestion(site, identity, asked, parts)
  } catch (error) {
    if (isAvisoError(error, 'ERR_VERDICT_UNAVAILABLE'))
      throw usage(
        'That depends on the destinations that ECPDS lists, and this command does not ask it: give them with --destinations FOO,BAR, or --destinations "" for none',
      )
    throw isAvisoError(error) ? usage(error.message, error) : error
  }
}

function usage(message: string, cause?: unknown): ClientError {
  return new ClientError(message, { exitCode: EXIT_USAGE, cause })
}

/** @throws {AvisoError} `ERR_CONFIG` that lists what the services would refuse, too. */
async function openSite(options: ExplainFlags, parts: Parts): Promise<Site> {
  const { servicesConfig, env } = options
  const named = {
    services: [],
    config: servicesConfig ?? DEFAULT_CONFIG_FILE,
    isConfigNamed: servicesConfig !== undefined,
    ...(env !== undefined && { env }),
  }
  const { options: found, readText } = await findConfigToRead(named, parts)
  const { config: file } = found
  const config = await resolveConfig(found, readText)
  const { vars } = config
  const schemas = createConfiguredSchemas(await readSchemaFiles(vars.schemas, readText), vars)
  if (vars.identity === 'none') return { file, config, schemas, policy: undefined }
  refuseProblems(file, judgePolicy(vars, vars.identity.providers, schemas))
  const tools = { clock: systemClock, count: () => undefined, destinations: destinationsOf(config, options) }
  return { file, config, schemas, policy: openPolicy(vars.policy, { schemas, vars, tools }) }
}

function destinationsOf(
  { vars }: Config,
  { destinations: given }: ExplainFlags,
): DestinationRights | undefined {
  const { destinations } = vars.policy
  if (destinations === undefined) {
    if (given !== undefined) throw usage(`--destinations is for a policy with ${DESTINATIONS_PATH}`)
    return undefined
  }
  const source: DestinationRights['source'] = {
    of: () => {
      if (given === undefined) throw verdictUnavailable('ECPDS is not asked')
      return { names: namesIn(given), validUntil: Infinity }
    },
  }
  return { source, prefixes: [destinations.prefix].flat(), realms: destinations.realms }
}

function namesIn(list: string): readonly string[] {
  const names = list.split(',').filter((name) => name !== '')
  const wrong = names.find((name) => !isSegment(name))
  if (wrong !== undefined) throw usage(`Not a destination: ${wrong}. Write --destinations FOO,BAR`)
  return names
}

/** What the flags do not say is that of the token in the configuration. */
function identityOf(
  username: string,
  { realm, role: roles, claim: claims }: ExplainFlags,
  { config }: Site,
): Identity {
  const named = { username, realm, roles, claims }
  return assumeIdentity(named, config.vars.identity, { realm: '--realm', claim: '--claim' })
}

function pairOf(pair: string): readonly [name: string, values: readonly string[]] {
  const at = pair.indexOf('=')
  if (at < 1)
    throw usage(`Not a name and its value: ${pair}. Write FIELD=VALUE, as in NAME=VALUE, or NAME=VALUE,VALUE`)
  return [pair.slice(0, at), pair.slice(at + 1).split(',')]
}

async function answerQuestion(
  site: Site,
  identity: Identity | undefined,
  words: readonly string[],
  parts: Parts,
): Promise<number> {
  const question = questionOf(words, site)
  const answer =
    site.policy === undefined
      ? openAnswer(question, site.config)
      : await askPolicy(site.policy, identity, question)
  const { isAllowed, isPartly, by } = answer
  const unmet = site.policy?.explain(identity).unmet ?? []
  const reason = isPartly ? `only a part of it is granted, by ${by.join(', ')}` : 'nothing grants it'
  const lines = [
    isAllowed ? `yes: ${by.join(', ')}` : `no: ${reason}`,
    ...(isAllowed ? [] : unmet.map((rule) => `  ${rule.path} does not apply: ${rule.reason}`)),
  ]
  printAnswer({ text: lines.join('\n'), json: { allowed: isAllowed, partly: isPartly, by, unmet } }, parts)
  return isAllowed ? 0 : EXIT_FAILURE
}

/** Without identities no requester is a relay, because only a rule makes one. */
function openAnswer(question: AccessQuestion, { vars }: Config): AccessAnswer {
  const { right } = question
  const isReserved = right === 'publish' && reservedEvents(vars).has(question.event)
  return right === 'relay' || isReserved ? { isAllowed: false, isPartly: false, by: [] } : OPEN
}

function questionOf([verb = '', event, ...pairs]: readonly string[], { schemas }: Site): AccessQuestion {
  const right = RIGHTS.find((known) => known === verb)
  if (right === undefined)
    throw usage(
      `There is no right "${verb}": ${hint(verb, RIGHTS)}; write listen EVENT, publish EVENT, administer or relay`,
    )
  if (right === 'administer' || right === 'relay') {
    if (event !== undefined) throw usage(`${right} goes without an event type`)
    return { right }
  }
  if (event === undefined) throw usage(`Say which event type: ${schemas.events.join(', ')}`)
  const schema = schemas.get(event)
  if (schema === undefined)
    throw usage(`No schema has the event type "${event}": ${hint(event, schemas.events)}`)
  const fields = new Map(pairs.map((pair) => pairOf(pair)))
  const unknown = [...fields.keys()].find((name) => !schema.requiredForNotify.includes(name))
  if (unknown !== undefined)
    throw usage(`${event} has no field "${unknown}": ${hint(unknown, schema.requiredForNotify)}`)
  return right === 'listen'
    ? { right, keys: keysToListen(schema, fields) }
    : { right, event, keys: keysToPublish(schema, fields, schemas.rootOf(event) ?? '') }
}

type Fields = ReadonlyMap<string, readonly string[]>

/** The keys that the listening service asks about. */
function keysToListen(schema: EventSchema, fields: Fields): IntervalSet {
  try {
    return normalise(schema.baseKeys(Object.fromEntries(fields)).map((key) => toInterval(prefixRange(key))))
  } catch (error) {
    const missing = schema.requiredForListen.find((name) => !fields.has(name))
    if (missing === undefined || !isAvisoError(error, 'ERR_BAD_REQUEST')) throw error
    throw usage(`Give ${missing}=VALUE: every listener of ${schema.event} has to give it`, error)
  }
}

/** The key of a whole notification; otherwise all keys that it can have, as far as folders of keys say it. */
function keysToPublish(schema: EventSchema, fields: Fields, root: string): IntervalSet {
  const single = [...fields].flatMap(([name, [value, ...more]]) =>
    value === undefined || more.length > 0 ? [] : [[name, value] as const],
  )
  if (schema.requiredForNotify.every((name) => single.some(([known]) => known === name))) {
    const { stem } = schema.encode(Object.fromEntries(single))
    return normalise([toInterval({ key: toBytes(stem) })])
  }
  const hasBase = schema.requiredForListen.every((name) => fields.has(name))
  const bases = hasBase ? schema.baseKeys(Object.fromEntries(fields)) : [root]
  return normalise(bases.map((key) => toInterval(prefixRange(key))))
}

function printRights(
  { schemas, policy, config, file }: Site,
  identity: Identity | undefined,
  { destinations }: ExplainFlags,
  parts: Parts,
): number {
  const roots = rootsOf(schemas)
  const { unmet, grants } = policy?.explain(identity) ?? {
    unmet: [],
    grants: { admin: [NO_IDENTITIES], relay: [] },
  }
  const held = [
    ...(policy === undefined ? openGrants(schemas, config) : heldGrants(policy, identity, roots)),
    ...destinationGrants(config, identity, { given: destinations, schemas, roots }),
  ]
  const rows = [
    ...held.map(({ right, event = '(no event type)', keys, by }) => [
      right,
      event,
      keys === 'everything' ? 'all' : keys.join(' '),
      by,
    ]),
    ...(['listen', 'publish'] as const)
      .filter((right) => held.every((grant) => grant.right !== right))
      .map((right) => [right, 'nothing']),
    ['administer', grants.admin.length > 0 ? 'yes' : 'no', '', grants.admin.join(' ')],
    ['relay', grants.relay.length > 0 ? 'yes' : 'no', '', grants.relay.join(' ')],
  ]
  const text = [
    `${describe(identity)}, by ${file}`,
    ...(policy === undefined ? [OPEN_NOTE] : []),
    tableText(['right', 'event type', 'keys', 'by'], rows),
    ...(unmet.length === 0
      ? []
      : [
          tableText(
            ['does not apply', 'because'],
            unmet.map(({ path, reason }) => [path, reason]),
          ),
        ]),
  ].join('\n\n')
  const json = {
    user: identity === undefined ? null : withoutProvider(identity),
    rights: held,
    administer: { allowed: grants.admin.length > 0, by: grants.admin },
    relay: { allowed: grants.relay.length > 0, by: grants.relay },
    unmet,
  }
  printAnswer({ text, json }, parts)
  return 0
}

function withoutProvider({ provider: _provider, ...user }: Identity): Omit<Identity, 'provider'> {
  return user
}

function openGrants({ events }: Schemas, { vars }: Config): readonly HeldGrant[] {
  const reserved = reservedEvents(vars)
  return (['listen', 'publish'] as const).flatMap((right) =>
    events
      .filter((event) => right === 'listen' || !reserved.has(event))
      .map((event): HeldGrant => ({ right, event, keys: 'everything', by: NO_IDENTITIES })),
  )
}

interface DestinationsAsked {
  readonly given: string | undefined
  readonly schemas: Schemas
  readonly roots: ReadonlyMap<string, string>
}

/** What ECPDS would grant. Without a list it is shown as a hole. */
function destinationGrants(
  { vars }: Config,
  identity: Identity | undefined,
  { given, schemas, roots }: DestinationsAsked,
): readonly HeldGrant[] {
  const { destinations } = vars.policy
  if (identity === undefined || destinations === undefined || vars.identity === 'none') return []
  const names = given === undefined ? [UNKNOWN_DESTINATIONS] : namesIn(given)
  const { prefix, realms } = destinations
  const readers = destinationReaders(schemas)
  const following = followingOf(schemas, vars)
  return prefixesFor(identity, { prefixes: [prefix].flat(), realms, readers }).flatMap((each) => {
    const keys = names.map((name) => `${each}${name}/`)
    if (keys.length === 0) return []
    const event = [...roots].find(([, root]) => each.startsWith(root) || root.startsWith(each))?.[0]
    const about = event === undefined ? {} : { event }
    const grant = { path: DESTINATIONS_PATH, ...about, prefixes: keys, keys: setOf(keys) }
    const grants = following === undefined ? [grant] : followGrants(following, [grant])
    return grants.map(({ path, prefixes, event: of }): HeldGrant => ({
      right: 'listen',
      ...(of !== undefined && { event: of }),
      keys: prefixes,
      by: path,
    }))
  })
}

function describe(identity: Identity | undefined): string {
  if (identity === undefined) return 'Without an identity'
  const { username, realm, roles, claims } = identity
  const parts = [
    realm === NO_REALM ? username : `${username} of realm ${realm}`,
    ...(roles.length === 0 ? [] : [`roles ${roles.join(' ')}`]),
    ...Object.entries(claims).map(([name, values]) => `${name}=${JSON.stringify(values)}`),
  ]
  return parts.join(', ')
}
