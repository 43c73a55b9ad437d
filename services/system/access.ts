/**
 * Identity and policy as the configuration says, put together for the services.
 *
 * @module
 */

import { createAdminAuthoriser } from '#services/admin/administrators.ts'
import type { AdminAuthoriser } from '#services/admin/authorise.ts'
import type { Authoriser } from '#services/auth/listen/authorise.ts'
import { createAuthoriser } from '#services/auth/principals.ts'
import type { ProviderAuthoriser } from '#services/rest/authorise.ts'
import { createProviderAuthoriser } from '#services/rest/providers.ts'
import { createAudit, silentAudit, type Audit, type AuditSink } from '#shared/access/audit/audit.ts'
import type { IdentitySettings, ProviderSettings } from '#shared/access/identity/settings.ts'
import type { PolicySettings } from '#shared/access/policy/settings.ts'
import type { QuotaSettings } from '#shared/access/quota/settings.ts'
import type { Config } from './settings.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import { createAuthOTron } from '#shared/access/identity/auth_o_tron.ts'
import { createIdentityChain } from '#shared/access/identity/chain.ts'
import { createCounters, type Count } from '#shared/access/identity/counters.ts'
import type { DependencyParts, FetchGet } from '#shared/access/identity/dependency.ts'
import type { IdentityProvider } from '#shared/access/identity/identity.ts'
import { createJwtProvider } from '#shared/access/identity/jwt.ts'
import { createInlineKeys, createSecretKeys, type KeySource } from '#shared/access/identity/key_set.ts'
import { createRemoteKeys } from '#shared/access/identity/remote_keys.ts'
import { createSecretReader, type ReadSecret } from '#shared/secret.ts'
import { createStaticTokens, MIN_TOKEN_BYTES } from '#shared/access/identity/static_tokens.ts'
import { createTokenVerifier } from '#shared/access/identity/token_verifier.ts'
import { createWhoAmI } from '#shared/access/identity/who_am_i.ts'
import { createAccessControl, type AccessControl } from '#shared/access/policy/access_control.ts'
import { createEcpds } from '#shared/access/policy/destinations.ts'
import {
  createPolicy,
  openPolicy,
  type DestinationRights,
  type Policy,
} from '#shared/access/policy/policy.ts'
import { createIdentify, identifyNobody } from '#shared/access/policy/requester.ts'
import { createStreamRights } from '#shared/access/policy/stream_rights.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'

/** Powers that identity and policy use where they are there. */
export interface AccessPowers {
  /** Asks authentication servers, ECPDS and key set endpoints. Default: the runtime's `fetch`. */
  readonly fetchVerdict?: FetchGet
  /** Where the audit log goes; absent: nowhere. */
  readonly auditSink?: AuditSink
  /** Address of the other end of a request's connection; absent: not known. */
  readonly peerOf?: (request: Request) => string | undefined
}

/** Identity and policy of a system, for each of its services. */
export interface SystemAccess {
  readonly listeners: Authoriser
  readonly providers: ProviderAuthoriser
  readonly administrators: AdminAuthoriser
  /** Whatever identity and policy count, and what the audit log has lost. */
  readonly counters: { values(): Readonly<Record<string, number>> }
  /** From now on, for open streams too. @throws {AvisoError} `ERR_CONFIG` for rules that cannot be; the old ones then stay. */
  replacePolicy(config: PolicySettings): void
  /** Writes what is left of the audit log. */
  close(): Promise<void>
}

/**
 * Identity and policy as the configuration says.
 *
 * @throws {AvisoError} `ERR_CONFIG` as {@link openAccessControl}.
 */
export function startAccess(parts: {
  readonly config: Config
  readonly schemas: Schemas
  readonly clock: Clock
  readonly logger: Logger
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly powers: AccessPowers
}): SystemAccess {
  const { clock, logger, schemas, powers } = parts
  const { identity, policy, quota } = parts.config.vars
  const counters = createCounters()
  const { count } = counters
  const audit =
    powers.auditSink === undefined ? silentAudit : createAudit({ sink: powers.auditSink, clock, logger })
  const { access, replacePolicy } = openAccessControl({
    identity,
    policy,
    quota,
    roots: new Map(schemas.events.map((event) => [event, schemas.rootOf(event) ?? ''])),
    readSecret: createSecretReader(parts.environment ?? {}, ({ message }) =>
      logger('error', 'A new secret cannot be used, the old one stays', { reason: message }),
    ),
    fetch: powers.fetchVerdict ?? ((url, init) => globalThis.fetch(url, init)),
    addressOf: createAddressOf(quota.trustedProxies, powers.peerOf),
    audit,
    clock,
    logger,
    count,
  })
  const rights = createStreamRights({ clock, logger, count })
  const listening = {
    streams: quota.streamsPerPrincipal,
    opens: quota.opensPerPrincipal,
    reads: quota.readsPerPrincipal,
  }
  return {
    listeners: createAuthoriser({ access, rights, clock, count, quota: listening }),
    providers: createProviderAuthoriser({ access, clock, count, rate: quota.publishesPerPrincipal }),
    administrators: createAdminAuthoriser(access),
    counters: { values: () => ({ ...counters.values(), audit_lost: audit.lost() }) },
    replacePolicy: (config) => {
      replacePolicy(config)
      rights.checkAll()
    },
    close: async () => {
      rights.close()
      await audit.close()
    },
  }
}

/** The parts of an IPv6 address that one customer of a network is given: the last half is theirs to choose. */
const NETWORK_GROUPS = 4

/** A key for everything that comes from one place: the address, and of IPv6 the network alone. */
export function networkOf(address: string): string {
  const [mapped = address] = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.slice(1) ?? []
  if (!mapped.includes(':')) return mapped
  const [head = '', tail] = mapped.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - behind.length) }, () => '0')
  return [...groups, ...(tail === undefined ? [] : zeros), ...behind].slice(0, NETWORK_GROUPS).join(':')
}

/**
 * Addresses as the proxies in front tell them: each adds the one it was called from, so the last ones are theirs and the ones before could
 * be anybody's invention.
 */
export function createAddressOf(
  trustedProxies: number,
  peerOf: (request: Request) => string | undefined = () => undefined,
): (request: Request) => string | undefined {
  return (request) => {
    const told = request.headers.get('x-forwarded-for')?.split(',') ?? []
    const address = (trustedProxies === 0 ? undefined : told.at(-trustedProxies)?.trim()) ?? peerOf(request)
    return address === undefined ? undefined : networkOf(address)
  }
}

/** What it takes. */
export interface AccessParts {
  readonly identity: IdentitySettings
  readonly policy: PolicySettings
  readonly quota: QuotaSettings
  /** Literal prefix of the keys of each event type. */
  readonly roots: ReadonlyMap<string, string>
  readonly readSecret: ReadSecret
  readonly fetch: FetchGet
  readonly addressOf: (request: Request) => string | undefined
  readonly audit?: Audit
  readonly clock: Clock
  readonly logger: Logger
  readonly count: Count
}

/** Access control whose rules can change. */
export interface OpenedAccess {
  readonly access: AccessControl
  /** From now on. @throws {AvisoError} `ERR_CONFIG` for rules that cannot be; the old ones then stay. */
  replacePolicy(config: PolicySettings): void
}

/** RFC 7518 §3.2: a key as long as the hash. */
const SECRET_BYTES = 32

/**
 * Access control. Nothing is asked of any server before the first request that needs it.
 *
 * @throws {AvisoError} `ERR_CONFIG` for rules and keys that cannot be, and for secrets that are missing or too short.
 */
export function openAccessControl(parts: AccessParts): OpenedAccess {
  const { identity, clock, count, addressOf, quota, audit = silentAudit } = parts
  if (identity === 'none') {
    const access = createAccessControl({ identify: identifyNobody, policy: () => openPolicy, audit })
    return { access, replacePolicy: () => undefined }
  }
  const providers = identity.providers.map((provider) => openProvider(provider, identity.realm, parts))
  const chain = createIdentityChain({ providers, clock, count })
  const failures = quota.wrongCredentialsPerAddress
  const identify = createIdentify({ chain, audit, clock, count, addressOf, failures })
  let policy = openPolicyOf(parts.policy, parts)
  return {
    access: createAccessControl({ identify, policy: () => policy, audit }),
    replacePolicy: (config) => {
      policy = openPolicyOf(config, parts)
    },
  }
}

function openPolicyOf(rules: PolicySettings, parts: AccessParts): Policy {
  const { roots, clock, count } = parts
  const common = { rules, roots, clock, count }
  return rules.destinations === undefined
    ? createPolicy(common)
    : createPolicy({ ...common, destinations: openDestinations(rules.destinations, parts) })
}

function openDestinations(
  config: NonNullable<PolicySettings['destinations']>,
  parts: AccessParts,
): DestinationRights {
  const { url, username, passwordEnv, prefix, realms, cacheSeconds } = config
  const password = parts.readSecret(passwordEnv)
  const limits = { keepMs: cacheSeconds * 1000 }
  return {
    source: createEcpds({ ...dependencyParts(parts), url, username, password, limits }),
    prefix,
    realms,
  }
}

function openProvider(
  config: ProviderSettings,
  challengeRealm: string,
  parts: AccessParts,
): IdentityProvider {
  const { clock, count, readSecret } = parts
  switch (config.kind) {
    case 'jwt': {
      const { name, issuer, audience, clockToleranceSeconds } = config
      const { usernameClaim: username, rolesClaim: roles, realmClaim, realm: fixedRealm } = config
      const rules = {
        issuer,
        audience,
        algorithms: config.algorithms,
        // Whatever names the user, a token says whom it is about (RFC 9068 §2.2).
        requiredClaims: ['sub'],
        clockToleranceSeconds,
        ...(config.type !== undefined && { type: config.type }),
      }
      const names = { username, roles, fixedRealm, ...(realmClaim !== undefined && { realm: realmClaim }) }
      return createJwtProvider({
        name,
        challengeRealm,
        rules,
        keys: openKeys(config, parts),
        names,
        clock,
        count,
      })
    }
    case 'auth-o-tron': {
      const { name, url: baseUrl, issuer, audience, clockToleranceSeconds, cacheSeconds } = config
      const requiredClaims = ['username']
      const rules = { issuer, audience, algorithms: config.algorithms, requiredClaims, clockToleranceSeconds }
      const verifier = createTokenVerifier({ rules, keys: openKeys(config, parts), clock })
      const limits = { yesMs: cacheSeconds * 1000 }
      return createAuthOTron({ ...dependencyParts(parts), name, baseUrl, verifier, limits })
    }
    case 'who-am-i': {
      const { name, url, realm, cacheSeconds } = config
      return createWhoAmI({
        ...dependencyParts(parts),
        name,
        url,
        realm,
        limits: { yesMs: cacheSeconds * 1000 },
      })
    }
    case 'tokens': {
      const tokens = config.tokens.map(({ username, realm, roles, secretEnv }) => {
        const rule = { purpose: `the token of ${username}`, minBytes: MIN_TOKEN_BYTES }
        return { username, realm, roles, token: readSecret(secretEnv, rule) }
      })
      return createStaticTokens({ name: config.name, challengeRealm, tokens, clock })
    }
  }
}

function openKeys(
  config: Extract<ProviderSettings, { readonly issuer: string }>,
  parts: AccessParts,
): KeySource {
  const { name, issuer, keysUrl, keys, secretEnvs = [] } = config
  if (keysUrl !== undefined) {
    return createRemoteKeys(dependencyParts(parts), { name: `keys of ${name}`, url: keysUrl })
  }
  if (keys !== undefined) return createInlineKeys(keys as unknown as JsonValue, issuer)
  const rule = { purpose: `the tokens of ${issuer}`, minBytes: SECRET_BYTES }
  return createSecretKeys(secretEnvs.map((secretName) => parts.readSecret(secretName, rule)))
}

function dependencyParts({ fetch, clock, logger, count }: AccessParts): DependencyParts {
  return { fetch, clock, logger, count }
}
