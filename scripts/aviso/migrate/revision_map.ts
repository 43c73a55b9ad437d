/**
 * Which revision of a copy stands for which of its source. Runs of revisions that follow each other in both take one entry.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'

/** A run: `length` revisions from `from` on are those from `to` on. */
interface Run {
  readonly from: Revision
  readonly to: Revision
  length: bigint
}

export interface RevisionMap {
  /** Notes that a revision became another one. Both grow from call to call. */
  add(from: Revision, to: Revision): void
  /**
   * The revision of the copy that holds everything up to a revision of the source, and nothing later. 0n stays 0n, which is no revision; one
   * before all that was copied becomes 1n, that of an empty store.
   */
  at(from: Revision): Revision
}

export function createRevisionMap(): RevisionMap {
  const runs: Run[] = []
  return {
    add: (from, to) => {
      const last = runs.at(-1)
      if (last !== undefined && from === last.from + last.length && to === last.to + last.length)
        last.length++
      else runs.push({ from, to, length: 1n })
    },
    at: (from) => {
      if (from === 0n) return 0n
      let low = 0
      let high = runs.length
      while (low < high) {
        const middle = (low + high) >> 1
        if ((runs[middle]?.from ?? 0n) <= from) low = middle + 1
        else high = middle
      }
      const run = runs[low - 1]
      if (run === undefined) return 1n
      const offset = from - run.from
      return run.to + (offset < run.length ? offset : run.length - 1n)
    },
  }
}
