/**
 * The range index finds the ranges that may hold a key. Nearly all ranges of listeners are prefixes or single keys. So a range is filed
 * under the bytes that all its keys begin with, and a lookup tries each beginning of the key.
 *
 * @module
 */

import { compareBytes, isEndOfKeys, toName } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

export interface RangeIndex<Item> {
  add(item: Item, ranges: readonly KeyRange[]): void
  remove(item: Item, ranges: readonly KeyRange[]): void
  isEmpty(): boolean
  /** Every item with a range that holds the key, and perhaps other items. An item may come twice. */
  find(key: Uint8Array): Iterable<Item>
}

/** Items that are filed under one beginning. */
interface Bucket<Item> {
  readonly length: number
  readonly items: Set<Item>
}

export function createRangeIndex<Item>(): RangeIndex<Item> {
  const buckets = new Map<string, Bucket<Item>>()
  /** Length of a beginning → number of buckets with that length. */
  const lengths = new Map<number, number>()

  const count = (length: number, change: number): void => {
    const left = (lengths.get(length) ?? 0) + change
    if (left === 0) lengths.delete(length)
    else lengths.set(length, left)
  }
  return {
    add: (item, ranges) => {
      for (const range of ranges) {
        const beginning = commonBeginning(range)
        const name = toName(beginning, beginning.length)
        let bucket = buckets.get(name)
        if (bucket === undefined) {
          bucket = { length: beginning.length, items: new Set() }
          buckets.set(name, bucket)
          count(bucket.length, 1)
        }
        bucket.items.add(item)
      }
    },
    remove: (item, ranges) => {
      for (const range of ranges) {
        const beginning = commonBeginning(range)
        const name = toName(beginning, beginning.length)
        const bucket = buckets.get(name)
        bucket?.items.delete(item)
        if (bucket?.items.size !== 0) continue
        buckets.delete(name)
        count(bucket.length, -1)
      }
    },
    isEmpty: () => buckets.size === 0,
    find: function* (key) {
      const name = toName(key, key.length)
      for (const length of lengths.keys()) {
        if (length > name.length) continue
        const bucket = buckets.get(name.slice(0, length))
        if (bucket !== undefined) yield* bucket.items
      }
    },
  }
}

/** The longest bytes that every key of a range begins with. */
export function commonBeginning({ key, end }: KeyRange): Uint8Array {
  if (end === undefined) return key
  if (isEndOfKeys(end) || compareBytes(key, end) >= 0) return key.subarray(0, 0)
  let length = 0
  while (length < key.length && key[length] === end[length]) length++
  // From `ab` up to `ac` all keys begin with `ab`.
  const isNext = end.length === length + 1 && (key[length] ?? -1) + 1 === end[length]
  return key.subarray(0, isNext ? length + 1 : length)
}
