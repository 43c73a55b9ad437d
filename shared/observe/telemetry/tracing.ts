/**
 * The tracing port: spans of what a service does with a notification. It is absent unless the operator has set up a collector of spans.
 *
 * @module
 */

/** The attributes of a span. */
export type SpanAttributes = Readonly<Record<string, string | number>>

/** A span that has not ended. */
export interface Span {
  /** @param failure Code of the error with which the work ended; absent when it succeeded. */
  end(attributes?: SpanAttributes, failure?: string): void
}

/** Starts spans. */
export interface Tracer {
  /**
   * @param name One of few different names, such as `publish flight`.
   * @param traceparent W3C trace context that the span continues. When it is absent or not usable, the span begins a new trace.
   */
  start(name: string, traceparent: string | undefined, attributes: SpanAttributes): Span
}

/** How OpenTelemetry's API names what an SDK registers on the global object, without its major version. */
const REGISTERED = 'opentelemetry.js.api.'

/**
 * Whether an OpenTelemetry SDK was loaded before. Only then is its API worth loading: it has 51 modules.
 *
 * @param scope the global object
 */
export function isTracingRegistered(scope: object): boolean {
  return Object.getOwnPropertySymbols(scope).some(({ description }) => description?.startsWith(REGISTERED))
}
