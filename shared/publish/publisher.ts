/**
 * The publisher: it takes notifications from the ingest and commits them in groups. The journal of the event type guards each commit.
 *
 * Flow: ingest → **publisher** → journal → store
 *
 * @module
 */

import { inSlabs } from '#shared/bytes/slab.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { silentLogger, type Logger } from '#shared/logger.ts'
import { within } from '#shared/time/deadline.ts'
import { createFrame } from './attempt.ts'
import { createCommitDelay } from './commit_delay.ts'
import { createIdentityHash } from './identity_hash.ts'
import { createJointCommit } from './joint_commit.ts'
import { createLane, type Lane } from './lane.ts'
import { createLeases } from './leases.ts'
import { DEFAULT_PUBLISH_LIMITS, type PublishLimits } from './limits.ts'
import { firstNumberOf, type FirstNumbers } from './numbers.ts'
import { createOthers } from './others.ts'
import { createPending, type Load } from './pending.ts'
import type { Publisher, PublishItem, PublishResult } from './publish.ts'
import type { WriterIdentity } from './status_document.ts'

export interface PublisherParts {
  readonly store: Store
  readonly clock: Clock
  /** 128 random bits as text. They name transactions, and vary the pauses before repeated ones. */
  readonly random: () => string
  readonly logger?: Logger
  readonly identity: WriterIdentity
  readonly limits?: Partial<PublishLimits>
  /** Whether an id may name one notification only. Otherwise the same id with other content is a new notification, as in 1.x. */
  readonly strictIds?: boolean
  /** Default: none, every event type begins with 1. */
  readonly firstNumbers?: FirstNumbers
}

/** A publisher that can read ahead. */
export interface WarmPublisher extends Publisher {
  /**
   * Reads what the first notification of each event type would wait for, one event type after the other, within the limits. Publishing
   * goes on meanwhile, and an event type that is published to is read at once. Never rejects.
   *
   * @param signal Ends the reading.
   * @returns a promise that resolves when it is read, or the time is up
   */
  warmUp(events: readonly string[], signal: AbortSignal): Promise<void>
}

/**
 * Makes a publisher. Results have these errors:
 * - `ERR_OUTCOME_UNKNOWN`: the notification may have been stored, or may still be. It is safe to send it again with the same id.
 * - `ERR_STORE_UNAVAILABLE`, `ERR_STORE_FULL`, `ERR_STORE_PROTOCOL`, `ERR_OVERLOADED`: surely not stored; a later attempt may succeed.
 * - `ERR_READ_ONLY`, `ERR_TOO_LARGE`, `ERR_INVALID_NOTIFICATION`, `ERR_INVALID_RANGE`, `ERR_ID_REUSED`: not stored; trying again does not
 *   help.
 */
export function createPublisher(parts: PublisherParts): WarmPublisher {
  const {
    store,
    clock,
    random,
    logger = silentLogger,
    identity: writer,
    strictIds = false,
    firstNumbers = {},
  } = parts
  const limits = { ...DEFAULT_PUBLISH_LIMITS, ...parts.limits }
  const leases = createLeases({ store, clock })
  const others = createOthers({ store, clock })
  const lanes = new Map<string, Lane>()
  const load: Load = { items: 0, bytes: 0, sent: 0 }
  const delay = createCommitDelay(clock, load)
  const joint = createJointCommit({ store, delay, clock, limits })
  const identityHash = createIdentityHash(random())
  let closed = false

  const laneOf = (event: string): Lane => {
    const known = lanes.get(event)
    if (known !== undefined) return known
    const frame = createFrame(event, writer)
    const firstNumber = firstNumberOf(firstNumbers, event)
    const shared = { store, joint, clock, random, logger, limits, strictIds, identityHash, leases, others }
    const lane = createLane({ ...shared, frame, firstNumber, delay, load })
    lanes.set(event, lane)
    return lane
  }

  function accept(item: PublishItem, answer: (result: PublishResult) => void): void {
    if (closed) return answer({ ok: false, error: shuttingDown() })
    // Checked before anything is computed, because a refusal must be cheap.
    if (load.items >= limits.maxItems || load.bytes >= limits.maxBytes)
      return answer({ ok: false, error: overloaded() })
    const deadline = clock.monotonic() + limits.deadlineMs
    delay.arrived()
    laneOf(item.event).add(createPending(item, { strictIds, deadline, load, answer }))
  }

  async function warmUp(events: readonly string[], signal: AbortSignal): Promise<void> {
    const startedAt = clock.monotonic()
    let ids = 0
    for (const event of events) {
      const isLate = clock.monotonic() - startedAt >= limits.warmUpMs
      if (isLate || closed || signal.aborted || ids >= limits.warmUpIds) break
      ids += await laneOf(event).warmUp(signal)
    }
    const ms = Math.round(clock.monotonic() - startedAt)
    if (ids > 0) logger('info', 'Recent ids were read', { ids, ms })
  }

  return {
    publish: (batch) =>
      new Promise((resolve) => {
        const results: PublishResult[] = []
        let open = batch.length
        if (open === 0) resolve(results)
        const acceptAll = (): void =>
          batch.forEach((item, index) =>
            accept(item, (result) => {
              results[index] = result
              if (--open === 0) resolve(results)
            }),
          )
        // The keys of a batch are kept about as long as each other.
        if (open > 1) inSlabs(acceptAll)
        else acceptAll()
      }),
    warmUp: (events, signal) =>
      within(warmUp(events, signal), { clock, ms: limits.warmUpMs, signal, late: () => undefined }),
    close: async () => {
      closed = true
      await Promise.all([...lanes.values()].map((lane) => lane.close()))
      others.stop()
    },
  }
}

function overloaded(): AvisoError {
  return new AvisoError(
    'ERR_OVERLOADED',
    'The notification was not stored, because too many are waiting for the store: send it again later',
  )
}

function shuttingDown(): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    'The notification was not stored, because the service is stopping: send it again',
  )
}
