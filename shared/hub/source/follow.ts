/**
 * Follows a range of the store, and resumes after disturbances. No other module resumes a `Store.watch`.
 *
 * Flow: store → **follow** → hub → auth → listener
 *
 * @module
 */

import { AvisoError, HistoryDamaged, isAvisoError, KeyDamaged } from '#shared/errors.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import { compareBytes, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyRange, Revision, Store, StoreEvent, WatchMessage } from '#shared/store/store.ts'
import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { randomFraction } from '#shared/time/jitter.ts'

/** Waits between attempts. The first is short, because most disturbances affect one connection. A weak store can bear one a second. */
const RETRY: BackOffLimits = { firstMs: 20, mostMs: 1_000, steadyShare: 0.5 }

const EPOCH_KEY_BYTES = toBytes(EPOCH_KEY)

/** After a watch that lasted this long, the next wait is short again. */
const STOOD_MS = 1_000

/** Whether the watch is connected, and since when, in monotonic time. */
export interface FollowState {
  readonly connected: boolean
  readonly since: number
}

/** The store's epoch (the id of its history), as the first of its followers saw it. `undefined` before that; '' when the store has none. */
export interface KnownEpoch {
  known: string | undefined
}

/** Everything that {@link followStore} works with. */
export interface FollowRequest {
  readonly store: Store
  readonly range: KeyRange
  /** First revision to yield. */
  readonly from: Revision
  /** Shared by all followers of one store, so that a follower that begins late also notices that the store was replaced. */
  readonly epoch?: KnownEpoch
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly onState?: (state: FollowState) => void
  /** Called for every revision that was dropped because it came again or too late. */
  readonly onOrderViolation?: () => void
  /** Ends the iteration without an error. */
  readonly signal: AbortSignal
}

/** The state of the iteration. */
interface Progress {
  /** First revision that has not been yielded. */
  next: Revision
  readonly epoch: KnownEpoch
  /** The last event that was yielded: whether the store still has it tells whether this is still the same history. */
  seen: StoreEvent | undefined
  /** Whether a connection has stood before. */
  hasStood: boolean
  /** The store's revision when its epoch was last checked. An epoch that is written later is another one. */
  checkedAt: Revision
  /** Attempts in a row that brought nothing. */
  failures: number
}

/**
 * Yields what one unbroken watch would yield: whole revisions in strictly rising order, none left out. `created` comes with every
 * connection. It resumes after the revision of the last event, or of a progress message of the same connection. It never resumes at a
 * revision from another connection or a response header, because that may be ahead of what this connection has delivered.
 *
 * @throws {AvisoError} `ERR_HISTORY_COMPACTED`, `ERR_EPOCH_CHANGED` and {@link HistoryDamaged}, because the iteration cannot go on without a gap. After any other
 *   error it tries again, for ever.
 */
export async function* followStore(request: FollowRequest): AsyncGenerator<WatchMessage, void, undefined> {
  const { clock, random, logger, signal } = request
  const progress: Progress = {
    next: request.from,
    epoch: request.epoch ?? { known: undefined },
    seen: undefined,
    hasStood: false,
    checkedAt: 0n,
    failures: 0,
  }
  let disturbed = false
  while (!signal.aborted) {
    let code = 'none'
    let reason = 'It ended'
    let connectedAt: number | undefined
    try {
      for await (const message of watchOnce(request, progress)) {
        if (message.kind === 'created') {
          connectedAt = clock.monotonic()
          request.onState?.({ connected: true, since: connectedAt })
          if (disturbed) logger('info', 'The watch of the store is connected again', { next: progress.next })
          disturbed = false
        }
        yield message
      }
    } catch (error) {
      if (signal.aborted) return
      if (isAvisoError(error, 'ERR_HISTORY_COMPACTED', 'ERR_EPOCH_CHANGED')) throw error
      if (error instanceof HistoryDamaged) throw error
      code = isAvisoError(error) ? error.code : 'ERR_INTERNAL'
      reason = isAvisoError(error) ? error.message : 'unknown'
    }
    if (signal.aborted) return
    const now = clock.monotonic()
    if (connectedAt !== undefined) {
      request.onState?.({ connected: false, since: now })
      if (now - connectedAt >= STOOD_MS) progress.failures = 0
    }
    if (!disturbed)
      logger('warn', 'The watch of the store ended, trying again', { code, reason, next: progress.next })
    disturbed = true
    const waitMs = backOffMs(progress.failures++, RETRY, () => randomFraction(random))
    await clock.sleep(waitMs, signal)
  }
}

/** Yields the messages of one connection from `progress.next` on, and moves `progress.next` with them. */
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
          // Old etcd members repeat events after a snapshot. To pass them on would break the order.
          logger('warn', 'The store sent a revision again; it was dropped', {
            code: 'order_violation',
            revision: message.revision,
          })
          onOrderViolation?.()
          break
        }
        refuseOtherEpoch(message.events, progress)
        progress.next = message.revision + 1n
        progress.failures = 0
        progress.seen = message.events.findLast(({ kind }) => kind === 'put') ?? progress.seen
        yield message
        break
      case 'progress':
        // Old etcd members report progress at revisions before the start of a watch.
        if (message.revision < progress.next) break
        progress.next = message.revision + 1n
        progress.failures = 0
        yield message
        break
    }
  }
}

/** @throws {AvisoError} `ERR_EPOCH_CHANGED` when another process has noticed that the store lost something, and gave it a new epoch. */
function refuseOtherEpoch(events: readonly StoreEvent[], { epoch, checkedAt }: Progress): void {
  const written = events.find(({ kind, kv }) => kind === 'put' && compareBytes(kv.key, EPOCH_KEY_BYTES) === 0)
  if (written === undefined || written.kv.modRevision <= checkedAt) return
  const text = toText(written.kv.value)
  // A store without an epoch may get one at any time.
  epoch.known ||= text
  if (text !== epoch.known) throw replaced()
}

/**
 * Checks that this is still the store whose revisions are counted here, with everything that was seen of it. The reads go to the quorum.
 * The first message of the watch does not: a member that lags behind may send it.
 */
async function verifyStore(store: Store, progress: Progress, signal: AbortSignal): Promise<void> {
  const { kvs, revision } = await store.range({ key: EPOCH_KEY_BYTES }, { signal })
  const [kv] = kvs
  const epoch = kv === undefined ? '' : toText(kv.value)
  progress.epoch.known ||= epoch
  progress.checkedAt = revision
  // The first position may be ahead of the store. A position that this follower has reached cannot be, unless the store went back.
  const isThere = !progress.hasStood || revision >= progress.next - 1n
  progress.hasStood = true
  if (epoch !== progress.epoch.known || !isThere) throw replaced()
  // A store that went back and was written since is ahead again, but with other data.
  if (progress.seen !== undefined && !(await isKept(store, progress.seen, signal))) throw replaced()
}

/** Whether the store has this event in its history, or has compacted that history. */
async function isKept(store: Store, { kv: seen }: StoreEvent, signal: AbortSignal): Promise<boolean> {
  try {
    const { kvs } = await store.range({ key: seen.key, revision: seen.modRevision }, { signal })
    const [kv] = kvs
    return kv?.modRevision === seen.modRevision && compareBytes(kv.value, seen.value) === 0
  } catch (error) {
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return true
    if (isAvisoError(error, 'ERR_FUTURE_POSITION')) return false
    // It is there, and damaged.
    if (error instanceof KeyDamaged && error.revision === seen.modRevision) return true
    throw error
  }
}

function replaced(): AvisoError {
  return new AvisoError(
    'ERR_EPOCH_CHANGED',
    'The store was replaced or went back in time; start again from a date or from now',
  )
}
