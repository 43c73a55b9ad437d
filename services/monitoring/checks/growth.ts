/**
 * How fast the store grows, and when it will be full at that pace.
 *
 * @module
 */

/** Sizes seen over time. */
export interface Growth {
  add(at: number, sizeInUseBytes: number): void
  /** Bytes per second since the oldest size kept; negative after a compaction; `undefined` until there is enough to tell. */
  bytesPerSecond(): number | undefined
  /** Seconds until the quota is used up; `Infinity` where the store does not grow. */
  headroomSeconds(quotaBytes: number): number | undefined
}

/** Sizes are kept for a day: a daily compaction must be inside, or every afternoon looks like the end. */
const KEPT_MS = 24 * 3_600_000
/** Sizes closer than this to the one before are left out, so that at most 289 are kept. */
const STEP_MS = 5 * 60_000
/** A pace measured over less is no pace. */
const LEAST_MS = 10 * 60_000

interface Size {
  readonly at: number
  readonly bytes: number
}

/** Nothing seen yet. */
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
      // A clock that went back makes what was seen before meaningless.
      if (newest !== undefined && at < newest.at) kept = []
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
