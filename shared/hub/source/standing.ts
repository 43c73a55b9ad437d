/**
 * Whether the upstream stands: its watch is made and has delivered its first event. And whether the ring has everything that was stored
 * before the upstream began.
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
  /** Whether the store has an event at exactly that revision. */
  readonly hasEvent: boolean
  /** The store's revision: everything up to it is history. */
  readonly head: Revision
}

/** What is known about the upstream's beginning. */
export interface Standing {
  /** Newest known revision of the store. */
  head(): Revision
  /** Whether the watch was made since the last beginning, and has delivered the event at its first revision if there is one. */
  hasStood(): boolean
  /** Resolves when {@link hasStood} becomes true. */
  stood(): Promise<void>
  /** Whether everything that was stored at the beginning has come, as far as the service can tell. What comes then is live. */
  isSettled(): boolean
  /** Records a message, after the ring has moved with it. The first message says that the watch was made. */
  received(): void
  /** Records that everything seen is void. No stream may begin before {@link restart}, and before the upstream stands again. */
  fall(): void
  /** Begins again, after the ring was reset. */
  restart(origin: Origin): void
}

/**
 * After a second of silence, the rest of what was stored at the beginning counts as other keys. A store may report no progress for minutes.
 * Only the label of late notifications (history or live) depends on this.
 */
const SETTLE_MS = 1_000

/** The standing of an upstream whose ring is still empty. */
export function createStanding(ring: Ring, origin: Origin, clock: Clock): Standing {
  let { from, hasEvent, head } = origin
  let stood = Promise.withResolvers<void>()
  let hasStood = false
  /** When the last message came; absent once everything has. */
  let unsettledAt: number | undefined = clock.monotonic()
  return {
    head: () => (ring.through > head ? ring.through : head),
    hasStood: () => hasStood,
    stood: () => stood.promise,
    isSettled: () => {
      if (unsettledAt === undefined) return true
      if (hasStood && clock.monotonic() - unsettledAt >= SETTLE_MS) unsettledAt = undefined
      return unsettledAt === undefined
    },
    received: () => {
      if (unsettledAt !== undefined) unsettledAt = ring.through < head ? clock.monotonic() : undefined
      // etcd first says that the watch was made, and only then that its first revision is compacted.
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
      unsettledAt = clock.monotonic()
    },
  }
}
