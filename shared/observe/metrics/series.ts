/**
 * Keeps the series of one metric: one value per combination of label values. Their number is bounded, whatever the label values are.
 *
 * @module
 */

/** Replaces every label value of further combinations when a metric has reached its limit of series. */
export const OVERFLOW_VALUE = 'other'

/** Longest label value. Names of event types and routes are shorter, and one value must not make a page large. */
const MAX_VALUE_CHARACTERS = 128
/** Control characters, because a parser may read some as the end of a line. A newline may stay, because it is escaped. */
const CONTROL = /(?!\n)[\p{Cc}\u2028\u2029]/gu
/** Separates joined values. Cleaned values never contain it, so different lists give different texts. */
const SEPARATOR = '\u0000'

/** The series of one metric. */
export interface SeriesTable<State> {
  /** The state of a combination, made at its first use. When the table is full, the state of the overflow. */
  readonly at: (values: readonly string[]) => State
  /** Every combination and its state, in the order in which they were made. */
  readonly entries: () => Iterable<readonly [values: readonly string[], state: State]>
  /** Number of times that a combination was counted as {@link OVERFLOW_VALUE}. */
  readonly overflows: number
}

interface Series<State> {
  readonly values: readonly string[]
  readonly state: State
}

/** Makes a table of at most `maxSeries` combinations of `labelCount` values, and one more for the overflow. */
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
      // This is the common case: values that were used before and need no cleaning.
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

/** A label value that every parser reads: well-formed, of bounded length, and without control characters except the newline. */
export function cleanLabelValue(value: string): string {
  const cut = value.length > MAX_VALUE_CHARACTERS ? value.slice(0, MAX_VALUE_CHARACTERS) : value
  return cut.toWellFormed().replace(CONTROL, ' ')
}
