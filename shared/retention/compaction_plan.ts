/**
 * Decides how far the store's history may be compacted. Pure: the clock and the contents of the store are arguments.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'
import { addMark, clockStep, newestMarkOlderThan, type AgeRules, type ClockStep } from './time_marks.ts'
import type { MarkHistory } from './mark_history.ts'

export interface CompactionInput {
  readonly history: MarkHistory
  /** The store's revision. */
  readonly head: Revision
  /**
   * The revision to mark, to which a later run may compact. It is not beyond the head, and its write deletes nothing, because etcd before
   * 3.4.36 and 3.5.18 loses deletions made at the very revision that it compacts to (etcd#19251). Default: the head.
   */
  readonly boundary?: Revision | undefined
  /** The clock, read after the head; milliseconds since 1970. */
  readonly now: number
  /** History younger than this stays readable. */
  readonly retentionMs: number
  /** Longest age that any job looks up in the history; at least `retentionMs`. */
  readonly longestAgeMs: number
  readonly rules: AgeRules
}

/** The planned compaction. */
export interface CompactionPlan {
  /** The history to store **before** compacting, so that a later admin knows the target even when this one stops. */
  readonly history: MarkHistory
  /** Oldest revision to keep readable, perhaps the target of the last run; absent: there is nothing to compact. */
  readonly target?: Revision
  /** Time by which the target was surely written; milliseconds since 1970. */
  readonly targetAt?: number
  readonly step: ClockStep
}

/**
 * Plans a compaction to the newest revision that is surely older than the retention. Everything written later, and the state at the target
 * itself, stays readable. A plan that is made twice, late or from an old history never compacts too much.
 *
 * @throws {RangeError} When the history belongs to another store.
 */
export function planCompaction(input: CompactionInput): CompactionPlan {
  const { history, head, boundary, now, retentionMs, longestAgeMs, rules } = input
  const step = clockStep(history.marks, now, rules)
  const oldest = newestMarkOlderThan(history.marks, { now, ageMs: retentionMs, rules })
  const marks = addMark(history.marks, { head, revision: boundary, now, longestAgeMs, rules })
  // Revision 1 is that of the empty store.
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
