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
