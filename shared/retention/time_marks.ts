/**
 * Time marks: what an admin knows of when the store's revisions were written, and how old each of them surely is.
 *
 * A mark says: when this clock showed `at`, the store's revision was `revision`. So everything up to that revision is at
 * least as old as the mark. Clocks are not trusted with that: the time from one mark to the next counts only where it is
 * short, so that a clock that is turned, forward or back, by whatever, adds nothing. Time that nobody can vouch for makes
 * everything younger than it is, never older.
 *
 * @module
 */

import type { Revision } from '#shared/store/store.ts'

/** One observation. */
export interface TimeMark {
  readonly revision: Revision
  /** What the clock showed after the revision was read; milliseconds since 1970. */
  readonly at: number
  /** Time counted so far, milliseconds. Only differences mean something. */
  readonly countedMs: number
  /** Taken over from aviso 1.x, whose marks are a day apart. */
  readonly legacy?: true
}

/**
 * Longest time between two marks of aviso 1.x that counts: it marks once a day, and the mark's time is known to a day
 * (see `legacy_history.ts`), plus an hour for a late run.
 */
export const LEGACY_GAP_MS = 49 * 3_600_000

/** Marks closer together than this part of the longest age looked for say nothing new. */
const MARKS_PER_AGE = 256

/** What ages are measured with. */
export interface AgeRules {
  /** Longest time between two marks that counts; longer ones count as nothing. */
  readonly longestGapMs: number
  /** An operator vouches for the time since the last mark, however long it is. */
  readonly isTrusted?: boolean
}

/** What the clock did since the last mark. */
export type ClockStep =
  | 'first'
  | 'steady'
  /** Too long to count: the admin was away, or the clock was turned forward. */
  | 'gap'
  /** The clock was turned back, or that of another admin is ahead. */
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
 * Time counted up to now. A small step back counts as such, so that a clock that wavers gains nothing. A step that does not
 * count takes back what the clock may have wavered by before it, or many such steps could add up.
 */
function countedNow(marks: readonly TimeMark[], now: number, rules: AgeRules): number {
  const last = marks.at(-1)
  if (last === undefined) return 0
  const isSteady = clockStep(marks, now, rules) === 'steady'
  return last.countedMs + (isSteady ? now - last.at : -longestGapAfter(last, rules))
}

/**
 * The newest mark that is surely older than an age: by the longest gap, because a clock may be off by that much unseen.
 */
export function newestMarkOlderThan(
  marks: readonly TimeMark[],
  { now, ageMs, rules }: { readonly now: number; readonly ageMs: number; readonly rules: AgeRules },
): TimeMark | undefined {
  const counted = countedNow(marks, now, rules)
  return marks.findLast((mark) => counted - mark.countedMs >= ageMs + longestGapAfter(mark, rules))
}

/** What {@link addMark} adds, and what may be forgotten. */
export interface NewMark {
  /** The store's revision. */
  readonly head: Revision
  /** What to mark: a revision up to the head. Default: the head. */
  readonly revision?: Revision | undefined
  /** The clock, read after the head was. */
  readonly now: number
  /** Longest age that will ever be looked for. */
  readonly longestAgeMs: number
  readonly rules: AgeRules
}

/**
 * Adds a mark and drops those that no longer serve: all before the newest one that is older than the longest age, and
 * those too close to their neighbours. Dropping a mark makes nothing older.
 *
 * @throws {RangeError} When the store is behind the newest mark: these are not this store's marks.
 */
export function addMark(marks: readonly TimeMark[], added: NewMark): readonly TimeMark[] {
  const { head, revision = head, now, longestAgeMs, rules } = added
  const last = marks.at(-1)
  if (last !== undefined && head < last.revision) {
    throw new RangeError(`The store is at revision ${head}, before the mark at ${last.revision}`)
  }
  // Another admin may have marked a later one meanwhile, which is as old as this one by now.
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
