/**
 * The metrics port: what code that measures itself may ask for. Everything here is cheap, never throws for a value, and is optional:
 * {@link noMetrics} measures nothing.
 *
 * @module
 */

/** What every kind of metric has. */
export interface MetricOptions {
  /** Name by Prometheus' conventions, without `_total`: that is added where it belongs. Ends in `_<unit>` where there is a unit. */
  readonly name: string
  readonly help: string
  /** Base unit, e.g. `seconds`, `bytes`. */
  readonly unit?: string
  /** Label names. Their values are given in this order. */
  readonly labels?: readonly string[]
  /** Most combinations of label values; further ones are counted together as `other`. Default: {@link MAX_SERIES}. */
  readonly maxSeries?: number
}

/** Options of a histogram. */
export interface HistogramOptions extends MetricOptions {
  /** Upper bounds of its buckets, ascending. */
  readonly bounds: readonly number[]
}

/** One series of a counter, found once: for places where a thousand requests a second come by. */
export interface BoundCounter {
  add(by?: number): void
}

/** Only goes up. */
export interface Counter {
  /** Adds `by` (default 1). What is not finite or negative is left out. */
  add(values?: readonly string[], by?: number): void
  bind(values: readonly string[]): BoundCounter
}

/** One series of a gauge. */
export interface BoundGauge {
  add(by: number): void
}

/** Goes up and down. */
export interface Gauge {
  set(value: number, values?: readonly string[]): void
  add(by: number, values?: readonly string[]): void
  bind(values: readonly string[]): BoundGauge
}

/** One series of a histogram. */
export interface BoundHistogram {
  observe(value: number): void
}

/** Counts values by size. */
export interface Histogram {
  /** What is not finite is left out. */
  observe(value: number, values?: readonly string[]): void
  bind(values: readonly string[]): BoundHistogram
}

/** One value of a metric whose values are read when somebody looks. */
export interface Reading {
  readonly value: number
  readonly values?: readonly string[]
}

/** A metric that is read when somebody looks. */
export interface ReadOptions extends MetricOptions {
  readonly kind: 'counter' | 'gauge'
  /** Called at every collection. A reader that throws leaves its metric out of this one. */
  readonly read: () => Iterable<Reading>
}

/** Makes metrics. A name is registered once; the second time is a programming mistake (`TypeError`). */
export interface Metrics {
  counter(options: MetricOptions): Counter
  gauge(options: MetricOptions): Gauge
  histogram(options: HistogramOptions): Histogram
  /** Registers a metric that is read when somebody looks. */
  read(options: ReadOptions): void
}

/** Default bound of the series of one metric: the pages of a hundred metrics stay below a megabyte or two. */
export const MAX_SERIES = 200

/** Response times: from a memory read to what somebody notices, and 1.x's thresholds of 10 and 20 s. */
export const RESPONSE_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20,
]

/** Lives of streams, as aviso 2.x cuts them. */
export const CONNECTION_SECONDS: readonly number[] = [1, 10, 60, 300, 900, 1800, 3600, 7200, 14_400, 86_400]

/** Measures nothing. */
export const noMetrics: Metrics = {
  counter: () => ({ add: () => undefined, bind: () => ({ add: () => undefined }) }),
  gauge: () => ({ set: () => undefined, add: () => undefined, bind: () => ({ add: () => undefined }) }),
  histogram: () => ({ observe: () => undefined, bind: () => ({ observe: () => undefined }) }),
  read: () => undefined,
}
