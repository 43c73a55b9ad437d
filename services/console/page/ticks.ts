/**
 * Round values for the axes of curves.
 *
 * @module
 */

/** Steps between names of times, in seconds. */
export const SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
]

/** Round values between two, about so many. @param steps Steps that are round here; default: 1, 2 and 5, and ten times as much */
export function ticks(
  from: number,
  to: number,
  count: number,
  steps: readonly number[] = [],
): readonly number[] {
  const least = (to - from) / Math.max(1, count)
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)))
  const round = [...steps, power, 2 * power, 5 * power, 10 * power]
  const step = round.find((each) => each >= least) ?? 10 * power
  const values: number[] = []
  for (let value = Math.ceil(from / step) * step; value <= to; value += step) values.push(value)
  return values
}
