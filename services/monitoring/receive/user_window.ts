/**
 * Counts distinct users over a sliding window. Their names are never given out.
 *
 * @module
 */

/** The users of the window. */
export interface UserWindow {
  add(names: readonly string[], at: number): void
  /** Number of users seen within the window. */
  count(now: number): number
  /** Number of names that were not kept because there were too many. */
  readonly overflows: number
}

/** Most users kept. The count never exceeds this. */
export const MAX_USERS = 20_000

/** Makes an empty window of `windowMs` milliseconds. */
export function createUserWindow(windowMs: number): UserWindow {
  // Names in the order in which they were last seen.
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
