/**
 * Finds the revision below which a given number of keys lie, by passes over all keys in a fixed amount of memory: a million
 * revisions need not be held, let alone sorted, beside a running service.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'

/** Each pass narrows the search by this factor: three passes find one revision in 10^9. */
const BUCKETS = 1024n

/** The oldest keys of a collection. */
export interface OldestKeys {
  /** All keys written before this revision are among them. */
  readonly before: Revision
  /** So many of the keys written at that very revision are. */
  readonly alsoAt: number
}

/** A search that is fed with every key's revision, pass after pass. */
export interface RankSearch {
  observe(revision: Revision): void
  /** Ends a pass. @returns The answer, or `undefined` when another pass is needed. */
  endPass(): OldestKeys | undefined
}

/**
 * Searches the oldest `count` keys among those written up to `last`. Keys that come or go between passes shift the answer by
 * as many.
 */
export function createRankSearch(count: number, last: Revision): RankSearch {
  let low: Revision = 0n
  let high = last
  /** Keys below `low`. */
  let below = 0
  let width = bucketWidth(low, high)
  let buckets = new Map<Revision, number>()
  return {
    observe: (revision) => {
      if (revision < low || revision > high) return
      const bucket = (revision - low) / width
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1)
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
      // There are fewer keys than asked for.
      return { before: high + 1n, alsoAt: 0 }
    },
  }
}

function bucketWidth(low: Revision, high: Revision): bigint {
  return (high - low) / BUCKETS + 1n
}
