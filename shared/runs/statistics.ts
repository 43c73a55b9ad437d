/**
 * Robust statistics of a few numbers.
 *
 * @module
 */

/** The median absolute deviation of normal numbers, times this, is their standard deviation. */
const MAD_SCALE = 1.4826

/** The middle of sorted numbers; `NaN` of none. */
export function medianOfSorted(sorted: ArrayLike<number>): number {
  const middle = sorted.length >> 1
  const high = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** The middle of numbers; `NaN` of none. */
export function median(numbers: readonly number[]): number {
  return medianOfSorted(numbers.toSorted((a, b) => a - b))
}

/**
 * The number below which a share of further numbers will lie, if they are as these were: between the numbers by rank, and beyond the outermost
 * by as much as their neighbours are apart.
 */
export function quantileOfSorted(sorted: ArrayLike<number>, share: number): number {
  const { length } = sorted
  if (length === 0) return Number.NaN
  if (length === 1) return sorted[0] ?? Number.NaN
  const rank = share * (length + 1) - 1
  const low = Math.min(Math.max(Math.floor(rank), 0), length - 2)
  const a = sorted[low] ?? Number.NaN
  const b = sorted[low + 1] ?? Number.NaN
  return a + (b - a) * (rank - low)
}

/**
 * How much numbers differ from each other, as a standard deviation: from the middle, or from the one before, whichever is less. So neither odd
 * numbers nor a change of level for good count for much.
 */
export function spread(series: readonly number[]): number {
  if (series.length < 2) return 0
  const middle = median(series)
  const fromMiddle = median(series.map((value) => Math.abs(value - middle)))
  const fromLast = median(series.slice(1).map((value, index) => Math.abs(value - (series[index] ?? value))))
  return MAD_SCALE * Math.min(fromMiddle, fromLast / Math.SQRT2)
}
