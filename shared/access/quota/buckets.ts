/**
 * Token buckets: how often one principal or address may do something.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'

/** A rate and how far it may be run ahead of. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** Buckets by key. */
export interface Buckets {
  /** Takes one; `false` where there is none, and nothing is taken. */
  take(key: string): boolean
  /** Whether one could be taken. */
  has(key: string): boolean
  /** Whole seconds until one is there again, at least 1. */
  retryAfterSeconds(key: string): number
  readonly size: number
}

interface Bucket {
  tokens: number
  at: number
}

/**
 * Keys that are remembered. A bucket that is full again is forgotten first, since a new one is no different; beyond, the one longest
 * unused, which gives somebody with a hundred thousand addresses no more than the addresses do.
 */
const MAX_KEYS = 100_000
/** Old keys looked at with each new one: more than one, so that the full ones do not pile up. */
const SWEEP = 4

/** New buckets, all full. */
export function createBuckets(clock: Clock, { perSecond, burst }: Rate, maxKeys = MAX_KEYS): Buckets {
  const buckets = new Map<string, Bucket>()

  function current(key: string): Bucket {
    const now = clock.now()
    const bucket = buckets.get(key)
    if (bucket === undefined) return { tokens: burst, at: now }
    // A clock that was set back fills nothing.
    const seconds = Math.max(0, now - bucket.at) / 1000
    bucket.tokens = Math.min(burst, bucket.tokens + seconds * perSecond)
    bucket.at = now
    return bucket
  }

  /** Drops what is full from the old end, a few at a time, and whatever is oldest where there are too many. */
  function makeRoom(): void {
    let looked = 0
    for (const key of buckets.keys()) {
      const mustGo = buckets.size >= maxKeys
      if (looked++ >= SWEEP && !mustGo) return
      if (mustGo || current(key).tokens >= burst) buckets.delete(key)
    }
  }

  return {
    take(key) {
      const bucket = current(key)
      if (bucket.tokens < 1) return false
      bucket.tokens -= 1
      buckets.delete(key)
      makeRoom()
      buckets.set(key, bucket)
      return true
    },
    has: (key) => current(key).tokens >= 1,
    retryAfterSeconds: (key) => Math.max(1, Math.ceil((1 - current(key).tokens) / perSecond)),
    get size() {
      return buckets.size
    },
  }
}

/** The refusal of somebody who asks too often; 503 is for a service that cannot. */
export function tooMany(what: string, retryAfterSeconds: number): AvisoError {
  return new AvisoError('ERR_TOO_MANY_REQUESTS', `Too many ${what}; try again in ${retryAfterSeconds} s`, {
    details: { retry_after: retryAfterSeconds },
  })
}
