/**
 * Decides how far the store's history may be forgotten. Pure: the clock and what the store holds come in as arguments.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'
import { addMark, clockStep, newestMarkOlderThan, type AgeRules, type ClockStep } from './time_marks.ts'
import type { MarkHistory } from './mark_history.ts'

/** What a compaction is planned from. */
export interface CompactionInput {
  readonly history: MarkHistory
  /** The store's revision. */
  readonly head: Revision
  /**
   * The revision to mark, and so to compact to one day: up to the head, and of a write that deletes nothing. Default: the head.
   *
   * etcd before 3.4.36 and 3.5.18 loses what was deleted at the very revision that it compacts to (etcd#19251).
   */
  readonly boundary?: Revision | undefined
  /** The clock, read after the head was; milliseconds since 1970. */
  readonly now: number
  /** History younger than this stays readable. */
  readonly retentionMs: number
  /** Longest age that anybody will ask the history for; at least `retentionMs`. */
  readonly longestAgeMs: number
  readonly rules: AgeRules
}

/** What to do. */
export interface CompactionPlan {
  /** The history to store **before** compacting, so that whoever comes later knows what was meant. */
  readonly history: MarkHistory
  /** Oldest revision to keep readable, perhaps the one of the last run; absent: nothing to forget. */
  readonly target?: Revision
  /** When the target was surely written at the latest; milliseconds since 1970. */
  readonly targetAt?: number
  readonly step: ClockStep
}

/**
 * Plans a compaction to the newest revision that is surely older than the retention. Everything written later, and the
 * state at the target itself, stays readable. Planning twice, late or from an old history never plans too much.
 *
 * @throws {RangeError} When the history is not this store's.
 */
export function planCompaction(input: CompactionInput): CompactionPlan {
  const { history, head, boundary, now, retentionMs, longestAgeMs, rules } = input
  const step = clockStep(history.marks, now, rules)
  const oldest = newestMarkOlderThan(history.marks, { now, ageMs: retentionMs, rules })
  const marks = addMark(history.marks, { head, revision: boundary, now, longestAgeMs, rules })
  // Revision 1 is the empty store's.
  if (oldest === undefined || oldest.revision <= 1n) {
    return { history: { marks, compacted: history.compacted }, step }
  }
  return {
    history: { marks, compacted: oldest.revision },
    target: oldest.revision,
    targetAt: oldest.at,
    step,
  }
}
