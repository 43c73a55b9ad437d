/**
 * Whether the upstream stands, and whether what was stored before it has come.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { Ring } from './ring.ts'

/** What is known of the upstream's beginning. */
export interface Standing {
  /** Newest revision of the store that is known of. */
  head(): Revision
  /** Whether the watch has stood since everything began. */
  hasStood(): boolean
  /** Resolves when that is so. */
  stood(): Promise<void>
  /** Whether everything that was stored at the beginning has come, as far as one can tell: what comes now is live. */
  isSettled(): boolean
  /** A message has come, the first of which says that the watch stands; the ring has moved with it. */
  received(): void
  /** What has been seen is void. Nothing may begin before {@link restart}, and before it stands again. */
  fall(): void
  /** Everything begins again; `head` is the store's revision. */
  restart(head: Revision): void
}

/**
 * After a second of silence the rest of what was stored at the beginning is taken to be none of ours. Only the label of what comes late
 * depends on it: a store may tell no progress for minutes.
 */
const SETTLE_MS = 1_000

/** Begins with a ring that is empty, in a store that is at `origin`. */
export function createStanding(ring: Ring, origin: Revision, clock: Clock): Standing {
  let head = origin
  let stood = Promise.withResolvers<void>()
  let hasStood = false
  /** When the last message came; absent once everything has. */
  let unsettledAt: number | undefined = clock.now()
  return {
    head: () => (ring.through > head ? ring.through : head),
    hasStood: () => hasStood,
    stood: () => stood.promise,
    isSettled: () => {
      if (unsettledAt === undefined) return true
      if (hasStood && clock.now() - unsettledAt >= SETTLE_MS) unsettledAt = undefined
      return unsettledAt === undefined
    },
    received: () => {
      if (unsettledAt !== undefined) unsettledAt = ring.through < head ? clock.now() : undefined
      if (hasStood) return
      hasStood = true
      stood.resolve()
    },
    fall: () => {
      if (!hasStood) return
      hasStood = false
      stood = Promise.withResolvers()
    },
    restart: (revision) => {
      head = revision
      unsettledAt = clock.now()
    },
  }
}
