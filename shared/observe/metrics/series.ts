/**
 * The series of one metric: one value per combination of label values, bounded, whatever the label values are.
 *
 * @module
 */

/** Takes the place of every label value once a metric has as many series as it may. */
export const OVERFLOW_VALUE = 'other'

/** Longest label value: names of event types and routes are shorter, and a page must not grow by one of them. */
const MAX_VALUE_CHARACTERS = 128
/** Control characters: a parser may take some of them for the end of a line. A newline has an escape and may stay. */
const CONTROL = /(?!\n)[\p{Cc}\u2028\u2029]/gu
/** Cannot be part of a cleaned value, so joined values are as different as the lists of them. */
const SEPARATOR = '\u0000'

/** The series of one metric. */
export interface SeriesTable<State> {
  /** The state of a combination, made by the first who asks; the overflow's once the table is full. */
  at(values: readonly string[]): State
  /** Every combination and its state, in the order of their making. */
  entries(): Iterable<readonly [values: readonly string[], state: State]>
  /** How often a combination was counted as {@link OVERFLOW_VALUE}. */
  readonly overflows: number
}

interface Series<State> {
  readonly values: readonly string[]
  readonly state: State
}

/** A table of at most `maxSeries` combinations of `labelCount` values, and one more for the overflow. */
export function createSeriesTable<State>(
  labelCount: number,
  maxSeries: number,
  create: () => State,
): SeriesTable<State> {
  const table = new Map<string, Series<State>>()
  let overflows = 0
  const add = (key: string, values: readonly string[]): State => {
    const state = create()
    table.set(key, { values, state })
    return state
  }
  const atCleaned = (values: readonly string[]): State => {
    const cleaned = Array.from({ length: labelCount }, (_, index) => cleanLabelValue(values[index] ?? ''))
    const key = cleaned.join(SEPARATOR)
    const known = table.get(key)
    if (known !== undefined) return known.state
    if (table.size < maxSeries) return add(key, cleaned)
    overflows++
    const other = cleaned.map(() => OVERFLOW_VALUE)
    const otherKey = other.join(SEPARATOR)
    return table.get(otherKey)?.state ?? add(otherKey, other)
  }
  return {
    at(values) {
      // The common case: values seen before, which were clean.
      const known = table.get(values.length === 1 ? (values[0] ?? '') : values.join(SEPARATOR))
      return known !== undefined && values.length === labelCount ? known.state : atCleaned(values)
    },
    *entries() {
      for (const { values, state } of table.values()) yield [values, state]
    },
    get overflows() {
      return overflows
    },
  }
}

/** A label value that no parser can stumble over: well-formed, of bounded length, without control characters but the newline. */
export function cleanLabelValue(value: string): string {
  const cut = value.length > MAX_VALUE_CHARACTERS ? value.slice(0, MAX_VALUE_CHARACTERS) : value
  return cut.toWellFormed().replace(CONTROL, ' ')
}
