/**
 * Measures a hub: open streams, opened and ended streams, and the ring (the recent entries that the hub keeps for all streams).
 *
 * @module
 */

import type { CloseReason, Hub, HubStatus, StreamFormat, SubscribeRequest } from '#shared/hub/hub.ts'
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
  const { opened, active, lives, errors, refused, ended, reads } = registerStreams(metrics)
  registerStatus(metrics, () => measured?.status())
  const onClosing = (reason: CloseReason, labels: readonly string[]): void => {
    ended.add([reason])
    if (FAILURES.has(reason)) errors.add(labels)
  }
  const measure = (hub: Hub): Hub => ({
    async read(request, ask) {
      let source = 'memory'
      const result = await hub.read(request, () => {
        source = 'store'
        return ask()
      })
      reads.add([source])
      return result
    },
    async subscribe(request) {
      const labels = labelsOf(request)
      const [route] = labels
      const startedAt = clock.monotonic()
      let isGone = false
      let isCounted = false
      const count = (): void => {
        if (isGone || isCounted) return
        isCounted = true
        active.add(1, labels)
      }
      try {
        const subscription = await hub.subscribe({
          ...request,
          format: {
            ...observeFormat(request.format, (reason) => onClosing(reason, labels)),
            replayed: (frames) => sent.add(labels, frames),
          },
          onGone: () => {
            request.onGone?.()
            isGone = true
            if (isCounted) active.add(-1, labels)
            lives.observe((clock.monotonic() - startedAt) / 1_000, [route])
          },
        })
        opened.add(labels)
        count()
        return subscription
      } catch (error) {
        refused.add()
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

/** The route that such a stream comes from, and its event type. A stream with an end is a replay. */
function labelsOf({ selection, until }: SubscribeRequest): readonly [route: string, event: string] {
  switch (selection.kind) {
    case 'notifications':
      return [until === undefined ? STREAM_ROUTES.watch : STREAM_ROUTES.replay, selection.filter.event]
    case 'ranges':
      return [STREAM_ROUTES.ranges, 'ranges']
  }
}

/** The same format, with its ends counted. The name stays, because streams share frames by the name of their format. */
function observeFormat(format: StreamFormat, onClosing: (reason: CloseReason) => void): StreamFormat {
  return {
    ...format,
    closing(closing) {
      onClosing(closing.reason)
      return format.closing?.(closing)
    },
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
