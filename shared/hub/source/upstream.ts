/**
 * The upstream: the one watch that fills the ring. It starts over when it cannot go on.
 *
 * Flow: store → **upstream** → hub → auth → listener
 *
 * @module
 */

import { HistoryDamaged, isAvisoError, oldestRevisionOf } from '#shared/errors.ts'
import { readEpoch, renewEpoch } from '#shared/journal/epoch.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import { prefixRange } from '#shared/bytes/bytes.ts'
import { onNextTurn } from '#shared/time/turn.ts'
import type { KeyRange, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Decoder } from './decode.ts'
import { isEmptyEntry, type Entry } from './entry.ts'
import { followStore, type FollowState, type KnownEpoch } from './follow.ts'
import { START_BACK_REVISIONS, TURN_BYTES, TURN_REVISIONS } from './limits.ts'
import { createNumbering, entryOf } from './numbering.ts'
import type { Ring } from './ring.ts'
import { createStanding, type Origin, type Standing } from './standing.ts'

/** Why the hub must forget everything. */
export type Loss =
  /** Revisions that came while the upstream was disconnected can no longer be read. */
  | { readonly kind: 'compacted'; readonly oldest: Revision }
  /** The store was replaced. */
  | { readonly kind: 'replaced' }

export interface UpstreamParts {
  readonly store: Store
  readonly range: KeyRange
  readonly ring: Ring
  /** The epoch of the store: the same object for all of its followers. */
  readonly epoch: KnownEpoch
  readonly decode: Decoder
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  /** Called after an entry has been appended to the ring. */
  readonly onEntry: (entry: Entry) => void
  /** Called after the ring's `through` has moved. */
  readonly onAdvance: () => void
  /** Called before the ring starts over, so that streams can still be ended with what the ring holds. */
  readonly onLoss: (loss: Loss) => void
  /** Called when a replaced store has its new epoch. */
  readonly onEpoch: (epoch: string) => void
  /** Called when the watch is connected, and when it no longer is. */
  readonly onConnection: (isConnected: boolean) => void
}

export interface Upstream {
  readonly standing: Standing
  state(): FollowState
  close(): Promise<void>
}

/** Wait after an unexpected failure. */
const RETRY_MS = 1_000

/**
 * Finds where the upstream begins: at the newest write to an internal key, because every reader of history meets that event too. Without
 * one nearby, it begins right after the store's head. A reader then waits at the end of history until an event or progress shows the end.
 *
 * @throws {AvisoError} The store's error.
 */
export async function findOrigin(store: Store, signal?: AbortSignal): Promise<Origin> {
  const request = {
    ...prefixRange(INTERNAL_PREFIX),
    keysOnly: true,
    sortTarget: 'MOD',
    sortOrder: 'DESCEND',
    limit: 1,
  } as const
  const { kvs, revision: head } = await store.range(request, signal && { signal })
  const written = kvs[0]?.modRevision
  const isNear = written !== undefined && head - written <= START_BACK_REVISIONS
  return { from: isNear ? written : head + 1n, hasEvent: isNear, head }
}

/** Follows the store from the ring's end on. */
export function startUpstream(parts: UpstreamParts, origin: Origin): Upstream {
  const { store, range, ring, clock, random, logger } = parts
  const stop = new AbortController()
  let state: FollowState = { connected: false, since: clock.monotonic() }
  const { epoch } = parts
  const standing = createStanding(ring, origin, clock)
  const onState = (changed: FollowState): void => parts.onConnection((state = changed).connected)
  /** What has been received in this turn of the event loop. */
  let turn = { revisions: 0, bytes: 0 }

  async function follow(): Promise<void> {
    const from = ring.through + 1n
    const { signal } = stop
    const messages = followStore({ store, range, from, epoch, clock, random, logger, onState, signal })
    const number = createNumbering(store)
    for await (const message of messages) {
      const entry = entryOf(message, parts.decode, number)
      if (message.kind !== 'created')
        advance(message.revision, entry instanceof Promise ? await entry : entry)
      standing.received()
      if (turn.revisions < TURN_REVISIONS && turn.bytes < TURN_BYTES) continue
      turn = { revisions: 0, bytes: 0 }
      await new Promise<void>(onNextTurn)
    }
  }

  function advance(revision: Revision, entry: Entry | undefined): void {
    if (entry === undefined || isEmptyEntry(entry)) ring.advance(revision)
    else {
      ring.append(entry)
      turn.bytes += entry.bytes
      parts.onEntry(entry)
    }
    turn.revisions++
    parts.onAdvance()
  }

  async function startOver(error: unknown): Promise<void> {
    const code = isAvisoError(error) ? error.code : 'ERR_INTERNAL'
    const oldest = error instanceof HistoryDamaged ? error.next : oldestRevisionOf(error)
    onState({ connected: false, since: clock.monotonic() })
    const isCompacted = oldest !== undefined && oldest > ring.through + 1n
    const isReplaced = code === 'ERR_EPOCH_CHANGED'
    if (isCompacted || isReplaced) standing.fall()
    if (isCompacted) {
      logger('error', 'The store no longer has revisions that were not read yet; starting over', {
        code,
        oldest,
      })
      parts.onLoss({ kind: 'compacted', oldest })
      await relocate(oldest)
    } else if (isReplaced) {
      const lost = epoch.known ?? ''
      epoch.known = undefined
      logger('error', 'The store was replaced; starting over', { code })
      parts.onLoss({ kind: 'replaced' })
      await untilAnswered(
        async () => {
          epoch.known = await replaceEpoch(store, lost, random)
        },
        parts,
        stop.signal,
      )
      if (epoch.known !== undefined) parts.onEpoch(epoch.known)
      await relocate(1n)
    } else {
      logger('error', 'The store could not be followed; trying again', { code })
      await clock.sleep(RETRY_MS, stop.signal)
    }
  }

  /** Begins again as at the start, at revision `oldest` or later. */
  function relocate(oldest: Revision): Promise<void> {
    return untilAnswered(
      async () => {
        const found = await findOrigin(store, stop.signal)
        const origin = found.from < oldest ? { ...found, from: oldest, hasEvent: false } : found
        ring.reset(origin.from)
        standing.restart(origin)
      },
      parts,
      stop.signal,
    )
  }

  const running = keepFollowing(follow, startOver, stop.signal)
  return {
    standing,
    state: () => state,
    close: async () => {
      stop.abort()
      await running
    },
  }
}

/** The epoch of a store that was replaced, written here unless another process has written it. @throws {AvisoError} The store's error. */
async function replaceEpoch(store: Store, lost: string, random: () => string): Promise<string> {
  try {
    return (await renewEpoch(store, lost, random)).epoch
  } catch (error) {
    // A relay cannot write. The Aviso that it reads from notices as well.
    if (!isAvisoError(error, 'ERR_READ_ONLY')) throw error
    return (await readEpoch(store))?.epoch ?? ''
  }
}

/** Tries again until the store answers, or the upstream is closed. */
async function untilAnswered(
  work: () => Promise<void>,
  { clock }: UpstreamParts,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      return await work()
    } catch (error) {
      if (!isAvisoError(error)) throw error
      await clock.sleep(RETRY_MS, signal)
    }
  }
}

async function keepFollowing(
  follow: () => Promise<void>,
  startOver: (error: unknown) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await follow()
    } catch (error) {
      if (!signal.aborted) await startOver(error)
    }
  }
}
