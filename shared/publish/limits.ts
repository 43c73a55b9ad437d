/**
 * The publisher's bounds, each with its reason.
 *
 * @module
 */

import type { BackOffLimits } from '#shared/time/back_off.ts'

/** Bounds that configuration and tests may change. */
export interface PublishLimits {
  /** Most items that wait or are in flight in this process. */
  readonly maxItems: number
  /** Most bytes of these items. */
  readonly maxBytes: number
  /** Milliseconds after which an item is answered, or one attempt later. */
  readonly deadlineMs: number
  /** Milliseconds for one call of the store. */
  readonly attemptMs: number
  /** Most ids that are remembered per event type. At least half as many are kept. */
  readonly idWindowItems: number
  /** Milliseconds that an id is remembered. */
  readonly idWindowMs: number
  /** Most milliseconds that are waited for what is read ahead. The rest is read with the first notification of its event type. */
  readonly warmUpMs: number
  /** Event types are read ahead until there are as many ids. */
  readonly warmUpIds: number
}

export const DEFAULT_PUBLISH_LIMITS: PublishLimits = {
  // Two seconds of work at the expected rate of the store. More items would only be answered too late.
  maxItems: 20_000,
  // A bound for large items: a process has some hundreds of MiB.
  maxBytes: 64 * 1_048_576,
  // Longer than an election (about 3 s) and etcd's own request limit (7 s), and shorter than HTTP clients wait.
  deadlineMs: 10_000,
  // Writes may pause 3 s when a member is lost. Trying again early is safe, since every attempt is guarded.
  attemptMs: 2_500,
  // Half of them are surely kept: longer than a publish's deadline at 8,000 a second, an hour at 25 a second. Some 60 MB per event type.
  idWindowItems: 200_000,
  // Retries of a client that crashed and was restarted come within minutes.
  idWindowMs: 3_600_000,
  // The service says meanwhile that it is not ready. 100,000 ids take less than a second.
  warmUpMs: 10_000,
  // An event type that is never published to needs none of its ids. Some 120 MB.
  warmUpIds: 400_000,
}

/** Most bytes that etcd's protobuf form adds to a key and a value. */
export const OPERATION_OVERHEAD_BYTES = 32

/** Pauses after failed attempts. A store that restarts is back within seconds. */
export const RETRY: BackOffLimits = { firstMs: 20, mostMs: 1_000, steadyShare: 0.5 }

/**
 * Races that an ingest loses in a row before it asks for turns. Whoever begins does not know what the others have written, and learns it so.
 * Where it publishes many event types together, a lost race costs a part of a transaction, which is less than turns cost.
 */
export const FORGIVEN_RACES = { alone: 1, joint: 8 } as const

/** How ingests that publish the same event type take turns. */
export const TURN = {
  /** Some commits long, so that the change costs little, and short beside what a provider waits for an answer. */
  ms: 25,
  /**
   * Whoever waits for a turn begins it within a few times of what a commit takes, and within these bounds. Of the quickest commit: an ingest
   * that had no processor for a moment, and so saw its answer late, must not wait longer for it.
   */
  answer: { commits: 3, leastMs: 4, mostMs: 100 },
  /** Silence after which the turn of another is over, likewise. More than the time between two commits; less costs a refused transaction. */
  silence: { commits: 3, leastMs: 6, mostMs: 20 },
  /** A commit takes at least as long, whatever a coarse clock says. */
  quickestMs: 0.5,
  /** The quickest commit of late is forgotten by so much with each commit. */
  fade: 1.25,
  /** Longest wait for a turn: more than two turns. Whoever commits that long does not know that another one waits, and is told so. */
  longestWaitMs: 60,
  /**
   * Turns in a row that were offered to others in vain. They have nothing more to send. Fewer would take one that is slow for a moment for one
   * that is gone. When that ingest comes back, nothing waits for it, and the two refuse each other's transactions.
   */
  unanswered: 10,
  /** How long an event type counts as shared after the last sign of another ingest. */
  sharedMs: 1_000,
} as const

/** How an ingest follows what others commit. */
export const OTHERS = {
  /** How long after the last sign of another ingest. Long beside the pauses of a provider, because what is missed has to be read. */
  ms: 10_000,
  /** After a watch has ended by itself: as the store's own pauses. */
  againMs: 1_000,
  /** Commits that wait in a lane without work until it takes them. */
  idleSeen: 16,
  /** Commits that wait in a lane that works. With more, it has fallen behind, and reads. */
  mostSeen: 128,
} as const

/** How notifications that come one by one wait for each other. */
export const COMMIT_DELAY = {
  /** Longest wait: a few commits long, and little beside what a provider or a listener notices. */
  ms: 2,
  /** What has waited for most of that, while the lane sent others, goes on: too few would come in the rest to tell whether it pays. */
  leastMs: 0.5,
  /** So many wait for no more: each of them has a small part of what the commit costs. */
  enough: 16,
  /** Waits in a row that nothing joined, after which there are no more. At 500/s in no order, that is one in twenty. */
  vain: 3,
  /** Commits in quick succession until a wait is tried. It becomes twice as many each time that nothing came, up to the last. */
  firstTry: 16,
  lastTry: 1_024,
  /** A wait ends when as many are here as there were at most of late. One in so many goes on, because there may be more by now. */
  longEvery: 32,
  /** By so much is that forgotten with each wait. */
  fade: 1 / 16,
} as const

/** How the event types of an ingest share transactions. */
export const GATHER = {
  /** Sends under way at which others wait and gather. With one, the store would rest while the next is prepared. */
  waves: 2,
  /** Longest wait for one that is under way. Many times what a commit takes, and little beside what a provider waits for an answer. */
  mostMs: 25,
} as const

/** Status documents remembered per event type: more than the bases of any schema in use. A forgotten one costs a repeated transaction. */
export const MAX_STATUSES = 10_000
