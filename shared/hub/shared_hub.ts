/**
 * The hub of a long-lived process: one upstream watch, and streams that each cost only a cursor.
 *
 * Flow: store → **hub** → auth → listener
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { ByteSource } from '#shared/bytes/byte_source.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { silentLogger, type Logger } from '#shared/logger.ts'
import { admit } from './admission.ts'
import { createDecoder, hullOf, type KeyDecoder } from './source/decode.ts'
import { createDelivery, type Delivery } from './delivery.ts'
import { drain } from './drain.ts'
import { createFeed, type Feed, type OwnFeed } from './source/feed.ts'
import { createGroups, type Groups } from './group.ts'
import { createHistory, type History } from './source/history.ts'
import type {
  EndReason,
  Hub,
  HubObserver,
  HubRemovals,
  HubStatus,
  StreamState,
  SubscribeRequest,
  Subscription,
} from './hub.ts'
import type { HubLimits } from './limits.ts'
import { createRangeMemory, type RangeMemory } from './range_memory.ts'
import type { Entry } from './source/entry.ts'
import { createRing, type Ring } from './source/ring.ts'
import { openStream, type Stream } from './stream.ts'
import { startSweep } from './sweep.ts'
import { findOrigin, startUpstream, type Loss, type Upstream } from './source/upstream.ts'

export interface HubParts {
  readonly store: Store
  readonly schemas: KeyDecoder
  /** Prefixes of the keys that may be delivered to listeners. */
  readonly roots: readonly string[]
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly limits: HubLimits
  /**
   * Called when the store was replaced, after all streams were ended: positions from before mean nothing any more. First without an epoch,
   * then with the new one once the store has it.
   */
  readonly onEpochChange?: (epoch: string | undefined) => void
  readonly observer?: HubObserver
  /** Absent: nothing was ever removed. */
  readonly removals?: HubRemovals | undefined
}

/** The parts of a running hub. */
interface Works {
  readonly limits: HubLimits
  readonly clock: Clock
  readonly ring: Ring
  readonly history: History
  readonly groups: Groups
  readonly streams: Set<Stream>
  readonly delivery: Delivery
  readonly upstream: Upstream
  readonly memory: RangeMemory
  readonly feed: OwnFeed
}

/** A hub, and what it has decoded, for other readers of its process. */
export interface SharedHub extends Hub {
  readonly feed: Feed
}

/**
 * Starts a hub.
 *
 * @throws {AvisoError} The store's error when it cannot be reached. Trying again is safe.
 */
export async function createHub(parts: HubParts): Promise<SharedHub> {
  const works = await startWorks(parts)
  const { limits, clock, ring, history, streams, delivery, upstream } = works
  const stop = new AbortController()
  const isOut = (): boolean => {
    const { connected, since } = upstream.state()
    return !connected && clock.monotonic() - since >= limits.outageSeconds * 1_000
  }
  const stopSweep = startSweep({
    streams,
    delivery,
    clock,
    stallMs: limits.stallSeconds * 1_000,
    onRound: () => {
      ring.sweep()
      history.sweep()
      if (isOut()) endAll(works, 'store_unavailable')
    },
  })
  /** Streams that are being admitted. */
  let starting = 0
  let closing: Promise<void> | undefined
  /** Why the streams end that are left when the hub closes. */
  let endReason: EndReason = 'shutdown'

  async function close(): Promise<void> {
    stop.abort()
    stopSweep()
    endAll(works, endReason)
    history.reset(unavailable())
    await upstream.close()
  }
  return {
    subscribe: async (request) => {
      if (streams.size + starting >= limits.maxSubscribers) {
        throw new AvisoError(
          'ERR_OVERLOADED',
          'This service has reached its limit of streams; try again later',
        )
      }
      starting++
      try {
        await admit({ ...works, store: parts.store, isOut, signal: stop.signal }, request.from)
      } finally {
        starting--
      }
      // Nothing is awaited between this check and the beginning of the stream.
      if (stop.signal.aborted || !upstream.standing.hasStood()) throw unavailable()
      return open(works, request)
    },
    feed: works.feed,
    read: works.memory.read,
    status: () => statusOf(works),
    drain: (ms) => {
      endReason = 'drain'
      return drain({
        streams: Array.from(streams),
        end: (stream) => delivery.end(stream, { reason: 'drain' }),
        clock,
        ms,
        signal: stop.signal,
      })
    },
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

async function startWorks(parts: HubParts): Promise<Works> {
  const { store, schemas, roots, clock, random, logger, limits } = parts
  const origin = await findOrigin(store)
  // What is decoded again was decoded before, so its flaws have been logged.
  const ring = createRing(
    limits.ringBytes,
    origin.from,
    createDecoder({ schemas, roots, logger: silentLogger }),
  )
  const reading = {
    store,
    range: hullOf(roots),
    ring,
    epoch: { known: undefined },
    decode: createDecoder({ schemas, roots, logger }),
    clock,
    random,
    logger,
  }
  const streams = new Set<Stream>()
  const history = createHistory({ ...reading, isShared: () => areBehind(streams, ring) })
  const groups = createGroups(() => ring.through, parts.removals)
  const onGone = (stream: Stream): void => {
    streams.delete(stream)
    groups.leave(stream.group)
    stream.onGone?.()
  }
  const delivery = createDelivery({
    ring,
    history,
    visit: groups.visit,
    isSettled: () => upstream.standing.isSettled(),
    clock,
    logger,
    onGone,
    ...(parts.observer !== undefined && { observer: parts.observer }),
  })
  const memory = createRangeMemory({ ring, roots, isFollowing: () => upstream.state().connected })
  const feed = createFeed(ring, reading.epoch)
  const callbacks = {
    onEntry: (entry: Entry) => {
      memory.take(entry)
      delivery.dispatch(entry)
      feed.appended(entry)
    },
    onAdvance: () => {
      delivery.flushSoon()
      feed.advanced()
    },
    onLoss: (loss: Loss) => lose(works, loss, parts.onEpochChange),
    onEpoch: (epoch: string) => parts.onEpochChange?.(epoch),
    onConnection: feed.connected,
  }
  const upstream = startUpstream({ ...reading, ...callbacks }, origin)
  const works: Works = { limits, clock, ring, history, groups, streams, delivery, upstream, memory, feed }
  return works
}

/** Whether at least two streams need what the ring no longer has. */
function areBehind(streams: ReadonlySet<Stream>, { floor }: Ring): boolean {
  let behind = 0
  for (const { place, next } of streams) if (place < 0 && next < floor && ++behind > 1) return true
  return false
}

function open(works: Works, request: SubscribeRequest): Subscription {
  const { limits, clock, groups, streams, delivery, upstream } = works
  const { selection, from, until, format } = request
  const head = upstream.standing.head()
  const now = clock.monotonic()
  const opening = format.opening?.(head)
  const { stream, body } = openStream(
    {
      group: groups.join(selection, format),
      format,
      opening,
      ...(from.kind === 'live'
        ? { next: head + 1n, index: 0, historyEnd: undefined }
        : { next: from.revision, index: (from.afterIndex ?? -1) + 1, historyEnd: until ?? head }),
      historyLeft: request.historyLimit,
      until,
      heartbeatMs: limits.heartbeatSeconds * 1_000,
      now,
      endsAt: now + (request.maxAgeSeconds ?? limits.maxAgeSeconds) * 1_000,
      ageReason: request.ageReason ?? 'max_age',
      onGone: request.onGone,
    },
    delivery,
  )
  streams.add(stream)
  return new HubSubscription(works, stream, body)
}

/** It is a class, because there may be ten thousand of them. */
class HubSubscription implements Subscription {
  readonly body: ByteSource
  readonly #works: Works
  readonly #stream: Stream

  constructor(works: Works, stream: Stream, body: ByteSource) {
    this.#works = works
    this.#stream = stream
    this.body = body
  }

  end(reason: EndReason): void {
    this.#works.delivery.end(this.#stream, { reason })
  }

  look(): StreamState {
    return stateOf(this.#works, this.#stream)
  }
}

function stateOf({ delivery, clock }: Works, stream: Stream): StreamState {
  const { historyEnd, parkedAt, bytes } = stream
  return {
    position: delivery.positionOf(stream),
    isCatchingUp: historyEnd !== undefined,
    parkedMs: parkedAt === Infinity ? 0 : clock.monotonic() - parkedAt,
    bytes,
  }
}

function endAll({ delivery, streams }: Works, reason: EndReason): void {
  delivery.flush()
  for (const stream of streams) delivery.end(stream, { reason })
}

/** Ends all streams after compaction. Only a stream that misses revisions gets `history_compacted`; the others can simply come back. */
function endCompacted({ delivery, streams }: Works, oldest: Revision): void {
  delivery.flush()
  for (const stream of streams) {
    // A stream in a front needs the revisions that come next in the ring. Another stream may begin later than `oldest`.
    const isAhead = stream.place < 0 && stream.next >= oldest
    delivery.end(stream, isAhead ? { reason: 'store_unavailable' } : { reason: 'history_compacted', oldest })
  }
}

/** Ends all streams, and resets the history that depends on what is lost. */
function lose(works: Works, loss: Loss, onEpochChange: HubParts['onEpochChange']): void {
  works.memory.clear()
  switch (loss.kind) {
    case 'compacted':
      works.feed.lost(false)
      endCompacted(works, loss.oldest)
      return works.history.reset(unavailable())
    case 'replaced':
      works.feed.lost(true)
      endAll(works, 'store_unavailable')
      works.history.reset(
        new AvisoError('ERR_EPOCH_CHANGED', 'The store was replaced; start again from a date or from now'),
      )
      return onEpochChange?.(undefined)
  }
}

function statusOf({ streams, ring, upstream }: Works): HubStatus {
  let parked = 0
  for (const { isWanted } of streams) if (!isWanted) parked++
  return {
    subscribers: streams.size,
    parked,
    revision: ring.through,
    ringEntries: ring.end - ring.start,
    ringBytes: ring.bytes,
    connected: upstream.state().connected,
  }
}

function unavailable(): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The stream cannot begin here now; connect again')
}
