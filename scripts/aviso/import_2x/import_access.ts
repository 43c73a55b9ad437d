/**
 * Takes over `auth` and `ecpds`: who is identified how, and what needs no identity. What the schemas themselves say is read by the services.
 *
 * @module
 */

import * as v from 'valibot'

import { MIN_SECRET_BYTES } from '#shared/access/identity/key_set.ts'
import { MAX_DESTINATION_PREFIXES } from '#shared/access/policy/settings.ts'
import { address, isReachedSafely } from '#shared/access/shapes.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { hint } from '#shared/closest.ts'
import type { Event2x, Schemas2x } from './import_schemas.ts'
import type { Section } from './section.ts'

/** Settings that services share, and the secrets that they name. */
export interface Access2x {
  readonly vars: object
  readonly secrets: ReadonlyMap<string, string>
}

/** 2.x's own variables, so that operators keep the names that they have set. */
const JWT_SECRET = 'AVISOSERVER_AUTH__JWT_SECRET'
const ECPDS_PASSWORD = 'AVISOSERVER_ECPDS__PASSWORD'
/** The token of the administrator of a service without identities. 2.x lets every client administer such a service. */
export const ADMIN_TOKEN = 'AVISO_ADMIN_TOKEN'
/** Path of the list of destinations below a server of ECPDS. */
const LIST_PATH = '/ecpds/v1/destination/list'
/** Longest time that a list counts here. */
const MAX_CACHE_SECONDS = 30
/** 2.x has no such limits. Where requesters have no identity, an address may have what an identity may have. */
const OPEN_QUOTA = {
  streamsPerAddress: 1_000,
  opensPerAddress: { perSecond: 50, burst: 1_000 },
  publishesPerAddress: { perSecond: 200, burst: 400 },
  streamsForIdentities: 0,
}

interface AccessParts {
  readonly schemas: Schemas2x
  /** Whether other machines reach the service. */
  readonly isOpenAddress: boolean
}

/** Takes access over. */
export function importAccess(top: Section, parts: AccessParts): Access2x {
  const auth = top.section('auth')
  const isEnabled = auth.flag('enabled') === true
  const secrets = new Map<string, string>()
  const vars = isEnabled ? identified(auth, parts, secrets) : nameless(auth, parts)
  const destinations = importDestinations(top.section('ecpds'), { ...parts, secrets })
  if (!isEnabled)
    auth.leaveOut(
      ['mode', 'auth_o_tron_url', 'jwt_secret', 'admin_roles', 'timeout_ms'],
      'auth is not enabled',
    )
  auth.close()
  if (destinations === undefined || !isEnabled) return { vars, secrets }
  return { vars: { ...vars, policy: { ...vars.policy, destinations } }, secrets }
}

interface AccessVars {
  readonly identity?: object
  readonly policy?: object
  readonly quota?: object
}

function identified(auth: Section, { schemas }: AccessParts, secrets: Map<string, string>): AccessVars {
  const mode = auth.text('mode') ?? 'direct'
  const secret = auth.name('jwt_secret') ?? ''
  if (secret === '') auth.problem('jwt_secret', `give it there or as ${JWT_SECRET}`)
  else secrets.set(JWT_SECRET, secret)
  const roles = auth.roles('admin_roles')
  if (roles === undefined) auth.problem('admin_roles', 'give at least one realm with roles, as 2.x asks for')
  if (auth.number('timeout_ms') === 0) auth.problem('timeout_ms', 'it must be above 0: leave it out')
  auth.leaveOut(['timeout_ms'], 'the time for an answer of auth-o-tron is fixed')
  if (!schemas.isStrict)
    auth.problem(
      'enabled',
      'event types without a schema would be open to everybody: set notification_schema_strict: true, or give each one a schema',
    )
  const isOpen = schemas.events.filter(({ hasAuth }) => !hasAuth).map(({ name }) => name)
  const everything = { listen: 'everything', publish: 'everything', admin: true }
  return {
    identity: { providers: [providerOf(auth, mode, secret)] },
    policy: {
      public: { listen: isOpen, publish: isOpen },
      rules: [...(roles ?? [])].map(([realm, anyOf]) => ({ realm, roles: [...anyOf], ...everything })),
    },
  }
}

/** 2.x looks at neither `iss` nor `aud`, and takes secrets of any length. */
function providerOf(auth: Section, mode: string, secret: string): object {
  const common = {
    issuer: 'any',
    audience: 'any',
    algorithms: ['HS256'],
    secretEnvs: [JWT_SECRET],
    ...(isWeak(secret) && { weakSecrets: true }),
  }
  if (isWeak(secret))
    auth.note(
      'jwt_secret',
      `it is shorter than ${MIN_SECRET_BYTES} bytes, so it may be guessed from a token: use a longer one`,
    )
  const url = auth.name('auth_o_tron_url') ?? ''
  if (mode === 'trusted_proxy') {
    const claims = { usernameClaim: 'username', rolesClaim: 'roles', realmClaim: 'realm', realm: 'aviso' }
    return { kind: 'jwt', name: 'trusted-proxy', ...common, ...claims }
  }
  if (mode !== 'direct') auth.problem('mode', `"${mode}" is not known: 2.x has direct and trusted_proxy`)
  else if (url === '') auth.problem('auth_o_tron_url', 'give the address of auth-o-tron')
  return { kind: 'auth-o-tron', url: withoutSlash(url), ...common, ...plaintext(url) }
}

function isWeak(secret: string): boolean {
  return secret !== '' && toBytes(secret).length < MIN_SECRET_BYTES
}

/** Without identities. Only this machine is let in then, so for others everybody gets the rights that need no identity. */
function nameless(auth: Section, { schemas, isOpenAddress }: AccessParts): AccessVars {
  for (const { name, isAuthRequired } of schemas.events)
    if (isAuthRequired)
      auth.problem(
        'enabled',
        `notification_schema.${name}.auth asks for credentials, and auth is not enabled`,
      )
  if (!isOpenAddress) return {}
  auth.note(
    'enabled',
    `everybody may listen and publish, as in 2.x, but only the token in ${ADMIN_TOKEN} lets somebody delete and wipe`,
  )
  const administrator = { username: 'administrator', realm: 'aviso', secretEnv: ADMIN_TOKEN }
  return {
    identity: { providers: [{ kind: 'tokens', tokens: [administrator] }] },
    policy: {
      public: { listen: 'everything', publish: 'everything' },
      rules: [
        {
          realm: 'aviso',
          users: ['administrator'],
          listen: 'everything',
          publish: 'everything',
          admin: true,
        },
      ],
    },
    quota: OPEN_QUOTA,
  }
}

interface DestinationParts extends AccessParts {
  readonly secrets: Map<string, string>
}

function importDestinations(ecpds: Section, { schemas, secrets }: DestinationParts): object | undefined {
  const guarded = schemas.events.filter(({ isEcpds }) => isEcpds)
  if (!ecpds.isGiven) {
    for (const { name } of guarded)
      ecpds.problem('servers', `notification_schema.${name}.auth.plugins asks for it: give the section ecpds`)
    return undefined
  }
  const servers = ecpds.texts('servers') ?? []
  if (servers.length === 0) ecpds.problem('servers', 'give at least one address')
  for (const server of servers)
    if (!v.is(address, server) || !isReachedSafely(server, false))
      ecpds.problem(
        'servers',
        `"${server}" must be an https address without credentials, query or fragment; http is for this machine`,
      )
  const password = ecpds.text('password') ?? ''
  if (password === '') ecpds.problem('password', `give it there or as ${ECPDS_PASSWORD}`)
  else secrets.set(ECPDS_PASSWORD, password)
  const partialOutage = ecpds.text('partial_outage_policy') ?? 'strict'
  if (partialOutage !== 'strict' && partialOutage !== 'any_success')
    ecpds.problem('partial_outage_policy', `"${partialOutage}" is not known: 2.x has strict and any_success`)
  const matchKey = ecpds.text('match_key')
  for (const event of guarded) checkMatchKey(ecpds, event, matchKey)
  if (guarded.length > MAX_DESTINATION_PREFIXES)
    ecpds.problem(
      'match_key',
      `at most ${MAX_DESTINATION_PREFIXES} event types can ask for destinations, and here are ${guarded.length}: leave "plugins" out of some, and give them read_roles`,
    )
  const cacheSeconds = ecpds.number('cache_ttl_seconds') ?? MAX_CACHE_SECONDS
  if (cacheSeconds > MAX_CACHE_SECONDS)
    ecpds.note(
      'cache_ttl_seconds',
      `a list counts for ${MAX_CACHE_SECONDS} s, so that a right that was taken away ends soon`,
    )
  ecpds.leaveOut(
    ['max_entries', 'request_timeout_seconds', 'connect_timeout_seconds'],
    'these bounds are fixed',
  )
  const username = ecpds.text('username') ?? ''
  if (username.trim() === '') ecpds.problem('username', "give the name of the service's account")
  const targetField = ecpds.text('target_field') ?? 'name'
  ecpds.close()
  if (guarded.length === 0) {
    ecpds.note('servers', 'no event type has "plugins": ["ecpds"], so it is not asked')
    return undefined
  }
  return {
    url: servers.map((server) => `${withoutSlash(server)}${LIST_PATH}`),
    username,
    passwordEnv: ECPDS_PASSWORD,
    targetField,
    partialOutage,
    prefix: guarded.map(({ root }) => root),
    realms: ['*'],
    cacheSeconds: Math.max(1, Math.min(cacheSeconds, MAX_CACHE_SECONDS)),
  }
}

/** As newer versions of 2.x: what a listener need not give, or what is not in keys, would not restrict what it gets. */
function checkMatchKey(ecpds: Section, event: Event2x, matchKey: string | undefined): void {
  const { name, keyOrder, required } = event
  const place = `notification_schema.${name}`
  if (matchKey === undefined || matchKey === '')
    ecpds.problem('match_key', 'give the field that holds the destination')
  else if (!keyOrder.includes(matchKey))
    ecpds.problem(
      'match_key',
      `"${matchKey}" is not in ${place}.topic.key_order: ${hint(matchKey, keyOrder)}, or leave ecpds out of its plugins`,
    )
  else if (!required.includes(matchKey))
    ecpds.problem(
      'match_key',
      `${place}.identifier.${matchKey} must have "required: true" and be no geometry, because it decides what a listener gets`,
    )
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '')
}

/** 2.x sends credentials over http to any auth-o-tron, and here the operator must have said so. */
function plaintext(url: string): object {
  return url.startsWith('http:') ? { plaintext: true } : {}
}
