/**
 * Implements the tracing port with OpenTelemetry's API. It has no SDK and no exporter. An operator who wants spans loads an SDK before the
 * services, for example with `NODE_OPTIONS="--import ./otel.mjs" npm start`. Otherwise tracing costs nothing.
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

/** A tracer, if a tracer provider was registered before; otherwise `undefined`. */
export function findTracer(version: string): Tracer | undefined {
  const provider = trace.getTracerProvider()
  const isUnregistered =
    provider instanceof ProxyTracerProvider && provider.getDelegateTracer('aviso') === undefined
  if (isUnregistered) return undefined
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
