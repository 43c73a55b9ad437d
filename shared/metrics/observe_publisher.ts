/**
 * Measures a publisher: notifications by event type and outcome, and the time to their commit.
 *
 * @module
 */

import type { Publisher, PublishItem, PublishResult } from '#shared/publish/publish.ts'
import { RESPONSE_SECONDS, type Metrics } from './metrics.ts'

/** Outcomes by the words of aviso 2.x; `replayed` is ours: the same notification was stored before. */
function statusOf(result: PublishResult): 'success' | 'replayed' | 'rejected' | 'error' {
  if (result.ok) return result.receipt.replayed ? 'replayed' : 'success'
  return result.error.status < 500 ? 'rejected' : 'error'
}

/**
 * Registers the metrics. @returns Measures a publisher.
 *
 * @param elapsed Milliseconds of a clock that only goes forward, with a fraction.
 */
export function createPublisherMetrics(
  metrics: Metrics,
  elapsed: () => number,
): (publisher: Publisher) => Publisher {
  const notifications = metrics.counter({
    name: 'aviso_notifications',
    help: 'Notifications handed to the store, by outcome',
    labels: ['event_type', 'status'],
  })
  const failures = metrics.counter({
    name: 'aviso_publish_failures',
    help: 'Notifications that the store did not take, by error code',
    labels: ['code'],
  })
  const durations = metrics.histogram({
    name: 'aviso_publish_duration_seconds',
    unit: 'seconds',
    help: 'Time from a valid notification to its commit',
    bounds: RESPONSE_SECONDS,
  })
  const count = (item: PublishItem | undefined, result: PublishResult): void => {
    notifications.add([item?.event ?? '', statusOf(result)])
    if (!result.ok) failures.add([result.error.code])
  }
  return (publisher) => ({
    async publish(items) {
      const startedAt = elapsed()
      const results = await publisher.publish(items)
      durations.observe((elapsed() - startedAt) / 1_000)
      for (const [index, result] of results.entries()) count(items[index], result)
      return results
    },
    close: () => publisher.close(),
  })
}
