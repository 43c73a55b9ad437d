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
import { RESPONSE_SECONDS, type Metrics } from './metrics.ts'

export interface HubObserverParts {
  readonly metrics: Metrics
  readonly clock: Clock
  readonly traces: TraceBook
  /** Absent when no spans are collected. */
  readonly tracer?: Tracer | undefined
}

/** Registers the metrics and makes the observer that a hub calls. */
export function createHubObserver({ metrics, clock, traces, tracer }: HubObserverParts): HubObserver {
  const seen = metrics.counter({
    name: 'aviso_hub_notifications',
    help: 'Notifications that the hub has seen arrive',
    labels: ['event_type'],
  })
  const sent = metrics.counter({
    name: 'aviso_sse_events_sent',
    help: 'Live deliveries: each notification times the streams it went to',
    labels: ['event_type'],
  })
  const lag = metrics.histogram({
    name: 'aviso_delivery_lag_seconds',
    unit: 'seconds',
    help: 'Time from the making of a commit to its arrival at the hub, by the clocks of two machines; once per revision',
    bounds: RESPONSE_SECONDS,
  })
  return {
    seen(notification, listeners) {
      const { event, index, sequence, committedAt } = notification
      const now = clock.now()
      const labels = [event]
      seen.add(labels)
      sent.add(labels, listeners)
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
