/**
 * Measures a hub: open streams, opened and ended streams, and the ring (the recent entries that the hub keeps for all streams).
 *
 * @module
 */

import { NO_BYTES } from '#shared/bytes/bytes.ts'
import type {
  CloseReason,
  Closing,
  Hub,
  HubStatus,
  StreamFormat,
  StreamPosition,
  SubscribeRequest,
} from '#shared/hub/hub.ts'
import type { Revision, StoreEvent } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { CONNECTION_SECONDS, type Counter, type Metrics } from './metrics.ts'
import { STREAM_ROUTES } from './observe_deliveries.ts'

export interface HubMetricsParts {
  readonly metrics: Metrics
  readonly clock: Clock
  /** See `observe_deliveries.ts`. */
  readonly sent: Counter
}

/** Registers the metrics. @returns a function that makes the hub of this process measured */
export function createHubMetrics({ metrics, clock, sent }: HubMetricsParts): (hub: Hub) => Hub {
  let measured: Hub | undefined
  const counts = { ...registerStreams(metrics), sent }
  registerStatus(metrics, () => measured?.status())
  const measure = (hub: Hub): Hub => ({
    async read(request, ask) {
      let source = 'memory'
      const result = await hub.read(request, () => {
        source = 'store'
        return ask()
      })
      counts.reads.add([source])
      return result
    },
    async subscribe(request) {
      const measured = new MeasuredStream(request, counts, clock.monotonic())
      try {
        const subscription = await hub.subscribe({
          ...request,
          format: measured,
          onGone: goneOf(measured, clock),
        })
        measured.opened()
        return subscription
      } catch (error) {
        counts.refused.add()
        throw error
      }
    },
    status: () => hub.status(),
    drain: (ms) => hub.drain(ms),
    close: () => hub.close(),
  })
  return (hub) => {
    measured = hub
    return measure(hub)
  }
}

/** Registers the metrics of single streams. */
function registerStreams(metrics: Metrics) {
  return {
    opened: metrics.counter({
      name: 'aviso_sse_connections',
      help: 'Streams opened, by route and event type; "ranges" is a watch of 1.x',
      labels: LABELS,
    }),
    active: metrics.gauge({
      name: 'aviso_sse_connections_active',
      help: 'Streams that are open, by route and event type',
      labels: LABELS,
    }),
    lives: metrics.histogram({
      name: 'aviso_sse_connection_duration_seconds',
      unit: 'seconds',
      help: 'How long streams were open, counted when they end',
      labels: ['route'],
      bounds: CONNECTION_SECONDS,
    }),
    errors: metrics.counter({
      name: 'aviso_sse_stream_errors',
      help: 'Streams that the service ended because of a failure or a gap, after their answer of 200',
      labels: LABELS,
    }),
    refused: metrics.counter({ name: 'aviso_streams_refused', help: 'Streams that could not be opened' }),
    ended: metrics.counter({
      name: 'aviso_streams_ended',
      help: 'Streams that the service ended, by reason; all other streams were closed by their listener',
      labels: ['reason'],
    }),
    reads: metrics.counter({
      name: 'aviso_key_reads',
      help: 'Reads of keys by 1.x clients, etcd tools and pages of history, by what answered: the memory of this process or the store',
      labels: ['from'],
    }),
  }
}

/** Labels of 2.x. */
const LABELS = ['route', 'event_type'] as const

/** Ends that are no part of a stream's usual life. */
const FAILURES: ReadonlySet<CloseReason> = new Set([
  'store_unavailable',
  'history_compacted',
  'slow_consumer',
  'auth_unavailable',
])

/** It is made here, so that the stream keeps nothing of its request. */
function goneOf(stream: MeasuredStream, clock: Clock): () => void {
  return () => stream.gone(clock.monotonic())
}

type Labels = readonly [route: string, event: string]

/** Those of the last stream: the next one usually has the same. */
let lastLabels: Labels = ['', '']

/** The route that such a stream comes from, and its event type. A stream with an end is a replay. */
function labelsOf({ selection, until }: SubscribeRequest): Labels {
  const route =
    selection.kind === 'ranges'
      ? STREAM_ROUTES.ranges
      : until === undefined
        ? STREAM_ROUTES.watch
        : STREAM_ROUTES.replay
  const event = selection.kind === 'ranges' ? 'ranges' : selection.filter.event
  if (route !== lastLabels[0] || event !== lastLabels[1]) lastLabels = [route, event]
  return lastLabels
}

/** What a format makes a frame of. */
type Notification = Parameters<NonNullable<StreamFormat['notification']>>[0]

type Counts = ReturnType<typeof registerStreams> & Pick<HubMetricsParts, 'sent'>

/**
 * A stream that is measured, and its format. The name of the format stays, because streams share frames by it. It is a class, because there
 * may be ten thousand of them.
 */
class MeasuredStream implements StreamFormat {
  readonly name: string
  readonly #format: StreamFormat
  readonly #counts: Counts
  readonly #labels: Labels
  readonly #startedAt: number
  readonly #onGone: (() => void) | undefined
  #isGone = false
  #isCounted = false

  constructor(request: SubscribeRequest, counts: Counts, startedAt: number) {
    this.name = request.format.name
    this.#format = request.format
    this.#counts = counts
    this.#labels = labelsOf(request)
    this.#startedAt = startedAt
    this.#onGone = request.onGone
  }

  /** The hub has opened it. It may be gone already. */
  opened(): void {
    const { opened, active } = this.#counts
    opened.add(this.#labels)
    if (this.#isGone) return
    this.#isCounted = true
    active.add(1, this.#labels)
  }

  gone(now: number): void {
    this.#onGone?.()
    this.#isGone = true
    const { active, lives } = this.#counts
    if (this.#isCounted) active.add(-1, this.#labels)
    lives.observe((now - this.#startedAt) / 1_000, [this.#labels[0]])
  }

  opening(head: Revision): Uint8Array | undefined {
    return this.#format.opening?.(head)
  }

  notification(notification: Notification, phase: 'history' | 'live'): Uint8Array {
    return this.#format.notification?.(notification, phase) ?? NO_BYTES
  }

  revision(revision: Revision, events: readonly StoreEvent[]): Uint8Array {
    return this.#format.revision?.(revision, events) ?? NO_BYTES
  }

  caughtUp(position: StreamPosition): Uint8Array | undefined {
    return this.#format.caughtUp?.(position)
  }

  heartbeat(position: StreamPosition): Uint8Array | undefined {
    return this.#format.heartbeat?.(position)
  }

  closing(closing: Closing): Uint8Array | undefined {
    const { ended, errors } = this.#counts
    ended.add([closing.reason])
    if (FAILURES.has(closing.reason)) errors.add(this.#labels)
    return this.#format.closing?.(closing)
  }

  replayed(frames: number): void {
    this.#counts.sent.add(this.#labels, frames)
  }
}

function registerStatus(metrics: Metrics, status: () => HubStatus | undefined): void {
  const gauge = (name: string, help: string, value: (status: HubStatus) => number): void =>
    metrics.read({
      kind: 'gauge',
      name,
      help,
      ...(name.endsWith('_bytes') && { unit: 'bytes' }),
      read: () => {
        const now = status()
        return now === undefined ? [] : [{ value: value(now) }]
      },
    })
  gauge('aviso_streams_parked', 'Streams whose listener does not read at the moment', ({ parked }) => parked)
  gauge('aviso_hub_up', 'Whether the watch of the store is connected', ({ connected }) => Number(connected))
  gauge('aviso_hub_revision', 'Newest revision that the hub has seen', ({ revision }) => Number(revision))
  gauge('aviso_hub_ring_entries', 'Recent entries kept for all streams', ({ ringEntries }) => ringEntries)
  gauge('aviso_hub_ring_bytes', 'Bytes of recent entries kept for all streams', ({ ringBytes }) => ringBytes)
}
