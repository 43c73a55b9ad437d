/**
 * Measures what a hub sees (the hub delivers one watch of the store to many streams): notifications, deliveries, and the delay after the
 * commit.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import type { TraceBook } from '../telemetry/trace_book.ts'
import type { Tracer } from '../telemetry/tracing.ts'
import type { HubObserver } from '#shared/hub/hub.ts'
import { RESPONSE_SECONDS, type Counter, type Metrics } from './metrics.ts'

export interface HubObserverParts {
  readonly metrics: Metrics
  readonly clock: Clock
  readonly traces: TraceBook
  /** Absent when no spans are collected. */
  readonly tracer?: Tracer | undefined
  /** See {@link createSentCounter}. */
  readonly sent: Counter
}

/** Counts what was sent to listeners, for the observer of the hub (what is live) and the observed hub (what is replayed). */
export function createSentCounter(metrics: Metrics): Counter {
  return metrics.counter({
    name: 'aviso_sse_events_sent',
    help: 'Deliveries: each notification times the streams that it went to, by the route of the streams',
    labels: ['route', 'event_type'],
  })
}

/** The routes of streams, in the words of 2.x. A watch of 1.x has a route of its own. */
export const STREAM_ROUTES = {
  watch: '/api/v1/watch',
  replay: '/api/v1/replay',
  ranges: '/v3/watch',
} as const

/** Registers the metrics and makes the observer that a hub calls. */
export function createHubObserver({ metrics, clock, traces, tracer, sent }: HubObserverParts): HubObserver {
  const seen = metrics.counter({
    name: 'aviso_hub_notifications',
    help: 'Notifications that the hub has seen arrive',
    labels: ['event_type'],
  })
  const lag = metrics.histogram({
    name: 'aviso_delivery_lag_seconds',
    unit: 'seconds',
    help: 'Time from the making of a commit to its arrival at the hub, by the clocks of two machines; once per revision',
    bounds: RESPONSE_SECONDS,
  })
  return {
    seen(notification, listeners, ofRanges = 0) {
      const { event, index, sequence, committedAt } = notification
      const now = clock.now()
      seen.add([event])
      if (listeners > ofRanges) sent.add([STREAM_ROUTES.watch, event], listeners - ofRanges)
      if (ofRanges > 0) sent.add([STREAM_ROUTES.ranges, event], ofRanges)
      if (index === 0 && committedAt !== undefined)
        lag.observe(Math.max(0, now - Date.parse(committedAt)) / 1_000)
      if (sequence !== undefined) traces.seen(event, Number(sequence), { seenAt: now, listeners })
      tracer
        ?.start(`deliver ${event}`, notification.traceparent, {
          'messaging.system': 'aviso',
          'messaging.destination.name': event,
          'aviso.listeners': listeners,
        })
        .end(sequence === undefined ? undefined : { 'messaging.message.id': `${event}@${sequence}` })
    },
  }
}
