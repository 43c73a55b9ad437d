/**
 * Time marks record when the store's revisions were written, and so how old each revision surely is.
 *
 * A mark says: when this clock showed `at`, the store's revision was `revision`. So everything up to that revision is at least as old as
 * the mark. Clocks are not trusted: the time from one mark to the next counts only when it is short. So a clock that is set forward or
 * back adds nothing. Time that does not count makes revisions seem younger than they are, never older.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'

/** One observation of the clock and the store's revision. */
export interface TimeMark {
  readonly revision: Revision
  /** Time on the clock after the revision was read; milliseconds since 1970. */
  readonly at: number
  /** Time counted so far, milliseconds. Only differences between marks have a meaning. */
  readonly countedMs: number
  /** Set when the mark was taken over from aviso 1.x, whose marks are a day apart. */
  readonly legacy?: true
}

/**
 * Longest time between two marks of aviso 1.x that counts: a day between marks, a day by which a mark's time may be off (see
 * `legacy_history.ts`), and an hour for a late run.
 */
export const LEGACY_GAP_MS = 49 * 3_600_000

/** Marks closer together than this fraction of the longest age are not needed. */
const MARKS_PER_AGE = 256

/** The rules by which ages are measured. */
export interface AgeRules {
  /** Longest time between two marks that counts, milliseconds. A longer time counts as nothing. */
  readonly longestGapMs: number
  /** Whether an operator vouches for the time since the last mark, however long it is. */
  readonly isTrusted?: boolean
}

/** How the clock moved since the last mark. */
export type ClockStep =
  | 'first'
  | 'steady'
  /** The time is too long to count: the admin was stopped, or the clock was set forward. */
  | 'gap'
  /** The clock was set back, or the clock of another admin is ahead. */
  | 'back'

/** How the clock moved since the newest mark. */
export function clockStep(marks: readonly TimeMark[], now: number, rules: AgeRules): ClockStep {
  const last = marks.at(-1)
  if (last === undefined) return 'first'
  const longestMs = longestGapAfter(last, rules)
  if (now - last.at > longestMs && rules.isTrusted !== true) return 'gap'
  return last.at - now > longestMs ? 'back' : 'steady'
}

function longestGapAfter({ legacy }: TimeMark, { longestGapMs }: AgeRules): number {
  return legacy === true ? Math.max(LEGACY_GAP_MS, longestGapMs) : longestGapMs
}

/**
 * Time counted up to now. A small step back is subtracted, so that a wavering clock gains nothing. A step that does not count subtracts the
 * longest gap, because the clock may have wavered by that much before it. Otherwise many such steps could add up.
 */
function countedNow(marks: readonly TimeMark[], now: number, rules: AgeRules): number {
  const last = marks.at(-1)
  if (last === undefined) return 0
  const isSteady = clockStep(marks, now, rules) === 'steady'
  return last.countedMs + (isSteady ? now - last.at : -longestGapAfter(last, rules))
}

/**
 * The newest mark that is surely older than an age. It must be older by the longest gap, because a clock may be off by that much unnoticed.
 */
export function newestMarkOlderThan(
  marks: readonly TimeMark[],
  { now, ageMs, rules }: { readonly now: number; readonly ageMs: number; readonly rules: AgeRules },
): TimeMark | undefined {
  const counted = countedNow(marks, now, rules)
  return marks.findLast((mark) => counted - mark.countedMs >= ageMs + longestGapAfter(mark, rules))
}

/** A mark to add, and the longest age, which decides which marks may be dropped. */
export interface NewMark {
  /** The store's revision. */
  readonly head: Revision
  /** The revision to mark, not beyond the head. Default: the head. */
  readonly revision?: Revision | undefined
  /** The clock, read after the head; milliseconds since 1970. */
  readonly now: number
  /** Longest age that any job looks up. */
  readonly longestAgeMs: number
  readonly rules: AgeRules
}

/**
 * Adds a mark and drops marks that are not needed: those before the newest mark that is older than the longest age, and those too close to
 * their neighbours. Dropping a mark never makes a revision seem older.
 *
 * @throws {RangeError} When the store is behind the newest mark, because the marks then belong to another store.
 */
export function addMark(marks: readonly TimeMark[], added: NewMark): readonly TimeMark[] {
  const { head, revision = head, now, longestAgeMs, rules } = added
  const last = marks.at(-1)
  if (last !== undefined && head < last.revision) {
    throw new RangeError(`The store is at revision ${head}, before the mark at ${last.revision}`)
  }
  // Another admin may have marked a later revision meanwhile. By now that revision is as old as this one.
  const marked = last !== undefined && revision < last.revision ? last.revision : revision
  const mark = { revision: marked, at: now, countedMs: countedNow(marks, now, rules) }
  const oldest = newestMarkOlderThan(marks, { now, ageMs: longestAgeMs, rules })
  const kept = marks.slice(oldest === undefined ? 0 : marks.indexOf(oldest))
  const before = kept.at(-2)
  const isClose =
    last !== undefined && before !== undefined && last.legacy === undefined && before.legacy === undefined
      ? mark.countedMs - before.countedMs < longestAgeMs / MARKS_PER_AGE
      : false
  return [...(isClose ? kept.slice(0, -1) : kept), mark]
}
