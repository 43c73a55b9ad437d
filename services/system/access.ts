/**
 * Starts access as configured: it puts identity, policy, quotas and the audit log together for the services.
 *
 * @module
 */

import type { TicketSettings } from '#services/auth/tickets.ts'
import type { Access, OwnRights } from '#shared/access/access.ts'
import { createAccessControl } from '#shared/access/access_control.ts'
import { createAudit, createTailAudit, type Audit, type AuditSink } from '#shared/access/audit/audit.ts'
import { createAuditTail, type AuditTail } from '#shared/access/audit/tail.ts'
import { createIdentityChain } from '#shared/access/identity/chain.ts'
import { createCounters, type Count } from '#shared/access/identity/counters.ts'
import type { FetchGet } from '#shared/access/identity/dependency.ts'
import type { Identity } from '#shared/access/identity/identity.ts'
import type { ReadSecret } from '#shared/secret.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { forOwnMachine } from '#shared/access/own_machine.ts'
import { openRights, rightsOf } from '#shared/access/own_rights.ts'
import { createAddressOf } from '#shared/access/policy/address.ts'
import { createEcpds, type DestinationSource } from '#shared/access/policy/destinations.ts'
import type { DestinationRights, Policy } from '#shared/access/policy/policy.ts'
import { createIdentify, type AddressOf, type Identify } from '#shared/access/policy/requester.ts'
import type { Elsewhere } from '#shared/access/quota/elsewhere.ts'
import { createQuotas, type QuotaLimits, type Quotas } from '#shared/access/quota/quotas.ts'
import { createStreamRights } from '#shared/access/policy/stream_rights.ts'
import type { IdentitySettings } from '#shared/access/identity/settings.ts'
import type { UnmetRule } from '#shared/access/policy/rules.ts'
import type { PolicySettings } from '#shared/access/policy/settings.ts'
import { assumeIdentity, type NamedUser } from './assumed_identity.ts'
import { openPolicy, rootsOf } from './policy.ts'
import { reservedEvents } from './runs.ts'
import { protectedEvents, unprotected, withSchemaRights } from './schema_rights.ts'
import type { Config } from './settings.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Handler } from '#shared/handler.ts'
import { asProblem } from '#shared/http/problem.ts'
import { errorResponse, requestIdOf } from '#shared/http/respond.ts'
import type { Logger } from '#shared/logger.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Clock } from '#shared/time/clock.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import { openProvider, type IdentityParts } from './identity.ts'

/** How `/api/v1/admin/access` is asked. */
const ASKED = { realm: 'realm', claim: 'claim' }

/** Optional abilities of identity, policy and audit. */
export interface AccessPowers {
  /** Asks authentication servers, ECPDS and key set endpoints. Default: the runtime's `fetch`. */
  readonly fetchVerdict?: FetchGet
  /** Writes the audit log; absent: no audit log. */
  readonly auditSink?: AuditSink
  /** Where quotas are counted for several workers; absent: here. */
  readonly quotas?: Quotas | undefined
  /** Other workers, with which attempts are counted; absent: there are none. */
  readonly elsewhere?: Elsewhere | undefined
}

export interface SystemAccessParts extends AccessPowers {
  readonly config: Config
  readonly schemas: Schemas
  readonly clock: Clock
  /** 128 random bits as text. */
  readonly random: () => string
  readonly logger: Logger
  /** Finds the secrets that the configuration names. */
  readonly readSecret: ReadSecret
  /** Public address. */
  readonly baseUrl: () => string
}

/** What the audit log got lately. Without a log, it is what the log would have got. */
export interface RecentAudit extends Pick<AuditTail, 'list'>, Pick<Audit, 'hasPublished'> {}

/** What a user may do. */
export interface UserRights {
  /** Absent: the question was about requests without an identity, or there are no identities. */
  readonly identity: Identity | undefined
  readonly rights: Omit<OwnRights, 'user' | 'endsAt'>
  /** Rules of the user's realm that do not apply, and why. */
  readonly unmet: readonly UnmetRule[]
}

/** Access of a system, for all of its services. */
export interface SystemAccess extends Access {
  /**
   * What a user may do now, by the policy that counts.
   *
   * @param user Absent: requests without an identity.
   * @throws {AvisoError} `ERR_BAD_REQUEST` for a user that no provider knows, or whose realm is not clear.
   */
  explainUser(user: NamedUser | undefined): Promise<UserRights>
  readonly recent: RecentAudit
  /** What is taken of the quotas. */
  readonly quotas: Quotas
  /** @returns the counters of identity and policy, and the number of records that the audit log has lost. */
  counts(): Readonly<Record<string, number>>
  /** Limits of tickets for streams. */
  readonly tickets: TicketSettings
  /** Puts the door of the profile before a handler. Without identities only this machine is let in, and no web page of another origin. */
  guard(handler: Handler): Handler
  /** Replaces the policy, for open streams too. @throws {AvisoError} `ERR_CONFIG` for invalid rules; the old policy then stays. */
  replacePolicy(config: PolicySettings): void
  /**
   * Whether these schemas can be used. @throws {AvisoError} `ERR_CONFIG` where they ask for identities or destinations that are not
   *   configured.
   */
  checkSchemas(schemas: Schemas): void
  /** Gives the rights of other schemas, for open streams too. @throws {AvisoError} As `checkSchemas`; the old rights then stay. */
  useSchemas(schemas: Schemas): void
  /** Writes the rest of the audit log. */
  close(): Promise<void>
}

/**
 * Starts access. No other server is asked before the first request that needs it.
 *
 * @throws {AvisoError} `ERR_CONFIG` for invalid rules or keys, and for secrets that are missing or too short.
 */
export function startAccess(parts: SystemAccessParts): SystemAccess {
  const { clock, config, logger } = parts
  const { identity } = config.vars
  const { audit, recent } = openAudit(parts)
  const counters = createCounters()
  let lists: Pick<DestinationSource, 'size'> | undefined
  const counts = (): Readonly<Record<string, number>> => ({
    ...counters.values(),
    audit_lost: audit.lost(),
    ...(lists !== undefined && { ecpds_cache_size: lists.size }),
  })
  const addressOf = createAddressOf(config.vars.quota.trustedProxies)
  const quota = quotaOf(config)
  const quotas = parts.quotas ?? createQuotas(clock, quota)
  const { elsewhere } = parts
  const tickets = ticketsOf(config, { addressOf, elsewhere, count: counters.count })
  if (identity === 'none') {
    return openToAll(parts, { audit, addressOf, recent, quotas, counts, tickets, count: counters.count })
  }
  const tools: IdentityParts = {
    fetch: parts.fetchVerdict ?? ((url, init) => globalThis.fetch(url, init)),
    readSecret: parts.readSecret,
    clock,
    random: () => randomFraction(parts.random),
    logger,
    count: counters.count,
  }
  const identify = openIdentify(identity, parts, { ...tools, audit, addressOf })
  const rights = createStreamRights(tools)
  const { vars } = config
  let current = { rules: vars.policy, schemas: parts.schemas }
  const open = ({ rules, schemas }: typeof current): Policy => {
    const { destinations } = rules
    const asked = destinations === undefined ? undefined : openDestinations(destinations, tools)
    // A policy may name event types of the configuration that the schemas in the store lack.
    const opened = openPolicy(rules, {
      schemas,
      configured: parts.schemas,
      vars,
      tools: { ...tools, destinations: asked },
    })
    lists = asked?.source
    return opened
  }
  let policy = open(current)
  const use = (changed: Partial<typeof current>): void => {
    const next = { ...current, ...changed }
    policy = open(next)
    current = next
    rights.checkAll()
  }
  const access = createAccessControl({
    identify,
    policy: () => policy,
    audit,
    rights,
    quota,
    quotas,
    count: counters.count,
  })
  return {
    ...access,
    explainUser: async (user) => {
      const asked = user && assumeIdentity(user, identity, ASKED)
      const rights = await rightsOf(policy, asked, rootsOf(current.schemas))
      return { identity: asked, rights, unmet: policy.explain(asked).unmet }
    },
    recent,
    quotas,
    counts,
    tickets,
    guard: (handler) => handler,
    replacePolicy: (rules) => use({ rules }),
    checkSchemas: (schemas) => void withSchemaRights(current.rules, schemas),
    useSchemas: (schemas) => use({ schemas }),
    close: async () => {
      rights.close()
      await audit.close()
    },
  }
}

/** What access has in every profile. */
interface Common extends Pick<SystemAccess, 'recent' | 'quotas' | 'counts' | 'tickets'> {
  readonly audit: Audit
  readonly addressOf: AddressOf
  readonly count: Count
}

/** Access without identities. */
function openToAll(parts: SystemAccessParts, { audit, addressOf, count, ...common }: Common): SystemAccess {
  const reserved = [...reservedEvents(parts.config.vars).keys()]
  let { schemas } = parts
  const checkSchemas = (asked: Schemas): void => {
    const [event] = protectedEvents(asked)
    if (event !== undefined) throw new AvisoError('ERR_CONFIG', unprotected(event))
  }
  checkSchemas(parts.schemas)
  return {
    ...createOpenAccess({
      audit,
      addressOf,
      reserved,
      quotas: common.quotas,
    }),
    ...common,
    explainUser: () =>
      Promise.resolve({ identity: undefined, rights: openRights(rootsOf(schemas), reserved), unmet: [] }),
    guard: (handler) => guardOwnMachine(handler, parts, count),
    replacePolicy: () => undefined,
    checkSchemas,
    useSchemas: (found) => {
      checkSchemas(found)
      schemas = found
    },
    close: audit.close,
  }
}

function openAudit({ auditSink: sink, clock, logger }: SystemAccessParts): {
  readonly audit: Audit
  readonly recent: RecentAudit
} {
  const tail = createAuditTail()
  const audit = sink === undefined ? createTailAudit(tail, clock) : createAudit({ sink, tail, clock, logger })
  return { audit, recent: { list: tail.list, hasPublished: audit.hasPublished } }
}

function openIdentify(
  { providers, realm }: Exclude<IdentitySettings, 'none'>,
  { config, elsewhere }: SystemAccessParts,
  tools: IdentityParts & { readonly audit: Audit; readonly addressOf: AddressOf },
): Identify {
  const { wrongCredentialsPerAddress: failures } = config.vars.quota
  const opened = providers.map((provider) => openProvider(provider, realm, tools))
  const chain = createIdentityChain({ ...tools, providers: opened })
  return createIdentify({ ...tools, chain, failures, elsewhere })
}

function ticketsOf(
  { vars: { quota } }: Config,
  tools: Pick<TicketSettings, 'addressOf' | 'count' | 'elsewhere'>,
): TicketSettings {
  return { perIdentity: quota.opensPerPrincipal, wrongPerAddress: quota.readsPerAddress, ...tools }
}

/** The limits of listening and publishing. */
function quotaOf({ workers, vars }: Config): QuotaLimits {
  const { quota } = vars
  return {
    listening: {
      perIdentity: {
        streams: quota.streamsPerPrincipal,
        opens: quota.opensPerPrincipal,
        reads: quota.readsPerPrincipal,
      },
      perAddress: {
        streams: quota.streamsPerAddress,
        opens: quota.opensPerAddress,
        reads: quota.readsPerAddress,
      },
      streams: workers.auth.vars.maxStreams,
      reserves: { identities: quota.streamsForIdentities, relays: quota.streamsForRelays },
    },
    publishing: { perIdentity: quota.publishesPerPrincipal, perAddress: quota.publishesPerAddress },
  }
}

function guardOwnMachine(
  handler: Handler,
  { baseUrl, random, logger }: SystemAccessParts,
  count: Count,
): Handler {
  return forOwnMachine(handler, {
    baseUrl,
    refuse: (request, error, foreign) => {
      count(foreign === 'host' ? 'foreign_host_refused' : 'foreign_page_refused')
      return asProblem(request, errorResponse(error, { requestId: requestIdOf(request, random), logger }))
    },
  })
}

function openDestinations(
  config: NonNullable<PolicySettings['destinations']>,
  parts: IdentityParts,
): DestinationRights & { readonly source: DestinationSource } {
  const { url, username, passwordEnv, prefix, realms, cacheSeconds, targetField, partialOutage } = config
  const password = parts.readSecret(passwordEnv)
  const limits = { keepMs: cacheSeconds * 1000 }
  return {
    source: createEcpds({
      ...parts,
      urls: [url].flat(),
      username,
      password,
      targetField,
      isStrict: partialOutage === 'strict',
      limits,
    }),
    prefixes: [prefix].flat(),
    realms,
  }
}
