/**
 * On which days a slot has a run: so that a run of which nothing comes is noticed.
 *
 * @module
 */

import { DAY_MS, type Slot } from './run_record.ts'

/** A slot that had no run on so many days in a row has ended. */
const GONE_AFTER_DAYS = 3
const WEEK_DAYS = 7
const WEEKS = 4
/** On how many of the same days of the last four weeks a weekly run must have come. */
const WEEKLY_RUNS = 3

/** Whether a run is expected at a nominal time, by the runs that had begun by then. */
export function isDayOfRun(slot: Slot, nominal: number): boolean {
  if (slot.isDaily) return true
  const { runs, quorum } = slot.expectation.usual
  // A flood of names leaves thousands of slots with a run or two, and each is asked every day.
  if (slot.runs.length < Math.min(WEEKLY_RUNS, Math.floor(runs * quorum))) return false
  const days = daysWithRun(slot, nominal, Math.max(WEEKS * WEEK_DAYS, 2 * runs))
  const firstDay = days.lastIndexOf(true)
  const onWeekday = Array.from({ length: WEEKS }, (_, week) => days[(week + 1) * WEEK_DAYS] === true)
  const weekly = onWeekday.filter(Boolean).length
  const isDaily =
    (firstDay >= runs && share(days, runs) >= quorum) ||
    (firstDay >= 2 * runs && share(days, 2 * runs) >= quorum && share(days, GONE_AFTER_DAYS) > 0)
  if (isDaily) return !(onWeekday[0] === false && onWeekday[1] === false && repeatsWeekly(days))
  // Not what was daily until lately.
  const others = days.filter((_, ago) => ago > WEEK_DAYS && ago <= WEEKS * WEEK_DAYS && ago % WEEK_DAYS !== 0)
  return weekly >= WEEKLY_RUNS && others.filter(Boolean).length < others.length / 2
}

/** Whether there was a run so many days before; the first place stands for the day itself. */
function daysWithRun(slot: Slot, nominal: number, count: number): readonly boolean[] {
  const days = Array.from({ length: count + 1 }, () => false)
  for (let index = slot.runs.length - 1; index >= 0; index--) {
    const run = slot.runs[index]
    if (run?.nominal === undefined) continue
    const ago = Math.round((nominal - run.nominal) / DAY_MS)
    if (ago > count) break
    if (ago > 0 && run.isTimely && run.firstAt !== undefined && run.firstAt <= nominal) days[ago] = true
  }
  return days
}

/** The share of the last days that had a run. */
function share(days: readonly boolean[], count: number): number {
  return days.slice(1, count + 1).filter(Boolean).length / count
}

/** Whether the last seven days were like the seven before. */
function repeatsWeekly(days: readonly boolean[]): boolean {
  return Array.from({ length: WEEK_DAYS }, (_, day) => days[day + 1] === days[day + 1 + WEEK_DAYS]).every(
    Boolean,
  )
}
