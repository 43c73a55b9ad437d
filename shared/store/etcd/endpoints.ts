/**
 * The members of the cluster: which one to ask next, which one to leave alone for a while, and whether it is one of ours.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import type { Logger } from '#shared/logger.ts'

/** Rests of a member that failed. Short, because an election is over within a second or two. */
const REST: BackOffLimits = { firstMs: 30, mostMs: 500, steadyShare: 0.5 }
/** A silent one costs a whole time limit again, so the others come first for the length of an election. */
const SILENT_REST: BackOffLimits = { firstMs: 2_000, mostMs: 2_000, steadyShare: 0.5 }

/** Long enough that an address which leads elsewhere for a moment is not taken for a restored store. */
const REPLACED_AFTER_MS = 15_000

/** A member's gateway. */
export interface Endpoint {
  /** e.g. `http://10.0.0.1:2379` */
  readonly url: string
  /** When it last answered something that takes a quorum, in monotonic time. */
  aliveAt: number
  /** Whether it was seen to belong to our cluster since it last failed. Nothing is written before. */
  verified: boolean
  /** The cluster that it last named, and when, in monotonic time. */
  named: { readonly clusterId: string; readonly at: number } | undefined
  /** When it may be asked again, in monotonic time. */
  restsUntil: number
  failures: number
}

/** All members. */
export interface Endpoints {
  /** The member to ask now: the last good one, otherwise the next that does not rest, otherwise the one whose rest ends first. */
  pick(): Endpoint
  /** The other members that do not rest. */
  others(endpoint: Endpoint): readonly Endpoint[]
  /** Records a failure. The member rests, longer if it was silent, and another member is preferred. */
  failed(endpoint: Endpoint, silent: boolean): void
  /** Records an answer. */
  worked(endpoint: Endpoint): void
  /**
   * Compares the cluster of an answer with ours. A missing id says nothing, because not every gateway sends it. Ours is that of the first
   * answer. It becomes another one when most members have named that one for some seconds, and none another, as after a restore.
   *
   * @throws {AvisoError} `ERR_STORE_PROTOCOL` for another cluster.
   */
  checkCluster(endpoint: Endpoint, clusterId: string | undefined): void
}

/** What the members are kept with. */
export interface EndpointsParts {
  readonly urls: readonly string[]
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
}

/** Keeps the members. Starts with one by chance, so that many processes do not all ask the same. */
export function createEndpoints({ urls, clock, random, logger }: EndpointsParts): Endpoints {
  const all: readonly Endpoint[] = urls.map((url) => ({
    url,
    aliveAt: -Infinity,
    verified: false,
    named: undefined,
    restsUntil: -Infinity,
    failures: 0,
  }))
  const [some] = all
  if (some === undefined) throw new AvisoError('ERR_CONFIG', 'An etcd store needs at least one address')
  let preferred = Math.floor(randomFraction(random) * all.length)
  let clusterId: string | undefined
  /** Since when the members that answer name another cluster, in monotonic time. */
  let otherSince: number | undefined

  function isReplacedBy(id: string): boolean {
    if (id === clusterId) return false
    const now = clock.monotonic()
    const heard = all.flatMap(({ named }) =>
      named !== undefined && now - named.at < REPLACED_AFTER_MS ? [named] : [],
    )
    const isAgreed = heard.length > all.length / 2 && heard.every(({ clusterId: other }) => other === id)
    if (!isAgreed) return false
    otherSince ??= now
    if (now - otherSince < REPLACED_AFTER_MS) return false
    logger('error', 'The store is another cluster now')
    return true
  }
  return {
    pick: () => {
      const first = all[preferred] ?? some
      const now = clock.monotonic()
      if (first.restsUntil <= now) return first
      const others = [...all.slice(preferred + 1), ...all.slice(0, preferred)]
      const rested = others.find(({ restsUntil }) => restsUntil <= now)
      return (
        rested ?? others.reduce((best, other) => (other.restsUntil < best.restsUntil ? other : best), first)
      )
    },
    others: (endpoint) => {
      const now = clock.monotonic()
      return all.filter((other) => other !== endpoint && other.restsUntil <= now)
    },
    failed: (endpoint, silent) => {
      const limits = silent && all.length > 1 ? SILENT_REST : REST
      endpoint.restsUntil =
        clock.monotonic() + backOffMs(endpoint.failures, limits, () => randomFraction(random))
      endpoint.failures++
      endpoint.verified = false
      // A healthy member is silent, too, when it waits for one that is not: none of them is known to be good any more.
      if (silent) for (const other of all) other.verified = false
      if (all[preferred] === endpoint) preferred = (preferred + 1) % all.length
    },
    worked: (endpoint) => {
      endpoint.failures = 0
      endpoint.restsUntil = -Infinity
    },
    checkCluster: (endpoint, id) => {
      if (id === undefined) return
      const isNews = endpoint.named?.clusterId !== id
      endpoint.named = { clusterId: id, at: clock.monotonic() }
      if (clusterId === undefined || isReplacedBy(id)) clusterId = id
      if (id === clusterId) {
        endpoint.verified = true
        otherSince = undefined
        return
      }
      // Every call meets it, until the members are taken for another store.
      if (isNews)
        logger('error', 'A member of the store belongs to another cluster', { endpoint: endpoint.url })
      throw new AvisoError(
        'ERR_STORE_PROTOCOL',
        'The addresses of the store belong to different etcd clusters: name members of one',
      )
    },
  }
}
