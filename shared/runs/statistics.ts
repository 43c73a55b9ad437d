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

/** The middle of the first numbers of a place that is written over; `NaN` of none. For a few numbers. */
export function medianOfFew(numbers: Float64Array, length: number): number {
  for (let place = 1; place < length; place++) {
    const number = numbers[place] ?? 0
    let free = place
    for (; free > 0 && (numbers[free - 1] ?? 0) > number; free--) numbers[free] = numbers[free - 1] ?? 0
    numbers[free] = number
  }
  return medianOfSorted(numbers.subarray(0, length))
}

/**
 * Moves numbers so that one of a rank stands where it would if they were sorted, none before it is larger, and none behind it is less. It
 * costs far less than to sort them.
 */
export function partition(numbers: Float64Array, rank: number): void {
  let low = 0
  let high = numbers.length - 1
  while (low < high) {
    const pivot = numbers[(low + high) >>> 1] ?? 0
    let left = low
    let right = high
    while (left <= right) {
      while ((numbers[left] ?? 0) < pivot) left++
      while ((numbers[right] ?? 0) > pivot) right--
      if (left > right) break
      const number = numbers[left] ?? 0
      numbers[left++] = numbers[right] ?? 0
      numbers[right--] = number
    }
    if (rank <= right) high = right
    else if (rank >= left) low = left
    else return
  }
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
