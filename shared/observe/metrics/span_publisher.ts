/**
 * Makes a span for each published notification. The span continues the provider's trace.
 *
 * @see OpenTelemetry's semantic conventions for messaging, for the names of the attributes
 * @module
 */

import type { Publisher } from '#shared/publish/publish.ts'
import type { Tracer } from '../telemetry/tracing.ts'

/** The same publisher, with a span for each notification. */
export function spanPublisher(publisher: Publisher, tracer: Tracer): Publisher {
  return {
    async publish(items) {
      const spans = items.map(({ event, traceparent }) =>
        tracer.start(`publish ${event}`, traceparent, {
          'messaging.system': 'aviso',
          'messaging.operation.type': 'send',
          'messaging.destination.name': event,
        }),
      )
      const results = await publisher.publish(items)
      for (const [index, result] of results.entries()) {
        if (!result.ok) {
          spans[index]?.end(undefined, result.error.code)
          continue
        }
        const { event, sequence } = result.receipt
        spans[index]?.end({ 'messaging.message.id': `${event}@${sequence}` })
      }
      return results
    },
    close: () => publisher.close(),
  }
}
