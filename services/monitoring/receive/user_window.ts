/**
 * Distinct users over a sliding window. Their names are counted, and never given out.
 *
 * @module
 */

/** Who was seen when. */
export interface UserWindow {
  add(names: readonly string[], at: number): void
  /** How many were seen within the window. */
  count(now: number): number
  /** Names that were not kept because there were too many. */
  readonly overflows: number
}

/** Users kept; more listeners than this are counted as this many. */
export const MAX_USERS = 20_000

/** An empty window of `windowMs`. */
export function createUserWindow(windowMs: number): UserWindow {
  // In the order in which they were last seen.
  const seenAt = new Map<string, number>()
  let overflows = 0
  const prune = (now: number): void => {
    for (const [name, at] of seenAt) {
      if (at > now - windowMs) break
      seenAt.delete(name)
    }
  }
  return {
    add(names, at) {
      prune(at)
      for (const name of names) {
        if (!seenAt.delete(name) && seenAt.size >= MAX_USERS) {
          overflows++
          continue
        }
        seenAt.set(name, at)
      }
    },
    count(now) {
      prune(now)
      return seenAt.size
    },
    get overflows() {
      return overflows
    },
  }
}
