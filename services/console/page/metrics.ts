/**
 * The figures of `/metrics` that a person wants.
 *
 * @module
 */

/** Sums of the series of a metric, and the counts of a histogram's buckets. */
export interface Histogram {
  readonly count: number
  /** Upper bound in seconds → how many were at or below it. */
  readonly buckets: readonly (readonly [bound: number, count: number])[]
}

/** Reads the histogram of a page of metrics; `undefined` where there is none. */
export function readHistogram(text: string, name: string): Histogram | undefined {
  const sums = new Map<number, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}_bucket{`)) continue
    const [, bound, count] = /le="([^"]+)"\} ([\d.e+]+)/.exec(line) ?? []
    if (bound === undefined || count === undefined) continue
    const upper = bound === '+Inf' ? Infinity : Number(bound)
    sums.set(upper, (sums.get(upper) ?? 0) + Number(count))
  }
  const buckets = [...sums].toSorted(([a], [b]) => a - b)
  return buckets.length === 0 ? undefined : { count: buckets.at(-1)?.[1] ?? 0, buckets }
}

/** The bound that a part of all is at or below, in seconds. @param part 0 to 1 */
export function boundOf({ count, buckets }: Histogram, part: number): number | undefined {
  return count === 0 ? undefined : buckets.find(([, below]) => below >= count * part)?.[0]
}

/** What the newest page has more than an older one. */
export function since(newer: Histogram, older: Histogram | undefined): Histogram {
  if (older === undefined || older.count > newer.count) return newer
  const before = new Map(older.buckets)
  return {
    count: newer.count - older.count,
    buckets: newer.buckets.map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]),
  }
}

/** The value of a metric, or the largest of its series. */
export function readValue(text: string, name: string): number | undefined {
  let largest: number | undefined
  for (const line of text.split('\n')) {
    const [, value] = line.startsWith(name) ? (/^[a-z_]+(?:\{[^}]*\})? ([\d.e+-]+)/.exec(line) ?? []) : []
    const isName = line[name.length] === ' ' || line[name.length] === '{'
    if (value !== undefined && isName) largest = Math.max(largest ?? -Infinity, Number(value))
  }
  return largest
}
