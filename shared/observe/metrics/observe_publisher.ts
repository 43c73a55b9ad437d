/**
 * Measures a publisher: notifications by event type and outcome, the time until their commit, and when each was accepted and committed.
 *
 * @module
 */

import type { Publisher, PublishResult } from '#shared/publish/publish.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { TraceBook } from '../telemetry/trace_book.ts'
import { RESPONSE_SECONDS, type Metrics } from './metrics.ts'
import type { BackendOperations } from './observe_store.ts'

/** Outcomes in the words of aviso 2.x. `replayed` is ours: the same notification was stored before. */
type Status = 'success' | 'replayed' | 'rejected' | 'error'

function statusOf(result: PublishResult): Status {
  if (result.ok) return result.receipt.replayed ? 'replayed' : 'success'
  return result.error.status < 500 ? 'rejected' : 'error'
}

export interface PublisherMetricsParts {
  readonly operations: Pick<BackendOperations, 'count'>
  readonly metrics: Metrics
  readonly clock: Clock
  readonly traces: TraceBook
}

/** The metrics of publishing. */
export interface PublisherMetrics {
  /** Makes a publisher measured, and records its times in the trace book. */
  observe(publisher: Publisher): Publisher
  /** Counts a notification of an event type that was refused before it reached the publisher. */
  rejected(event: string): void
}

/** Registers the metrics. */
export function createPublisherMetrics({
  metrics,
  clock,
  traces,
  operations,
}: PublisherMetricsParts): PublisherMetrics {
  const notifications = metrics.counter({
    name: 'aviso_notifications',
    help: 'Notifications by outcome; those of an event type without a schema that were refused count as "generic"',
    labels: ['event_type', 'status'],
  })
  const failures = metrics.counter({
    name: 'aviso_publish_failures',
    help: 'Notifications that were not stored, by error code',
    labels: ['code'],
  })
  const durations = metrics.histogram({
    name: 'aviso_publish_duration_seconds',
    unit: 'seconds',
    help: 'Time from a valid notification to its commit',
    bounds: RESPONSE_SECONDS,
  })
  const duration = durations.bind([])
  const observe = (publisher: Publisher): Publisher => ({
    async publish(items) {
      const startedAt = clock.monotonic()
      const acceptedAt = clock.now()
      const results = await publisher.publish(items)
      const committedAt = clock.now()
      const seconds = (clock.monotonic() - startedAt) / 1_000
      duration.observe(seconds)
      operations.count('publish', results.some(isFailed) ? 'error' : 'ok', seconds)
      for (let index = 0; index < results.length; index++) {
        const result = results[index]
        if (result === undefined) continue
        const status = statusOf(result)
        // Only event types that the schemas let through reach this point, and a metric bounds its series.
        notifications.add([items[index]?.event ?? '', status])
        if (!result.ok) failures.add([result.error.code])
        else if (status === 'success')
          traces.committed(result.receipt.event, Number(result.receipt.sequence), { acceptedAt, committedAt })
      }
      return results
    },
    close: () => publisher.close(),
  })
  return { observe, rejected: (event) => notifications.add([event, 'rejected']) }
}

/** Whether it is the store's failure. */
function isFailed(result: PublishResult): boolean {
  return !result.ok && result.error.status >= 500
}
