/**
 * The hub of a long-lived process: one upstream watch, and streams that cost nothing but their cursors.
 *
 * Flow: store → **hub** → auth → listener
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { EPOCH_KEY } from '#shared/journal/journal.ts'
import { toBytes } from '#shared/store/bytes.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { Logger } from '#shared/telemetry/logger.ts'
import { createDecoder, hullOf, type KeyDecoder } from './decode.ts'
import { createDelivery } from './delivery.ts'
import { createHistory, type History } from './history.ts'
import type { CloseReason, Hub, StartPosition, SubscribeRequest, Subscription } from './hub.ts'
import { DEFAULT_HUB_LIMITS, HISTORY_WAIT_MS, START_WAIT_MS, type HubLimits } from './limits.ts'
import { createRing } from './ring.ts'
import { createMatcher, createSelectionKeys } from './selection.ts'
import { createGroup, type Group, type Stream } from './stream.ts'
import { createSubscriptionIndex } from './subscription_index.ts'
import { startSweep } from './sweep.ts'
import { findOrigin, startUpstream, type Loss } from './upstream.ts'

/** What a hub is made with. */
export interface HubParts {
  readonly store: Store
  readonly schemas: KeyDecoder
  /** Prefixes of the keys that listeners may be given. */
  readonly roots: readonly string[]
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  /** Those that differ from {@link DEFAULT_HUB_LIMITS}. */
  readonly limits?: Partial<HubLimits>
  /** The store was replaced: positions given out before mean nothing any more. All streams have been ended. */
  readonly onEpochChange?: () => void
}

/**
 * Starts a hub.
 *
 * @throws {AvisoError} What the store throws when it cannot be reached: trying again is safe.
 */
export async function createHub(parts: HubParts): Promise<Hub> {
  const { store, schemas, roots, clock, random, logger } = parts
  const limits = { ...DEFAULT_HUB_LIMITS, ...parts.limits }
  const origin = await findOrigin(store)
  const range = hullOf(roots)
  const ring = createRing(limits.ringBytes, origin.from)
  const decode = createDecoder({ schemas, roots, logger })
  const history = createHistory({ store, range, decode, ring, clock, random, logger })
  const groups = createGroups(() => ring.through)
  const streams = new Set<Stream>()
  const delivery = createDelivery({
    ring,
    history,
    visit: groups.visit,
    clock,
    logger,
    onGone: (stream) => {
      streams.delete(stream)
      groups.leave(stream.group)
    },
  })
  const upstream = startUpstream(
    {
      ...{ store, range, ring, decode, clock, random, logger },
      onEntry: delivery.dispatch,
      onAdvance: delivery.flushSoon,
      onLoss: lose,
    },
    origin,
  )
  const stopSweep = startSweep({
    streams,
    delivery,
    clock,
    stallMs: limits.stallSeconds * 1_000,
    onRound: () => {
      history.sweep()
      if (isOut()) endAll('store_unavailable')
    },
  })
  const stop = new AbortController()
  let closing: Promise<void> | undefined
  /** Streams that are about to be made. */
  let starting = 0

  function isOut(): boolean {
    const { connected, since } = upstream.state()
    return !connected && clock.now() - since >= limits.outageSeconds * 1_000
  }

  function endAll(reason: CloseReason, oldest?: Revision): void {
    delivery.flush()
    for (const stream of streams) delivery.end(stream, reason, oldest)
  }

  function lose(loss: Loss): void {
    if (loss.kind === 'compacted') {
      endAll('history_compacted', loss.oldest)
      history.reset(new AvisoError('ERR_STORE_UNAVAILABLE', 'The history is being read anew; try again'))
      return
    }
    endAll('store_unavailable')
    history.reset(
      new AvisoError('ERR_EPOCH_CHANGED', 'The store was replaced; start again from a date or from now'),
    )
    parts.onEpochChange?.()
  }

  async function subscribe(request: SubscribeRequest): Promise<Subscription> {
    if (streams.size + starting >= limits.maxSubscribers) {
      throw new AvisoError(
        'ERR_OVERLOADED',
        'There are as many streams as this service takes; try again later',
      )
    }
    starting++
    try {
      await untilStanding()
      await checkStart(request.from)
      if (stop.signal.aborted) throw unavailable('This service is going away; connect again')
      return open(request)
    } finally {
      starting--
    }
  }

  async function untilStanding(): Promise<void> {
    if (stop.signal.aborted) throw unavailable('This service is going away; connect again')
    if (upstream.state().connected) return
    await within(upstream.stood, START_WAIT_MS)
    if (isOut() || ring.through < 0n) throw unavailable('The store cannot be reached; try again in a moment')
  }

  /** Refuses positions that do not exist, and those that do no longer. */
  async function checkStart(from: StartPosition): Promise<void> {
    if (from.kind === 'live') return
    if (from.revision > ring.through + 1n && from.revision > upstream.head() + 1n) {
      // Not upstream's word for it: the client may have seen a write acknowledged that has not come here yet.
      const { revision } = await store.range({ key: toBytes(EPOCH_KEY), keysOnly: true }, stop)
      if (from.revision > revision + 1n) {
        throw new AvisoError(
          'ERR_FUTURE_POSITION',
          'The position lies ahead of everything stored; start again from now',
        )
      }
    }
    if (from.revision >= ring.floor || history.find(from.revision) !== undefined) return
    await waitForHistory(history, from.revision, (found) => within(found, HISTORY_WAIT_MS))
  }

  /** The promise, or nothing after the time; the hub's end ends the wait too. */
  async function within(promise: Promise<void>, ms: number): Promise<void> {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, stop.signal])
    try {
      await Promise.race([promise, clock.sleep(ms, signal)])
    } finally {
      over.abort()
    }
  }

  function open(request: SubscribeRequest): Subscription {
    const { from, until, format } = request
    const head = ring.through > upstream.head() ? ring.through : upstream.head()
    const group = groups.join(request)
    const now = clock.now()
    const maxAgeSeconds = request.maxAgeSeconds ?? limits.maxAgeSeconds
    let stream: Stream | undefined
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          stream = {
            group,
            format,
            controller,
            next: from.kind === 'live' ? head + 1n : from.revision,
            index: from.kind === 'live' || from.afterIndex === undefined ? 0 : from.afterIndex + 1,
            historyEnd: from.kind === 'live' ? undefined : (until ?? head),
            isWanted: false,
            place: -1,
            waiter: undefined,
            hasEnded: false,
            heartbeatMs: (request.heartbeatSeconds ?? limits.heartbeatSeconds) * 1_000,
            endsAt: now + maxAgeSeconds * 1_000,
            writtenAt: now,
            parkedAt: 0,
          }
          const opening = format.opening?.(head)
          if (opening !== undefined) controller.enqueue(opening)
        },
        pull: () => {
          if (stream !== undefined) delivery.pulled(stream)
        },
        cancel: () => {
          if (stream !== undefined) delivery.cancelled(stream)
        },
      },
      // Nothing is made before it is asked for: a reader that stalls holds its place, and no bytes.
      { highWaterMark: 0 },
    )
    const opened = stream
    if (opened === undefined) throw new TypeError('A stream starts at once')
    streams.add(opened)
    return { body, end: (reason) => delivery.end(opened, reason) }
  }

  async function close(): Promise<void> {
    stop.abort()
    stopSweep()
    endAll('shutdown')
    history.reset(unavailable('This service is going away; connect again'))
    await upstream.close()
  }

  return {
    subscribe,
    status: () => {
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
    },
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

/** Waits until a revision has been found in history. What comes after the wait is told in the stream. */
async function waitForHistory(
  history: History,
  next: Revision,
  wait: (found: Promise<void>) => Promise<void>,
): Promise<void> {
  const found = Promise.withResolvers<void>()
  const waiter = {
    next,
    resume: () => found.resolve(),
    fail: (error: unknown) =>
      found.reject(isAvisoError(error) ? error : unavailable('The history cannot be read')),
  }
  history.request(waiter)
  try {
    await wait(found.promise)
  } finally {
    history.forget(waiter)
  }
}

/** The groups of all streams, by what they take and in which form. */
interface Groups {
  /** The group of a stream, which counts it from now on. */
  join(request: SubscribeRequest): Group
  leave(group: Group): void
  readonly visit: Parameters<typeof createDelivery>[0]['visit']
}

function createGroups(through: () => Revision): Groups {
  const groups = new Map<string, Group>()
  const index = createSubscriptionIndex<Group>()
  const keyOf = createSelectionKeys()
  let lastId = 0
  return {
    visit: index.visit,
    join: ({ selection, format, until }) => {
      const key = `${keyOf(selection)} ${format.name} ${until ?? ''}`
      let group = groups.get(key)
      if (group === undefined) {
        const matcher = createMatcher(selection)
        group = createGroup({ id: ++lastId, key, matcher, format, until, since: through() })
        groups.set(key, group)
        index.add(group)
      }
      group.size++
      return group
    },
    leave: (group) => {
      if (--group.size > 0) return
      groups.delete(group.key)
      index.remove(group)
    },
  }
}

function unavailable(message: string): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', message)
}
