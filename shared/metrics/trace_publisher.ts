/**
 * Writes into the trace book when notifications were accepted and committed.
 *
 * @module
 */

import type { Publisher } from '#shared/publish/publish.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { TraceBook } from '#shared/telemetry/trace_book.ts'

/** The same publisher. */
export function tracePublisher(publisher: Publisher, traces: TraceBook, clock: Clock): Publisher {
  return {
    async publish(items) {
      const acceptedAt = clock.now()
      const results = await publisher.publish(items)
      const committedAt = clock.now()
      for (const result of results) {
        if (!result.ok || result.receipt.replayed) continue
        const { event, sequence } = result.receipt
        traces.committed(event, Number(sequence), { acceptedAt, committedAt })
      }
      return results
    },
    close: () => publisher.close(),
  }
}
