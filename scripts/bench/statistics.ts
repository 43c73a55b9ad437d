/**
 * Computes percentiles and medians of measurements.
 *
 * @module
 */

/** Percentiles in the unit of the samples. */
export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** No samples were taken. */
export const NO_SAMPLES: Percentiles = { p50: Number.NaN, p99: Number.NaN, max: Number.NaN }

/** The percentiles of samples; NaN when there are no samples. */
export function toPercentiles(samples: readonly number[]): Percentiles {
  const sorted = Float64Array.from(samples).toSorted()
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? Number.NaN }
}

/** The median of repeated runs: the upper of the two middle values for an even number, NaN for no runs. */
export function median(values: readonly number[]): number {
  const sorted = [...values].toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** NaN for no values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Of the mean of independent values; NaN for fewer than two. */
export function standardError(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN
  const middle = mean(values)
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1) / values.length)
}
