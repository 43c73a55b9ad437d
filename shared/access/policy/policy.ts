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
import {
  ALL_KEYS,
  contains,
  covers,
  intersect,
  normalise,
  subtract,
  toInterval,
  type IntervalSet,
} from '../interval.ts'
import { prefixRange } from '#shared/bytes/bytes.ts'
import type { Clock } from '#shared/time/clock.ts'
import { withoutInternal } from './decision.ts'
import type { DestinationList, DestinationSource } from './destinations.ts'
import { parsePrefix } from './prefix.ts'
import type { PolicySettings } from './settings.ts'
import { compileRules, type Grants, type PublishGrant, type Rule } from './rules.ts'

/** Public event types, open prefixes and rules, as configured. */
export type PolicyRules = Pick<PolicySettings, 'public' | 'open' | 'rules'>

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
  readonly roots: ReadonlyMap<string, string>
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
  isAdmin(identity: Identity | undefined): boolean
  /** Whether the identity is a relay: another Aviso whose hub reads from this service. */
  isRelay(identity: Identity | undefined): boolean
}

/**
 * Makes a policy.
 *
 * @throws {AvisoError} `ERR_CONFIG` when a rule names an unknown event type or a prefix that cannot be granted.
 */
export function createPolicy({ rules, destinations, roots, clock, count }: PolicyParts): Policy {
  const publicListen = setOf(
    rules.public.listen.map((event) => publicRoot(event, rules.public.listen, roots)),
  )
  for (const event of rules.public.publish) requireRoot(event, roots)
  const publicPublish = new Set(rules.public.publish)
  const everybody = normalise([...publicListen, ...setOf(rules.open.map(parsePrefix))])
  const destinationRoot = destinations === undefined ? [] : setOf([parsePrefix(destinations.prefix)])
  checkEvents(rules.rules, roots)
  const rightsOf = remember(compileRules(rules.rules), (grants): Rights => {
    const { listen } = grants
    const granted = listen === 'everything' ? ALL_KEYS : normalise([...everybody, ...setOf(listen)])
    return {
      listen: { keys: withoutInternal(granted) },
      publish: toPublishRights(grants),
      admin: grants.admin,
      relay: grants.relay,
    }
  })
  const withLists = new WeakMap<DestinationList, WeakMap<Visible, Visible>>()
  const forNobody: Visible = { keys: withoutInternal(publicListen) }

  function withDestinations(granted: Visible, list: DestinationList): Visible {
    if (clock.monotonic() >= list.validUntil + VERDICT_LIMIT_MS) {
      count('fail_open')
      throw verdictUnavailable('a list of destinations was used after its end')
    }
    const known = withLists.get(list)?.get(granted)
    if (known !== undefined) return known
    const prefix = destinations?.prefix ?? ''
    const own = setOf(list.names.map((name) => `${prefix}${name}/`))
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
      if (identity === undefined) return forNobody
      const granted = rightsOf(identity).listen
      const hasDestinations =
        destinations !== undefined &&
        (destinations.realms.includes('*') || destinations.realms.includes(identity.realm))
      if (!hasDestinations || covers(granted.keys, requested)) return granted
      // The requested keys that only a list of destinations could grant.
      const open = intersect(subtract(requested, granted.keys), destinationRoot)
      if (open.length === 0) return granted
      const list = destinations.source.of(identity.username, maxAgeMs)
      if (!(list instanceof Promise)) return withDestinations(granted, list)
      return verdictInTime(clock, list).then((loaded) => withDestinations(granted, loaded))
    },
    mayPublish(identity, { event, key }) {
      if (publicPublish.has(event)) return true
      if (identity === undefined) return false
      const { publish } = rightsOf(identity)
      if (publish === 'everything') return true
      const keys = publish.get(event)
      return keys !== undefined && contains(keys, key)
    },
    isAdmin: (identity) => identity !== undefined && rightsOf(identity).admin,
    isRelay: (identity) => identity !== undefined && rightsOf(identity).relay,
  }
}

/** The rights of one identity, as interval sets. */
interface Rights {
  readonly listen: Visible
  /** Event type → keys. */
  readonly publish: 'everything' | ReadonlyMap<string, IntervalSet>
  readonly admin: boolean
  readonly relay: boolean
}

function toPublishRights({ publish }: Grants): Rights['publish'] {
  if (publish === 'everything') return publish
  const rights = new Map<string, IntervalSet>()
  for (const { event, prefixes } of publish) {
    const keys = prefixes === 'everything' ? ALL_KEYS : setOf(prefixes)
    rights.set(event, normalise([...(rights.get(event) ?? []), ...keys]))
  }
  return rights
}

function setOf(prefixes: readonly string[]): IntervalSet {
  return normalise(prefixes.map((prefix) => toInterval(prefixRange(prefix))))
}

/** Calculates the rights once per identity. An identity is the same object as long as its verdict is remembered. */
function remember(
  grantsOf: (identity: Identity) => Grants,
  calculate: (grants: Grants) => Rights,
): (identity: Identity) => Rights {
  const known = new WeakMap<Identity, Rights>()
  return (identity) => {
    const rights = known.get(identity) ?? calculate(grantsOf(identity))
    known.set(identity, rights)
    return rights
  }
}

/** Refuses a public event type whose keys cannot be distinguished by prefix from those of a protected event type. */
function publicRoot(event: string, publicEvents: readonly string[], roots: PolicyParts['roots']): string {
  const root = requireRoot(event, roots)
  for (const [other, otherRoot] of roots) {
    if (publicEvents.includes(other) || !(otherRoot.startsWith(root) || root.startsWith(otherRoot))) continue
    throw new AvisoError(
      'ERR_CONFIG',
      `The event type "${event}" cannot be public: its keys lie among those of "${other}", which is protected`,
    )
  }
  return root
}

function requireRoot(event: string, roots: PolicyParts['roots']): string {
  const root = roots.get(event)
  if (root !== undefined) return root
  throw new AvisoError('ERR_CONFIG', `The policy names the event type "${event}", which no schema defines`)
}

function checkEvents(rules: readonly Rule[], roots: PolicyParts['roots']): void {
  for (const { publish } of rules) {
    if (publish === undefined || publish === 'everything') continue
    for (const grant of publish) checkGrant(grant, requireRoot(grant.event, roots))
  }
}

/** Refuses a prefix outside the event type: it would be a right that can never be used, so it is a mistake. */
function checkGrant({ event, prefixes = [] }: PublishGrant, root: string): void {
  const outside = prefixes.find((prefix) => !prefix.startsWith(root))
  if (outside === undefined) return
  throw new AvisoError(
    'ERR_CONFIG',
    `The prefix "${outside}" is outside event type "${event}", whose keys begin with ${root}`,
  )
}
