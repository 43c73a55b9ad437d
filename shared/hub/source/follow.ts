/**
 * Follows a range of the store across disturbances: the only place that resumes a `Store.watch`.
 *
 * Flow: store → **follow** → hub → auth → listener
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { EPOCH_KEY } from '#shared/journal/journal.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyRange, Revision, Store, WatchMessage } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { randomFraction } from '#shared/time/jitter.ts'

/** Waits between attempts. Short at first, for most disturbances are one connection; a second is what a struggling store can bear. */
const BACKOFF_MS = { first: 20, most: 1_000 } as const

/** A watch that stood this long was sound: the next wait is short again. */
const STOOD_MS = 1_000

/** Whether the watch stands, and since when (milliseconds since the epoch). */
export interface FollowState {
  readonly connected: boolean
  readonly since: number
}

/** The store's epoch as first seen by any of those who share this; `undefined` before, '' where the store has none. */
export interface KnownEpoch {
  known: string | undefined
}

/** What {@link followStore} follows, and with what. */
export interface FollowRequest {
  readonly store: Store
  readonly range: KeyRange
  /** First revision to yield. */
  readonly from: Revision
  /** Shared by followers of one store, so that one that begins late notices too that it was replaced. */
  readonly epoch?: KnownEpoch
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly onState?: (state: FollowState) => void
  /** Called for every revision that came again or too late, and was dropped. */
  readonly onOrderViolation?: () => void
  /** Ends the iteration without an error. */
  readonly signal: AbortSignal
}

/** How far the iteration is. */
interface Progress {
  /** First revision that has not been yielded. */
  next: Revision
  readonly epoch: KnownEpoch
  /** Whether it has stood before. */
  hasStood: boolean
  delayMs: number
}

/**
 * Yields what a single watch that never broke would: whole revisions in strictly rising order, none left out. `created` comes with every
 * connection. It goes on from the last revision of an event, or of a progress message of the same connection: never from what another
 * connection or a response header says, for that may be ahead of what this one has delivered.
 *
 * @throws {AvisoError} `ERR_HISTORY_COMPACTED` and `ERR_EPOCH_CHANGED`: it cannot go on without a gap.
 *   Everything else is retried for ever.
 */
export async function* followStore(request: FollowRequest): AsyncGenerator<WatchMessage, void, undefined> {
  const { clock, random, logger, signal } = request
  const progress: Progress = {
    next: request.from,
    epoch: request.epoch ?? { known: undefined },
    hasStood: false,
    delayMs: BACKOFF_MS.first,
  }
  let disturbed = false
  while (!signal.aborted) {
    let code = 'none'
    let reason = 'It ended'
    let connectedAt: number | undefined
    try {
      for await (const message of watchOnce(request, progress)) {
        if (message.kind === 'created') {
          connectedAt = clock.now()
          request.onState?.({ connected: true, since: connectedAt })
          if (disturbed) logger('info', 'The watch of the store stands again', { next: progress.next })
          disturbed = false
        }
        yield message
      }
    } catch (error) {
      if (signal.aborted) return
      if (isAvisoError(error, 'ERR_HISTORY_COMPACTED', 'ERR_EPOCH_CHANGED')) throw error
      code = isAvisoError(error) ? error.code : 'ERR_INTERNAL'
      reason = isAvisoError(error) ? error.message : 'unknown'
    }
    if (signal.aborted) return
    const now = clock.now()
    if (connectedAt !== undefined) {
      request.onState?.({ connected: false, since: now })
      if (now - connectedAt >= STOOD_MS) progress.delayMs = BACKOFF_MS.first
    }
    if (!disturbed)
      logger('warn', 'The watch of the store ended, trying again', { code, reason, next: progress.next })
    disturbed = true
    // Between half of it and all: many followers of one store must not come back at the same moment.
    await clock.sleep(progress.delayMs * (0.5 + randomFraction(random) / 2), signal)
    progress.delayMs = Math.min(progress.delayMs * 2, BACKOFF_MS.most)
  }
}

/** One connection: its messages from `progress.next` on, which they move. */
async function* watchOnce(
  { store, range, signal, logger, onOrderViolation }: FollowRequest,
  progress: Progress,
): AsyncGenerator<WatchMessage, void, undefined> {
  for await (const message of store.watch({ ...range, from: progress.next, signal })) {
    switch (message.kind) {
      case 'created':
        await verifyStore(store, progress, signal)
        yield message
        break
      case 'revision':
        if (message.revision < progress.next) {
          // Old etcd members repeat events after a snapshot; passing them on would break the order.
          logger('warn', 'The store sent a revision again, dropped', {
            code: 'order_violation',
            revision: message.revision,
          })
          onOrderViolation?.()
          break
        }
        progress.next = message.revision + 1n
        progress.delayMs = BACKOFF_MS.first
        yield message
        break
      case 'progress':
        // Old etcd members report progress behind the start of a watch.
        if (message.revision < progress.next) break
        progress.next = message.revision + 1n
        progress.delayMs = BACKOFF_MS.first
        yield message
        break
    }
  }
}

/**
 * Makes sure that the store is the one whose revisions we count. The read is asked of the quorum, unlike the watch's own first message,
 * which a member that lags behind may send.
 */
async function verifyStore(store: Store, progress: Progress, signal: AbortSignal): Promise<void> {
  const { kvs, revision } = await store.range({ key: toBytes(EPOCH_KEY) }, { signal })
  const [kv] = kvs
  const epoch = kv === undefined ? '' : toText(kv.value)
  // A store without an epoch may be given one at any time.
  progress.epoch.known ||= epoch
  // Where it begins may lie ahead, but what it has seen cannot.
  const isThere = !progress.hasStood || revision >= progress.next - 1n
  progress.hasStood = true
  if (epoch === progress.epoch.known && isThere) return
  throw new AvisoError(
    'ERR_EPOCH_CHANGED',
    'The store was replaced or went back in time; start again from a date or from now',
  )
}
