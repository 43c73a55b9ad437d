/**
 * How long to wait before trying again.
 *
 * @module
 */

/** Bounds of the waits. */
export interface BackOffLimits {
  /** Longest wait after the first failure. It doubles with each further one. */
  readonly firstMs: number
  /** Longest wait of all. */
  readonly mostMs: number
  /**
   * Share of a wait that is not left to chance, from 0 to 1. With 0, the default, the waits of many that failed together are spread best; a
   * greater one keeps the least wait above nothing.
   */
  readonly steadyShare?: number
}

/**
 * A wait that grows with each failure and is drawn at random, so that many who lost the same server come back spread in time.
 *
 * @param failures Failures in a row before this one, from 0.
 * @param random A number in [0, 1).
 * @returns milliseconds, with a fraction.
 */
export function backOffMs(
  failures: number,
  { firstMs, mostMs, steadyShare = 0 }: BackOffLimits,
  random: () => number,
): number {
  const longestMs = Math.min(firstMs * 2 ** failures, mostMs)
  return longestMs * (steadyShare + (1 - steadyShare) * random())
}
