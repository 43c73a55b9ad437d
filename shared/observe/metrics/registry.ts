/**
 * The registry: makes metrics, bounds their number of series, and collects them as families for {@link file://./open_metrics.ts}.
 *
 * The library prom-client was considered. It gave an empty page on workerd and cannot bound labels, and this module is short.
 *
 * @module
 */

import { firstIndex } from '#shared/search.ts'
import type {
  BoundCounter,
  BoundGauge,
  BoundHistogram,
  HistogramOptions,
  MetricOptions,
  Metrics,
  ReadOptions,
} from './metrics.ts'
import { MAX_SERIES } from './metrics.ts'
import { createSeriesTable } from './series.ts'

/** One line of a family: `name + suffix{labels} value`. */
export interface MetricSample {
  /** Such as `_total`, `_bucket`, `_sum`; empty for a gauge. */
  readonly suffix: string
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly value: number
}

/** A metric with all its samples. */
export interface MetricFamily {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram' | 'info'
  readonly help: string
  readonly unit: string | undefined
  /** Names of the labels, even when there are no samples yet. */
  readonly labels: readonly string[]
  readonly samples: readonly MetricSample[]
}

/** Metrics that can be collected. */
export interface MetricsRegistry extends Metrics {
  /** Registers a constant, such as the version: `name_info{…} 1`. */
  info(name: string, help: string, labels: Readonly<Record<string, string>>): void
  /** Registers a function that each collection awaits first, to fetch values. It must bound its own time and must not throw. */
  beforeCollect(refresh: () => Promise<void>): void
  /** All families, in the order of their registration. */
  collect(): Promise<readonly MetricFamily[]>
}

/** Names that every parser accepts. */
const METRIC_NAME = /^[a-z][a-z0-9_]*$/
const LABEL_NAME = /^[a-z][a-z0-9_]*$/
/** Suffixes with a special meaning, so a name must not end with one. */
const RESERVED_SUFFIX = /_(?:total|bucket|count|sum|created|info)$/

type Source = () => MetricFamily | undefined

/** One series of a counter. */
class Count implements BoundCounter {
  value = 0

  add(by = 1): void {
    if (by >= 0 && by < Infinity) this.value += by
  }
}

/** One series of a gauge. */
class Level implements BoundGauge {
  value = 0

  add(by: number): void {
    if (Number.isFinite(by)) this.value += by
  }
}

/** One series of a histogram. */
class Buckets implements BoundHistogram {
  readonly #bounds: readonly number[]
  /** Number of values in each bucket, and of those above the last bound. */
  readonly counts: number[]
  sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    if (!Number.isFinite(value)) return
    const bucket = firstIndex(this.#bounds, (bound) => value <= bound)
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sum += value
  }
}

/** Makes an empty registry. */
export function createRegistry(): MetricsRegistry {
  const names = new Set<string>()
  const sources: Source[] = []
  const refreshers: (() => Promise<void>)[] = []
  const overflows: (() => readonly [name: string, count: number])[] = []

  const register = (options: MetricOptions, source: Source): void => {
    check(options, names)
    names.add(options.name)
    sources.push(source)
  }
  const tableOf = <State>(
    { name, labels = [], maxSeries = MAX_SERIES }: MetricOptions,
    create: () => State,
  ) => {
    const table = createSeriesTable(labels.length, maxSeries, create)
    overflows.push(() => [name, table.overflows])
    return table
  }
  const registry: MetricsRegistry = {
    counter(options) {
      const { at, entries } = tableOf(options, () => new Count())
      register(options, () => family(options, 'counter', simple(options, '_total', entries())))
      if (isAlone(options)) at([])
      return { add: (values = [], by = 1) => at(values).add(by), bind: at }
    },
    gauge(options) {
      const { at, entries } = tableOf(options, () => new Level())
      register(options, () => family(options, 'gauge', simple(options, '', entries())))
      return {
        set: (value, values = []) => void (at(values).value = value),
        add: (by, values = []) => at(values).add(by),
        bind: at,
      }
    },
    histogram(options) {
      const { at, entries } = tableOf(options, () => new Buckets(options.bounds))
      register(options, () => family(options, 'histogram', histogramSamples(options, entries())))
      if (isAlone(options)) at([])
      return { observe: (value, values = []) => at(values).observe(value), bind: at }
    },
    read(options) {
      register(options, () => family(options, options.kind, readSamples(options)))
    },
    info(name, help, labels) {
      const sample = { suffix: '_info', labels: Object.entries(labels), value: 1 }
      const options = { name, help, labels: Object.keys(labels) }
      register(options, () => family(options, 'info', [sample]))
    },
    beforeCollect(refresh) {
      refreshers.push(refresh)
    },
    async collect() {
      await Promise.all(refreshers.map((refresh) => refresh()))
      return sources.flatMap((source) => source() ?? [])
    },
  }
  registry.read({
    name: 'aviso_metrics_overflows',
    kind: 'counter',
    help: 'Values counted under the label value "other" because their metric has reached its limit of series',
    labels: ['metric'],
    read: () =>
      overflows
        .map((count) => count())
        .flatMap(([name, value]) => (value > 0 ? { value, values: [name] } : [])),
  })
  return registry
}

/** Whether a metric has no labels. Its only series then exists from the start, at zero. */
function isAlone({ labels = [] }: MetricOptions): boolean {
  return labels.length === 0
}

function check({ name, labels = [], unit }: MetricOptions, names: ReadonlySet<string>): void {
  if (!METRIC_NAME.test(name) || RESERVED_SUFFIX.test(name))
    throw new TypeError(`"${name}" is not a valid name of a metric`)
  if (unit !== undefined && !name.endsWith(`_${unit}`))
    throw new TypeError(`"${name}" does not end in its unit`)
  if (names.has(name)) throw new TypeError(`The metric "${name}" is registered already`)
  for (const label of labels) {
    if (!LABEL_NAME.test(label) || label === 'le')
      throw new TypeError(`"${label}" is not a valid name of a label`)
  }
}

function family(
  { name, help, unit, labels = [] }: MetricOptions,
  kind: MetricFamily['kind'],
  samples: readonly MetricSample[] | undefined,
): MetricFamily | undefined {
  return samples === undefined ? undefined : { name, kind, help, unit, labels, samples }
}

function labelled(names: readonly string[], values: readonly string[]): MetricSample['labels'] {
  return names.map((name, index) => [name, values[index] ?? ''] as const)
}

function simple(
  { labels = [] }: MetricOptions,
  suffix: string,
  entries: Iterable<readonly [readonly string[], { readonly value: number }]>,
): readonly MetricSample[] {
  return Array.from(entries, ([values, { value }]) => ({ suffix, labels: labelled(labels, values), value }))
}

function readSamples(options: ReadOptions): readonly MetricSample[] | undefined {
  const { kind, labels = [], maxSeries = MAX_SERIES } = options
  // The table is the same as for other metrics, so that the same bounds hold.
  const table = createSeriesTable(labels.length, maxSeries, () => ({ value: 0 }))
  try {
    for (const { value, values = [] } of options.read()) {
      const state = table.at(values)
      state.value = kind === 'counter' ? state.value + value : value
    }
  } catch {
    return undefined
  }
  return simple(options, kind === 'counter' ? '_total' : '', table.entries())
}

function histogramSamples(
  { labels: names = [], bounds }: HistogramOptions,
  entries: Iterable<
    readonly [readonly string[], { readonly counts: readonly number[]; readonly sum: number }]
  >,
): readonly MetricSample[] {
  return Array.from(entries).flatMap(([values, { counts, sum }]) => {
    const labels = labelled(names, values)
    let count = 0
    const buckets = counts.map((inBucket, index): MetricSample => {
      count += inBucket
      return {
        suffix: '_bucket',
        labels: [...labels, ['le', metricNumber(bounds[index] ?? Infinity)]],
        value: count,
      }
    })
    return [...buckets, { suffix: '_count', labels, value: count }, { suffix: '_sum', labels, value: sum }]
  })
}

/** A number as OpenMetrics writes it: integers end in `.0`, so that `le="1.0"` is written the same everywhere. */
export function metricNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value < 0 ? '-Inf' : '+Inf'
  const text = String(value)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}
