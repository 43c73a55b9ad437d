/**
 * The cost of a read, so that a quota counts work and not calls: an empty poll is cheap, a large answer is dear.
 *
 * @module
 */

/** What a request has read from the store. */
export interface ReadCost {
  /** Calls of the store. */
  readonly reads: number
  /** Keys in their answers. */
  readonly keys: number
  /** Bytes of these keys and their values. */
  readonly bytes: number
  /** Keys that were only counted; absent: none. */
  readonly counted?: number
}

/** Reads of one unit: one poll without news is ten times cheaper than a unit. */
const READS_PER_UNIT = 10
/** Keys of one unit. A key costs the store some 10 µs, so that a unit is about a millisecond of its time. */
const KEYS_PER_UNIT = 100
/** Bytes of one unit: 100 keys with usual values. */
const BYTES_PER_UNIT = 16_384

/** Counted keys of one unit: a store counts 1,000,000 of them in some 0.5 s. */
const COUNTED_PER_UNIT = 2_000

/** The cost in units of the quota. */
export function unitsOf({ reads, keys, bytes, counted = 0 }: ReadCost): number {
  return reads / READS_PER_UNIT + keys / KEYS_PER_UNIT + bytes / BYTES_PER_UNIT + counted / COUNTED_PER_UNIT
}

/** The part of an answer that costs. */
interface ReadAnswer {
  readonly kvs: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]
}

/** The cost of one read. @param counted Keys that the store went through only to count them. */
export function costOfRead({ kvs }: ReadAnswer, counted = 0): ReadCost {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
  return { reads: 1, keys: kvs.length, bytes, counted }
}
