/**
 * Measures how fast the store grows, and when it will be full at that pace.
 *
 * @module
 */

/** The sizes of a store over the last day. */
export interface Growth {
  /** @param at Monotonic time, in milliseconds. */
  add(at: number, sizeInUseBytes: number): void
  /** Bytes per second since the oldest size kept; negative when the store shrinks; `undefined` until sizes cover ten minutes. */
  bytesPerSecond(): number | undefined
  /** Seconds until the quota is used up; `Infinity` when the store does not grow; `undefined` as above. */
  headroomSeconds(quotaBytes: number): number | undefined
}

/** Sizes are kept for a day. A shorter time would miss the daily compaction, and the store would seem to fill up every afternoon. */
const KEPT_MS = 24 * 3_600_000
/** Shortest time between two kept sizes, so that at most 289 are kept. */
const STEP_MS = 5 * 60_000
/** Shortest time over which the growth is measured. */
const LEAST_MS = 10 * 60_000

interface Size {
  readonly at: number
  readonly bytes: number
}

/** Makes an empty record of sizes. */
export function createGrowth(): Growth {
  let kept: Size[] = []
  let newest: Size | undefined
  const bytesPerSecond = (): number | undefined => {
    const [oldest] = kept
    if (oldest === undefined || newest === undefined || newest.at - oldest.at < LEAST_MS) return undefined
    return (newest.bytes - oldest.bytes) / ((newest.at - oldest.at) / 1_000)
  }
  return {
    add(at, bytes) {
      newest = { at, bytes }
      const last = kept.at(-1)
      if (last === undefined || at - last.at >= STEP_MS) kept.push(newest)
      kept = kept.filter((size) => size.at >= at - KEPT_MS)
    },
    bytesPerSecond,
    headroomSeconds(quotaBytes) {
      const pace = bytesPerSecond()
      if (pace === undefined || newest === undefined) return undefined
      if (newest.bytes >= quotaBytes) return 0
      return pace <= 0 ? Infinity : (quotaBytes - newest.bytes) / pace
    },
  }
}
