/**
 * Leases for notifications with a time to live. Notifications share a lease when that changes their lifetime little, because etcd can keep
 * thousands of leases, not millions.
 *
 * @module
 */

import type { CallOptions, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'

/** From this time to live on, the notifications of 45 seconds share a lease; below, those of one second. */
const LONG_TTL_SECONDS = 600
/** How long a lease is given out. It lives that much longer, so that the last key with it gets its full time. */
const SHARED_SECONDS = { long: 45, short: 1 } as const
/** Extra life of a long lease, because a commit may come as late as a publish's deadline. With the sharing, it stays below 60 s. */
const LATE_COMMIT_SECONDS = 10
/** With more entries than this, ended ones are removed. */
const MAX_REMEMBERED = 256

/** Leases by time to live. */
export interface Leases {
  /** A lease that lives at least `ttlSeconds` from now, and at most a minute longer. @throws {AvisoError} As `grantLease`. */
  get(ttlSeconds: number, options?: CallOptions): Promise<bigint>
  /** Drops all remembered leases, because the store no longer knows one of them. */
  forget(): void
}

export function createLeases({ store, clock }: { readonly store: Store; readonly clock: Clock }): Leases {
  const shared = new Map<number, { readonly lease: Promise<bigint>; readonly until: number }>()
  const forgetEnded = (now: number): void => {
    for (const [ttl, { until }] of shared) if (until <= now) shared.delete(ttl)
  }
  return {
    get: (ttlSeconds, options) => {
      const now = clock.monotonic()
      const known = shared.get(ttlSeconds)
      if (known !== undefined && now < known.until) return known.lease
      if (shared.size > MAX_REMEMBERED) forgetEnded(now)
      const isLong = ttlSeconds >= LONG_TTL_SECONDS
      const sharedSeconds = isLong ? SHARED_SECONDS.long : SHARED_SECONDS.short
      const lease = store.grantLease(ttlSeconds + sharedSeconds + (isLong ? LATE_COMMIT_SECONDS : 0), options)
      const entry = { lease, until: now + sharedSeconds * 1_000 }
      shared.set(ttlSeconds, entry)
      lease.catch(() => {
        if (shared.get(ttlSeconds) === entry) shared.delete(ttlSeconds)
      })
      return lease
    },
    forget: () => shared.clear(),
  }
}
