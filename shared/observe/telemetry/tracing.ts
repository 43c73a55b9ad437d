/**
 * The tracing port: spans of what a service does with a notification, for whoever collects them. Absent unless somebody does.
 *
 * @module
 */

/** What is told with a span. */
export type SpanAttributes = Readonly<Record<string, string | number>>

/** A span under way. */
export interface Span {
  /** @param failure Code of the error it ended with; absent: it went well. */
  end(attributes?: SpanAttributes, failure?: string): void
}

/** Starts spans. */
export interface Tracer {
  /**
   * @param name Low in number, e.g. `publish flight`.
   * @param traceparent W3C trace context that the span goes on with; absent or unusable: it begins a trace.
   */
  start(name: string, traceparent: string | undefined, attributes: SpanAttributes): Span
}
