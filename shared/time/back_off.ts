/**
 * Back-off: how long to wait before the next attempt.
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
   * Share of a wait that is fixed, from 0 to 1; the rest is random. The default is 0: the waits of many clients that failed together are
   * then spread best. A greater share gives every wait a minimum.
   */
  readonly steadyShare?: number
}

/**
 * A random wait that grows with each failure, so that many clients of one failed server do not come back at the same time.
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
