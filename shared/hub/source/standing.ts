/**
 * Whether the upstream stands, and whether what was stored before it has come.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Ring } from './ring.ts'

/** Where the upstream begins. */
export interface Origin {
  /** First revision of the ring. */
  readonly from: Revision
  /** Whether there is an event at that very revision. */
  readonly hasEvent: boolean
  /** The store's revision: what is stored up to it is history. */
  readonly head: Revision
}

/** What is known of the upstream's beginning. */
export interface Standing {
  /** Newest revision of the store that is known of. */
  head(): Revision
  /** Whether the watch has stood since everything began, and has delivered the event that it surely begins with. */
  hasStood(): boolean
  /** Resolves when that is so. */
  stood(): Promise<void>
  /** Whether everything that was stored at the beginning has come, as far as one can tell: what comes now is live. */
  isSettled(): boolean
  /** A message has come, the first of which says that the watch was made; the ring has moved with it. */
  received(): void
  /** What has been seen is void. Nothing may begin before {@link restart}, and before it stands again. */
  fall(): void
  /** Everything begins again, the ring with it. */
  restart(origin: Origin): void
}

/**
 * After a second of silence the rest of what was stored at the beginning is taken to be none of ours. Only the label of what comes late
 * depends on it: a store may tell no progress for minutes.
 */
const SETTLE_MS = 1_000

/** Begins with a ring that is empty. */
export function createStanding(ring: Ring, origin: Origin, clock: Clock): Standing {
  let { from, hasEvent, head } = origin
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
      // etcd says first that the watch was made, and then that its beginning is compacted.
      if (hasStood || (hasEvent && ring.through < from)) return
      hasStood = true
      stood.resolve()
    },
    fall: () => {
      if (!hasStood) return
      hasStood = false
      stood = Promise.withResolvers()
    },
    restart: (again) => {
      ;({ from, hasEvent, head } = again)
      unsettledAt = clock.now()
    },
  }
}
