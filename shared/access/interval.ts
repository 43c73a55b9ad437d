/**
 * Set operations on half-open intervals of byte strings. They cut the keys that a listener asks for down to those it may see.
 *
 * @module
 */

import { compareBytes, END_OF_KEYS, isEndOfKeys, nextKey } from '#shared/bytes/bytes.ts'
import { firstIndex } from '#shared/search.ts'
import type { KeyRange } from '#shared/store/store.ts'

/** The keys k with `start` ≤ k < `end` in byte order; without `end`, every key from `start` on. */
export interface Interval {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
}

/** Non-empty, sorted intervals that neither overlap nor touch. {@link normalise} makes a set from any list. */
export type IntervalSet = readonly Interval[]

/** Every key. */
export const ALL_KEYS: IntervalSet = [{ start: new Uint8Array(0), end: undefined }]

/** The interval of a store range. A single key k is [k, k·00), because k·00 is the next byte string. */
export function toInterval(range: KeyRange): Interval {
  if (range.end === undefined) return { start: range.key, end: nextKey(range.key) }
  return { start: range.key, end: isEndOfKeys(range.end) ? undefined : range.end }
}

/** The store range of an interval; a single key when the interval holds exactly one. */
export function toKeyRange({ start, end }: Interval): KeyRange {
  if (end === undefined) return { key: start, end: END_OF_KEYS }
  return compareBytes(end, nextKey(start)) === 0 ? { key: start } : { key: start, end }
}

/** Whether no key lies in the interval. */
export function isEmptyInterval({ start, end }: Interval): boolean {
  return end !== undefined && compareBytes(start, end) >= 0
}

/** The union of any intervals. */
export function normalise(intervals: readonly Interval[]): IntervalSet {
  const sorted = intervals
    .filter((interval) => !isEmptyInterval(interval))
    .toSorted((a, b) => compareBytes(a.start, b.start))
  const result: Interval[] = []
  for (const interval of sorted) {
    const last = result.at(-1)
    if (last !== undefined && compareEnds(last.end, interval.start) >= 0) {
      result[result.length - 1] = { start: last.start, end: laterEnd(last.end, interval.end) }
    } else {
      result.push(interval)
    }
  }
  return result
}

/** The keys in both sets. */
export function intersect(a: IntervalSet, b: IntervalSet): IntervalSet {
  const result: Interval[] = []
  let left = 0
  let right = 0
  for (;;) {
    const x = a[left]
    const y = b[right]
    if (x === undefined || y === undefined) return result
    const start = compareBytes(x.start, y.start) >= 0 ? x.start : y.start
    const xEndsFirst = compareEnds(x.end, y.end) <= 0
    const common = { start, end: xEndsFirst ? x.end : y.end }
    if (!isEmptyInterval(common)) result.push(common)
    if (xEndsFirst) left++
    else right++
  }
}

/** The keys in `a` that are not in `b`. */
export function subtract(a: IntervalSet, b: IntervalSet): IntervalSet {
  return intersect(a, complement(b))
}

/** Whether a key is in the set; O(log n). */
export function contains(set: IntervalSet, key: Uint8Array): boolean {
  // The last interval that starts at or before the key is the only one that can hold it.
  const candidate = set[firstIndex(set, ({ start }) => compareBytes(start, key) > 0) - 1]
  return candidate !== undefined && compareEnds(candidate.end, key) > 0
}

/** Whether every key of `inner` is in `outer`. */
export function covers(outer: IntervalSet, inner: IntervalSet): boolean {
  return subtract(inner, outer).length === 0
}

function complement(set: IntervalSet): IntervalSet {
  const result: Interval[] = []
  let start = new Uint8Array(0) as Uint8Array
  for (const interval of set) {
    if (compareBytes(start, interval.start) < 0) result.push({ start, end: interval.start })
    if (interval.end === undefined) return result
    start = interval.end
  }
  result.push({ start, end: undefined })
  return result
}

/** Order of ends; an absent end is after all others. */
function compareEnds(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined) return b === undefined ? 0 : 1
  return b === undefined ? -1 : compareBytes(a, b)
}

function laterEnd(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  return compareEnds(a, b) >= 0 ? a : b
}
