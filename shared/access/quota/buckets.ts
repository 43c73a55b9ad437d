/**
 * Token buckets: how often one principal or address may do something.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'

/** How often something may happen: a lasting rate, and a burst after a pause. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** What is left of a quota. */
export interface QuotaLeft {
  /** Most at once. */
  readonly quota: number
  /** Whole seconds in which a used-up quota becomes whole again. */
  readonly windowSeconds: number
  readonly left: number
  /** Whole seconds until the quota is whole again. */
  readonly resetSeconds: number
}

/** Buckets by key. */
export interface Buckets {
  /** Takes one token; `false` when the bucket has none. */
  take(key: string): boolean
  /**
   * Takes tokens for what is already done, or gives them back if there are fewer than 0. A bucket may owe tokens: it has none until it has
   * filled up again.
   */
  charge(key: string, tokens: number): void
  /** Whether the bucket has a token. */
  has(key: string): boolean
  /** Whole seconds until the bucket has a token again, at least 1. */
  retryAfterSeconds(key: string): number
  /** What the bucket has. */
  left(key: string): QuotaLeft
  readonly size: number
}

interface Bucket {
  tokens: number
  at: number
}

/**
 * Most buckets that are kept. A bucket that is full again goes first, because a new one is the same. After those, the bucket that was
 * unused longest goes. An attacker with a hundred thousand addresses gains no more from that than from the addresses.
 */
const MAX_KEYS = 100_000
/** Old keys that are checked at each take: more than one, so that full buckets do not pile up. */
const SWEEP = 4

/** New buckets, all full. */
export function createBuckets(clock: Clock, { perSecond, burst }: Rate, maxKeys = MAX_KEYS): Buckets {
  const buckets = new Map<string, Bucket>()

  function current(key: string): Bucket {
    const now = clock.monotonic()
    const bucket = buckets.get(key)
    if (bucket === undefined) return { tokens: burst, at: now }
    const seconds = (now - bucket.at) / 1000
    bucket.tokens = Math.min(burst, bucket.tokens + seconds * perSecond)
    bucket.at = now
    return bucket
  }

  /** Drops full buckets, a few at a time from the oldest; drops the oldest whether full or not while there are too many. */
  function makeRoom(): void {
    let looked = 0
    for (const key of buckets.keys()) {
      const mustGo = buckets.size >= maxKeys
      if (looked++ >= SWEEP && !mustGo) return
      if (mustGo || current(key).tokens >= burst) buckets.delete(key)
    }
  }

  function charge(key: string, tokens: number): void {
    const bucket = current(key)
    bucket.tokens = Math.min(burst, bucket.tokens - tokens)
    buckets.delete(key)
    makeRoom()
    buckets.set(key, bucket)
  }

  return {
    take(key) {
      if (current(key).tokens < 1) return false
      charge(key, 1)
      return true
    },
    charge,
    has: (key) => current(key).tokens >= 1,
    retryAfterSeconds: (key) => Math.max(1, Math.ceil((1 - current(key).tokens) / perSecond)),
    left(key) {
      const { tokens } = current(key)
      return {
        quota: burst,
        windowSeconds: Math.max(1, Math.ceil(burst / perSecond)),
        left: Math.max(0, Math.floor(tokens)),
        resetSeconds: Math.ceil((burst - tokens) / perSecond),
      }
    },
    get size() {
      return buckets.size
    },
  }
}

/** A limit that a client has reached. */
export interface ReachedLimit {
  /** Its setting, such as `vars.quota.streamsPerPrincipal`: who runs the service can raise it. */
  readonly setting: string
  /** What it allows, such as `2000 at once`. */
  readonly most: string
}

/** The refusal (429) of a client that asks too often. A service that cannot answer sends 503 instead. */
export function tooMany(what: string, retryAfterSeconds: number, limit?: ReachedLimit): AvisoError {
  const which = limit === undefined ? '' : `: at most ${limit.most} (${limit.setting})`
  return new AvisoError(
    'ERR_TOO_MANY_REQUESTS',
    `Too many ${what}${which}; try again in ${retryAfterSeconds} s`,
    {
      details: { retry_after: retryAfterSeconds, ...(limit !== undefined && { limit: limit.setting }) },
    },
  )
}

/** A rate in words, such as `50 a second, and 2000 at once`. */
export function rateText({ perSecond, burst }: Rate): string {
  return `${perSecond} a second, and ${burst} at once`
}
