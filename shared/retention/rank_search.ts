/**
 * Finds the revision below which a given number of keys lie. It makes passes over all keys and needs a fixed amount of memory, so a running
 * service need not hold or sort a million revisions.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'

/** Each pass narrows the search by this factor, so three passes find one revision among 10^9. */
const BUCKETS = 1024n

/** The oldest keys of a collection, by the revision of their last write. Each key counts 1, or what it weighs. */
export interface OldestKeys {
  /** All keys written before this revision belong to them. */
  readonly before: Revision
  /** How much of what was written at exactly that revision also belongs to them. */
  readonly alsoAt: number
}

/** A search that is given every key's revision, once per pass. */
export interface RankSearch {
  observe(revision: Revision, weight?: number): void
  /** Ends a pass. @returns the oldest keys; `undefined` when another pass is needed */
  endPass(): OldestKeys | undefined
}

/**
 * Searches the oldest `count` keys among those written up to `last`. Keys that are added or deleted between passes shift the answer by
 * their number.
 */
export function createRankSearch(count: number, last: Revision): RankSearch {
  let low: Revision = 0n
  let high = last
  /** Number of keys below `low`. */
  let below = 0
  let width = bucketWidth(low, high)
  let buckets = new Map<Revision, number>()
  return {
    observe: (revision, weight = 1) => {
      if (revision < low || revision > high) return
      const bucket = (revision - low) / width
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + weight)
    },
    endPass: () => {
      for (const [bucket, found] of [...buckets].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        if (below + found < count) {
          below += found
          continue
        }
        const start = low + bucket * width
        if (width === 1n) return { before: start, alsoAt: count - below }
        low = start
        high = start + width - 1n
        width = bucketWidth(low, high)
        buckets = new Map()
        return undefined
      }
      // There are fewer keys than `count`.
      return { before: high + 1n, alsoAt: 0 }
    },
  }
}

function bucketWidth(low: Revision, high: Revision): bigint {
  return (high - low) / BUCKETS + 1n
}
