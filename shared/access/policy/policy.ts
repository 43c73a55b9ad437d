/**
 * The policy: it says which keys an identity may see, what it may publish, and whether it may administer. Lists of destinations are asked
 * for only when they matter.
 *
 * Flow: identity → **policy** → access → hub, store
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Count } from '../identity/counters.ts'
import type { Identity } from '../identity/identity.ts'
import { VERDICT_LIMIT_MS, verdictInTime, verdictUnavailable } from '../identity/unavailable.ts'
import { contains, covers, intersect, normalise, subtract, type IntervalSet } from '../interval.ts'
import type { Clock } from '#shared/time/clock.ts'
import { withoutInternal } from './decision.ts'
import { createFollow, followGrants, type Following } from './following.ts'
import type { DestinationList, DestinationSource } from './destinations.ts'
import { setOf, type Grant, type Scope } from './grants.ts'
import { parsePrefix } from './prefix.ts'
import { compileRules, reportFollowers, type CompiledRights, type PolicyRules } from './rules.ts'

export type { PolicyRules }

/** Destinations as a source of rights. */
export interface DestinationRights {
  readonly source: DestinationSource
  /** A user of destination FOO may listen to `<prefix>FOO/`. */
  readonly prefix: string
  /** Realms whose user names are also the user names of the source; `*`: all realms. */
  readonly realms: readonly string[]
}

export interface PolicyParts {
  readonly rules: PolicyRules
  readonly destinations?: DestinationRights
  /** The literal prefix of the keys of each event type. */
  readonly roots: Scope['roots']
  /** Prefixes of further keys that can be listened to; absent: not all are known. */
  readonly otherRoots?: readonly string[] | undefined
  /** Keys whose rights follow those of others. No grant names them, and no identity may publish them. Absent: there are none. */
  readonly following?: Following | undefined
  readonly clock: Clock
  readonly count: Count
}

/** Keys that an identity may see, and how long that answer counts. */
export interface Visible {
  /** Normalised, without the service's own keys. The same object as long as nothing has changed. */
  readonly keys: IntervalSet
  /** When the policy must be asked again, in monotonic time. Absent: the answer follows from the identity alone. */
  readonly validUntil?: number
}

/** The part of a notification that decides whether an identity may publish it. */
export interface Publication {
  readonly event: string
  readonly key: Uint8Array
}

/** Answers questions of rights. */
export interface Policy {
  /**
   * The keys that an identity may see, as far as they matter for the requested keys.
   *
   * @param identity Absent: an anonymous requester.
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the answer depends on a list of destinations that cannot be fetched.
   */
  visible(
    identity: Identity | undefined,
    requested: IntervalSet,
    options?: { readonly maxAgeMs?: number },
  ): Visible | Promise<Visible>
  mayPublish(identity: Identity | undefined, publication: Publication): boolean
  /** The keys of an event type that an identity may publish. Normalised. */
  publishable(identity: Identity | undefined, event: string): IntervalSet
  isAdmin(identity: Identity | undefined): boolean
  /** Whether the identity is a relay: another Aviso whose hub reads from this service. */
  isRelay(identity: Identity | undefined): boolean
  /** What the answers of the others are made of, besides lists of destinations: each right with its place in the configuration. */
  explain(identity: Identity | undefined): CompiledRights
}

/**
 * Makes a policy.
 *
 * @throws {AvisoError} `ERR_CONFIG` that lists all that cannot be granted or could never be used.
 */
export function createPolicy(parts: PolicyParts): Policy {
  const { destinations, following, clock, count } = parts
  const { explain, problems } = compile(parts)
  if (problems.length > 0) throw new AvisoError('ERR_CONFIG', problems.join('; '))
  const withFollowers =
    following === undefined ? (granted: IntervalSet): IntervalSet => granted : createFollow(following)
  const destinationRoot =
    destinations === undefined ? [] : withFollowers(setOf([parsePrefix(destinations.prefix)]))
  const rightsOf = remember(explain)
  const withLists = new WeakMap<DestinationList, WeakMap<Visible, Visible>>()

  function withDestinations(granted: Visible, list: DestinationList): Visible {
    if (clock.monotonic() >= list.validUntil + VERDICT_LIMIT_MS) {
      count('fail_open')
      throw verdictUnavailable('a list of destinations was used after its end')
    }
    const known = withLists.get(list)?.get(granted)
    if (known !== undefined) return known
    const prefix = destinations?.prefix ?? ''
    const own = withFollowers(setOf(list.names.map((name) => `${prefix}${name}/`)))
    const visible = {
      keys: withoutInternal(normalise([...granted.keys, ...own])),
      validUntil: list.validUntil,
    }
    const perList = withLists.get(list) ?? new WeakMap<Visible, Visible>()
    perList.set(granted, visible)
    withLists.set(list, perList)
    return visible
  }

  return {
    visible(identity, requested, { maxAgeMs } = {}) {
      const granted = rightsOf(identity).listen
      if (identity === undefined) return granted
      const hasDestinations =
        destinations !== undefined &&
        (destinations.realms.includes('*') || destinations.realms.includes(identity.realm))
      if (!hasDestinations || covers(granted.keys, requested)) return granted
      // The requested keys that only a list of destinations could grant.
      const open = intersect(subtract(requested, granted.keys), destinationRoot)
      if (open.length === 0) return granted
      const list = destinations.source.of(identity.username, maxAgeMs)
      const decide = (found: DestinationList): Visible => {
        const visible = withDestinations(granted, found)
        count(covers(visible.keys, open) ? 'ecpds_access_allow' : 'ecpds_access_deny_destination')
        return visible
      }
      if (!(list instanceof Promise)) return decide(list)
      return verdictInTime(clock, list).then(decide, (error: unknown) => {
        count('ecpds_access_unavailable')
        throw error
      })
    },
    mayPublish: (identity, { event, key }) => contains(rightsOf(identity).publishable(event), key),
    publishable: (identity, event) => rightsOf(identity).publishable(event),
    isAdmin: (identity) => rightsOf(identity).admin,
    isRelay: (identity) => rightsOf(identity).relay,
    explain,
  }
}

/** @returns all that cannot be granted or could never be used, each with its place, such as `vars.policy.open.0`. */
export function policyProblems(
  parts: Pick<PolicyParts, 'rules' | 'roots' | 'otherRoots' | 'following'>,
): readonly string[] {
  return compile(parts).problems
}

interface Compiled {
  readonly explain: Policy['explain']
  readonly problems: readonly string[]
}

function compile({
  rules,
  roots,
  otherRoots,
  following,
}: Pick<PolicyParts, 'rules' | 'roots' | 'otherRoots' | 'following'>): Compiled {
  const problems: string[] = []
  const scope = { roots, ...(otherRoots !== undefined && { others: otherRoots }) }
  const report = (problem: string): void => void problems.push(problem)
  const explain = compileRules(rules, scope, report)
  if (following === undefined) return { explain, problems }
  reportFollowers(rules, following, report)
  return { explain: (identity) => followRights(explain(identity), following), problems }
}

function followRights({ grants, unmet }: CompiledRights, following: Following): CompiledRights {
  const own = setOf([following.root])
  const publish = grants.publish.flatMap((grant) =>
    grant.event === following.event ? [] : [{ ...grant, keys: subtract(grant.keys, own) }],
  )
  return { grants: { ...grants, listen: followGrants(following, grants.listen), publish }, unmet }
}

/** The rights of one identity, as interval sets. */
interface Rights {
  readonly listen: Visible
  readonly publishable: (event: string) => IntervalSet
  readonly admin: boolean
  readonly relay: boolean
}

function toRights({ grants }: CompiledRights): Rights {
  const perEvent = new Map<string, IntervalSet>()
  const forAnyEvent = keysOf(grants.publish.filter(({ event }) => event === undefined))
  for (const event of new Set(grants.publish.map((grant) => grant.event)))
    if (event !== undefined) {
      const own = grants.publish.filter((grant) => grant.event === event)
      perEvent.set(event, normalise([...forAnyEvent, ...keysOf(own)]))
    }
  return {
    listen: { keys: withoutInternal(keysOf(grants.listen)) },
    publishable: (event) => perEvent.get(event) ?? forAnyEvent,
    admin: grants.admin.length > 0,
    relay: grants.relay.length > 0,
  }
}

function keysOf(grants: readonly Grant[]): IntervalSet {
  return normalise(grants.flatMap(({ keys }) => keys))
}

/** Calculates the rights once per identity. An identity is the same object as long as its verdict is remembered. */
function remember(explain: Policy['explain']): (identity: Identity | undefined) => Rights {
  const known = new WeakMap<Identity, Rights>()
  const forNobody = toRights(explain(undefined))
  return (identity) => {
    if (identity === undefined) return forNobody
    const rights = known.get(identity) ?? toRights(explain(identity))
    known.set(identity, rights)
    return rights
  }
}
