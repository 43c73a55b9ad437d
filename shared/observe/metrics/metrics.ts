/**
 * The metrics port: code that measures itself uses these interfaces. All methods are cheap and never throw because of a value. Metrics are
 * optional: {@link noMetrics} measures nothing.
 *
 * @module
 */

/** Options that every kind of metric has. */
export interface MetricOptions {
  /** Name by Prometheus' conventions. `_total` is left out, because it is added to counters. A metric with a unit ends in `_<unit>`. */
  readonly name: string
  readonly help: string
  /** Base unit, e.g. `seconds`, `bytes`. */
  readonly unit?: string
  /** Names of the labels. Values are given in the same order. */
  readonly labels?: readonly string[]
  /** Most combinations of label values. Further combinations are counted together as `other`. Default: {@link MAX_SERIES}. */
  readonly maxSeries?: number
}

/** Options of a histogram. */
export interface HistogramOptions extends MetricOptions {
  /** Upper bounds of the buckets, ascending. */
  readonly bounds: readonly number[]
}

/** One series of a counter. It is looked up once, for code that runs thousands of times per second. */
export interface BoundCounter {
  add(by?: number): void
}

/** A figure that only goes up. */
export interface Counter {
  /** Adds `by` (default 1). Values that are negative or not finite are ignored. */
  add(values?: readonly string[], by?: number): void
  bind(values: readonly string[]): BoundCounter
}

/** One series of a gauge. */
export interface BoundGauge {
  add(by: number): void
}

/** A figure that goes up and down. */
export interface Gauge {
  set(value: number, values?: readonly string[]): void
  add(by: number, values?: readonly string[]): void
  bind(values: readonly string[]): BoundGauge
}

/** One series of a histogram. */
export interface BoundHistogram {
  observe(value: number): void
}

/** Counts values by bucket. */
export interface Histogram {
  /** Adds a value. Values that are not finite are ignored. */
  observe(value: number, values?: readonly string[]): void
  bind(values: readonly string[]): BoundHistogram
}

/** One value of a metric that is read at each collection. */
export interface Reading {
  readonly value: number
  readonly values?: readonly string[]
}

/** Options of a metric that is read at each collection. */
export interface ReadOptions extends MetricOptions {
  readonly kind: 'counter' | 'gauge'
  /** Called at each collection. When it throws, that collection leaves the metric out. */
  readonly read: () => Iterable<Reading>
}

/** Makes metrics. Each name can be registered once; a second registration is a programming mistake (`TypeError`). */
export interface Metrics {
  counter(options: MetricOptions): Counter
  gauge(options: MetricOptions): Gauge
  histogram(options: HistogramOptions): Histogram
  /** Registers a metric that is read at each collection. */
  read(options: ReadOptions): void
}

/** Most series of one metric by default. With a hundred metrics, a page stays below two megabytes. */
export const MAX_SERIES = 200

/** Buckets of response times: from a read of memory to a wait that users notice, and 1.x's thresholds of 10 and 20 s. */
export const RESPONSE_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20,
]

/** Buckets of the lifetimes of streams, as in aviso 2.x. */
export const CONNECTION_SECONDS: readonly number[] = [
  1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400,
]

/** Metrics that measure nothing. */
export const noMetrics: Metrics = {
  counter: () => ({ add: () => undefined, bind: () => ({ add: () => undefined }) }),
  gauge: () => ({ set: () => undefined, add: () => undefined, bind: () => ({ add: () => undefined }) }),
  histogram: () => ({ observe: () => undefined, bind: () => ({ observe: () => undefined }) }),
  read: () => undefined,
}
