/**
 * The tracing port on OpenTelemetry's API. There is no SDK and no exporter here: an operator who wants spans loads one before the
 * services, e.g. `NODE_OPTIONS="--import ./otel.mjs" npm start`, and whoever does not pays nothing.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 * @module
 */

import {
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
} from '@opentelemetry/api'
import type { Tracer } from './tracing.ts'

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/

/** A tracer, where a tracer provider was registered before; `undefined` where there is none. */
export function findTracer(version: string): Tracer | undefined {
  const provider = trace.getTracerProvider()
  const isNobody =
    provider instanceof ProxyTracerProvider && provider.getDelegateTracer('aviso') === undefined
  if (isNobody) return undefined
  const tracer = provider.getTracer('aviso', version)
  return {
    start(name, traceparent, attributes) {
      const span = tracer.startSpan(name, { kind: SpanKind.PRODUCER, attributes }, contextOf(traceparent))
      return {
        end(more, failure) {
          if (more !== undefined) span.setAttributes(more)
          if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure })
          span.end()
        },
      }
    },
  }
}

function contextOf(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] = (traceparent !== undefined && TRACEPARENT.exec(traceparent)) || []
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
  })
}
