/**
 * The publisher's bounds, each with its reason.
 *
 * @module
 */

import type { BackOffLimits } from '#shared/time/back_off.ts'

/** Bounds that configuration and tests may change. */
export interface PublishLimits {
  /** Items waiting or in flight in this process. */
  readonly maxItems: number
  /** Their bytes. */
  readonly maxBytes: number
  /** Milliseconds after which an item is answered, at the latest one attempt later. */
  readonly deadlineMs: number
  /** Milliseconds given to one call of the store. */
  readonly attemptMs: number
  /** Most ids remembered per event type; at least half as many are. */
  readonly idWindowItems: number
  /** Milliseconds that an id is remembered. */
  readonly idWindowMs: number
}

export const DEFAULT_PUBLISH_LIMITS: PublishLimits = {
  // Two seconds of work at the rate the store is expected to take: more would only be answered too late.
  maxItems: 20_000,
  // Holds also where every item is large: a process has some hundreds of MiB.
  maxBytes: 64 * 1_048_576,
  // Longer than an election (about 3 s) and than etcd's own request limit (7 s), shorter than what HTTP clients wait.
  deadlineMs: 10_000,
  // Writes may pause 3 s when a member is lost. Trying again early is safe, since every attempt is guarded.
  attemptMs: 2_500,
  // Half of them surely: longer than a publish's deadline at 8,000 a second, the whole time at 25 a second. Up to 80 MB per event type.
  idWindowItems: 200_000,
  // Retries of a client that crashed and was restarted come within minutes.
  idWindowMs: 3_600_000,
}

/** Bytes that etcd's protobuf form adds to a key and a value, at most. */
export const OPERATION_OVERHEAD_BYTES = 32

/** Pauses after failed attempts. A store that restarts is back within seconds. */
export const RETRY: BackOffLimits = { firstMs: 20, mostMs: 1_000, steadyShare: 0.5 }

/** Lost races without a pause. */
export const RACES_WITHOUT_PAUSE = 3

/** Pauses after further lost races, short because they must fit the winner's. */
export const RACE: BackOffLimits = { firstMs: 2, mostMs: 4 }

/** Lost races in a row after which an ingest says that it waits: the odds of losing so often by chance are small. */
export const RACES_BEFORE_WAITING = 3

/**
 * How long an ingest that commits without a break pauses once it sees that another waits. The pause must be longer than the other's way to the
 * store and back, which is not known, so it doubles until the other has passed.
 */
export const YIELD_MS = { first: 4, most: 256 } as const

/** Status documents remembered per event type: more bases than any schema in use has; a forgotten one costs one repeated transaction. */
export const MAX_STATUSES = 10_000
