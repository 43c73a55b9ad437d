/**
 * What is expected of a run, and when: from the configuration and from the finished runs of the same slot.
 *
 * A plan depends only on finished runs, and only on those that were finished when the run began. So it is the same after a restart.
 *
 * @module
 */

import { arrivalIn, originOf, timesOf, type ArrivalTimes, type Run, type Slot } from './run_record.ts'
import type { ExpectedGroup } from './expectation.ts'
import { MAX_LEARNED } from './expectation_shape.ts'
import { median, medianOfFew, spread } from './statistics.ts'

/** What is expected of a run. Times are in seconds after the nominal time. */
export interface Plan {
  /** Indexes of the expected products; `undefined`: any will do, or nothing is known. */
  readonly expected: readonly number[] | undefined
  /** How many are expected; `null`: nothing is known. */
  readonly count: number | null
  /** When each of `expected` is due, in the same order; `NaN`: no time is known. */
  readonly due: Float64Array | undefined
  /** When the run is due. */
  readonly dueAll: number | undefined
  readonly usualFirst: number | undefined
  readonly usualEnd: number | undefined
  /** How many runs were learned from, where that is not enough. */
  readonly learning: { readonly runs: number; readonly needed: number } | null
  /** The finished runs that were learned from, oldest first. */
  readonly history: readonly Run[]
  /** When each of them had all that is expected, as far as it came; `NaN`: nothing did. */
  readonly ends: Float64Array
}

/** A run that is this much later than usual is late, however regular its runs are. */
const MIN_MARGIN_SECONDS = 1_200
/** The margin, in standard deviations of how runs differ from day to day. */
const MARGIN_DEVIATIONS = 5
/** A product that was not in so many runs in a row does not come any more. */
const GONE_AFTER = 3
const WEEK_RUNS = 7
/** A product of all the same days of so many weeks is a weekly habit: three could be chance, among many products that come now and then. */
const WEEKLY_LOOK = 4

/** The finished runs that a run which begins at a moment may be compared with, oldest first. */
export function historyOf(
  slot: Slot,
  before: Pick<Run, 'nominal' | 'createdAt' | 'isTimely'>,
): readonly Run[] {
  const found: Run[] = []
  for (let index = slot.runs.length - 1; index >= 0 && found.length < MAX_LEARNED; index--) {
    const run = slot.runs[index]
    if (run === undefined || !isHistory(run, before.createdAt)) continue
    if (before.isTimely && (run.nominal ?? 0) >= (before.nominal ?? 0)) continue
    found.push(run)
  }
  return found.toReversed()
}

function isHistory(run: Run, at: number): boolean {
  return (
    run.isTimely &&
    run.nominal !== undefined &&
    run.firstAt !== undefined &&
    run.closesAt <= at &&
    run.firstAt < run.closesAt
  )
}

/** Makes the plan of a run. */
export function planOf(
  slot: Slot,
  run: Pick<Run, 'nominal' | 'createdAt' | 'isTimely'>,
  indexOf: (key: string) => number,
): Plan {
  const { expected, usual } = slot.expectation
  const history = run.nominal === undefined ? [] : historyOf(slot, run)
  const isKnown = history.length >= usual.runs
  const learning = isKnown ? null : { runs: history.length, needed: usual.runs }
  switch (expected.kind) {
    case 'usual': {
      const learned = isKnown ? usualProducts(slot, history, run.nominal ?? 0) : undefined
      const isEmpty = learned === undefined || learned.length === 0
      const products = isEmpty ? undefined : learned
      return timed(slot, history, { expected: products, count: products?.length ?? null, learning })
    }
    case 'count':
      return timed(slot, history, {
        expected: undefined,
        count: expected.count,
        learning:
          slot.expectation.due === 'usual' && slot.expectation.nominal !== undefined ? learning : null,
      })
    case 'list':
      return listed(slot, { history, learning, indexOf, groups: expected.groups })
  }
}

/** Whether a value of each field is among those that a group is for. */
function isFor(group: ExpectedGroup, slot: Slot): boolean {
  return [...group.where].every(([name, values]) => values.has(slot.fields[name] ?? ''))
}

function listed(
  slot: Slot,
  {
    history,
    learning,
    indexOf,
    groups,
  }: Pick<Plan, 'history' | 'learning'> & {
    readonly indexOf: (key: string) => number
    readonly groups: readonly ExpectedGroup[]
  },
): Plan {
  const dueOf = new Map<number, number>()
  let isLearned = false
  for (const group of groups) {
    if (!isFor(group, slot)) continue
    isLearned ||= group.due === 'usual'
    for (const key of group.products) {
      const index = indexOf(key)
      if (index < 0 || dueOf.has(index)) continue
      dueOf.set(index, group.due === 'usual' ? Number.NaN : group.due / 1000)
    }
  }
  if (dueOf.size === 0) return timed(slot, history, { expected: undefined, count: null, learning: null })
  const hasNominal = slot.expectation.nominal !== undefined
  const plan = {
    expected: [...dueOf.keys()],
    count: dueOf.size,
    learning: isLearned && hasNominal ? learning : null,
  }
  return timed(slot, history, plan, Float64Array.from(dueOf.values()))
}

/** Adds the times. @param fixed The due times that are configured; `NaN`: it is to be learned. */
function timed(
  slot: Slot,
  history: readonly Run[],
  plan: Pick<Plan, 'expected' | 'count' | 'learning'>,
  fixed?: Float64Array,
): Plan {
  const { due: general, usual } = slot.expectation
  const ends = Float64Array.from(history, (run) => endOf(run, plan))
  const ended = history
    .map((run, place) => ({ run, end: ends[place] ?? Number.NaN }))
    .filter(({ end }) => !Number.isNaN(end))
  const { regular: all, margin } = regularRuns(ended)
  const regular = all.slice(-usual.runs)
  const usualEnd = regular.length === 0 ? undefined : median(regular.map(({ end }) => end))
  const firsts = regular.map(({ run }) => ((run.firstAt ?? 0) - originOf(run)) / 1000)
  const usualFirst = firsts.length === 0 ? undefined : median(firsts)
  const isKnown = history.length >= usual.runs && usualEnd !== undefined
  const learnedAll = isKnown ? (usualEnd ?? 0) + margin : undefined
  const result = { ...plan, usualFirst, usualEnd, history, ends }
  if (plan.expected === undefined) {
    const dueAll = general === 'usual' ? learnedAll : general / 1000
    return { ...result, due: undefined, dueAll: plan.count === null ? undefined : dueAll }
  }
  const due = new Float64Array(plan.expected.length)
  let latest = Number.NEGATIVE_INFINITY
  let needsLearned = false
  const times = regular.map(({ run }) => timesOf(run))
  const room = new Float64Array(times.length)
  const asWhole = fixed === undefined && general !== 'usual' ? general / 1000 : undefined
  for (let place = 0; place < due.length; place++) {
    const configured = asWhole ?? fixed?.[place] ?? Number.NaN
    if (Number.isNaN(configured)) {
      needsLearned = true
      due[place] = isKnown ? usualTime(times, plan.expected[place] ?? 0, room) + margin : Number.NaN
    } else {
      due[place] = configured
      latest = Math.max(latest, configured)
    }
  }
  const dueAll = needsLearned ? (learnedAll === undefined ? undefined : Math.max(latest, learnedAll)) : latest
  return { ...result, due, dueAll }
}

/** When the last of the expected products had come, of those that did; `NaN`: none did. */
function endOf(run: Run, plan: Pick<Plan, 'expected' | 'count'>): number {
  if (plan.expected === undefined) return nthArrival(run, plan.count ?? Number.POSITIVE_INFINITY)
  const limit = (run.closesAt - originOf(run)) / 1000
  const times = timesOf(run)
  let end = Number.NEGATIVE_INFINITY
  for (const index of plan.expected) {
    const at = arrivalIn(times, index)
    if (at <= limit && at > end) end = at
  }
  return end === Number.NEGATIVE_INFINITY ? Number.NaN : end
}

function nthArrival(run: Run, count: number): number {
  const all = arrivalsOf(run, undefined)
  return all[Math.min(count, all.length) - 1] ?? Number.NaN
}

/** The times of a finished run's products, sorted. @param expected Indexes; `undefined`: all. */
export function arrivalsOf(run: Run, expected: readonly number[] | undefined): Float64Array {
  return unsortedArrivals(run, expected).sort()
}

/** The same in the order of the products. */
export function unsortedArrivals(run: Run, expected: readonly number[] | undefined): Float64Array {
  const limit = (run.closesAt - originOf(run)) / 1000
  const times = timesOf(run)
  const found = new Float64Array(expected?.length ?? run.codes.length)
  let length = 0
  for (let place = 0; place < found.length; place++) {
    const at = arrivalIn(times, expected === undefined ? place : (expected[place] ?? 0))
    if (at <= limit) found[length++] = at
  }
  return found.subarray(0, length)
}

/** The middle of the times at which a product came. @param room For the times. */
function usualTime(runs: readonly ArrivalTimes[], index: number, room: Float64Array): number {
  let length = 0
  for (const times of runs) {
    const at = arrivalIn(times, index)
    if (!Number.isNaN(at)) room[length++] = at
  }
  return medianOfFew(room, length)
}

/** A finished run, and when it ended. */
interface EndedRun {
  readonly run: Run
  readonly end: number
}

/**
 * The runs that show what is usual now, oldest first: without those that ended at an odd time, until some of the last ones agree on another
 * time. From then on that is the usual time, and the runs before say nothing of it.
 */
function regularRuns(ended: readonly EndedRun[]): {
  readonly regular: readonly EndedRun[]
  readonly margin: number
} {
  const robust = spread(ended.map(({ end }) => end))
  let margin = marginOf(robust)
  for (let pass = 0; pass < PASSES; pass++) {
    const { errors } = partOf(ended, margin)
    if (errors.length < MIN_ERRORS) break
    const squares = errors.reduce((sum, error) => sum + error * error, 0)
    margin = marginOf(Math.min(MOST_OF_ROBUST * robust, Math.sqrt(squares / errors.length)))
  }
  return { regular: partOf(ended, margin).regular, margin }
}

function marginOf(deviation: number): number {
  return Math.max(MIN_MARGIN_SECONDS, MARGIN_DEVIATIONS * deviation)
}

/** The regular runs for a margin, and by how much each missed what was usual before it. */
function partOf(
  ended: readonly EndedRun[],
  margin: number,
): { readonly regular: readonly EndedRun[]; readonly errors: readonly number[] } {
  const errors: number[] = []
  let regular: EndedRun[] = []
  let odd: EndedRun[] = []
  for (const [place, one] of ended.entries()) {
    const level = regular.length === 0 ? one.end : median(regular.slice(-LEVEL_RUNS).map(({ end }) => end))
    if (Math.abs(one.end - level) <= margin) {
      if (regular.length >= MIN_LEVEL_RUNS) errors.push(one.end - level)
      regular.push(one)
      continue
    }
    const latest = ended.slice(Math.max(place + 1 - AGREEING_AMONG, 0), place + 1)
    const agrees = ({ end }: EndedRun): boolean => Math.abs(end - one.end) <= margin
    odd = [...odd.filter((other) => latest.includes(other)), one]
    if (odd.filter(agrees).length < AGREEING_RUNS) continue
    regular = latest.filter(agrees)
    odd = []
  }
  return { regular, errors }
}

/** The deviation of regular runs is at most so many times the robust one, which odd runs do not change. */
const MOST_OF_ROBUST = 1.2
/** How often the margin is made anew from the runs that are regular by the last one. */
const PASSES = 3
/** Fewer say nothing of how runs differ. */
const MIN_ERRORS = 4
/** The middle of fewer is no level to miss. */
const MIN_LEVEL_RUNS = 3

/** So many runs, among the last ones, that end at another time than before, and agree, are a change of the schedule. */
const AGREEING_RUNS = 3
const AGREEING_AMONG = 5
/** The middle of so many is the usual time. */
const LEVEL_RUNS = 7

/**
 * The products that are usual: those of most of the last runs, and those of most of twice as many that have not been away for good. Products
 * that come, or stay away, on one day of the week are usual on their days.
 */
function usualProducts(slot: Slot, history: readonly Run[], nominal: number): readonly number[] {
  const weekly = sameWeekday(history, nominal)
  const { size } = slot.shape
  // A bit for each run that had the product. Most products of a slot were in the same runs, so few answers are needed.
  const cameIn = new Uint32Array(size)
  for (const [place, run] of history.entries()) markCame(cameIn, run, 1 << place)
  const isUsualIn = new Map<number, boolean>()
  const found: number[] = []
  for (let index = 0; index < size; index++) {
    const bits = cameIn[index] ?? 0
    let isFound = isUsualIn.get(bits)
    if (isFound === undefined) {
      const came = Uint8Array.from(history, (_, place) => (bits >>> place) & 1)
      isFound = isUsual(came, slot.expectation.usual, weekly)
      isUsualIn.set(bits, isFound)
    }
    if (isFound) found.push(index)
  }
  return found
}

function markCame(cameIn: Uint32Array, run: Run, bit: number): void {
  const span = run.closesAt - originOf(run)
  const times = timesOf(run)
  const length = Math.min(cameIn.length, run.codes.length)
  for (let index = 0; index < length; index++)
    if (arrivalIn(times, index) * 1000 <= span) cameIn[index] = (cameIn[index] ?? 0) | bit
}

/** Places in the history of the runs of the same day of the week, newest first. */
function sameWeekday(history: readonly Run[], nominal: number): readonly number[] {
  const found: number[] = []
  for (let weeks = 1; weeks <= WEEKLY_LOOK; weeks++) {
    const place = history.findIndex((run) => run.nominal === nominal - weeks * WEEK_MS)
    if (place >= 0) found.push(place)
  }
  return found
}

const WEEK_MS = 7 * 86_400_000

function isUsual(
  came: Uint8Array,
  { runs, quorum }: { readonly runs: number; readonly quorum: number },
  weekly: readonly number[],
): boolean {
  const all = came.length
  const onWeekday = weekly.filter((place) => came[place] === 1).length
  const isDaily =
    share(came, all - runs) >= quorum ||
    (all >= 2 * runs && share(came, all - 2 * runs) >= quorum && share(came, all - GONE_AFTER) > 0)
  if (isDaily) return !(weekly.length >= 2 && onWeekday === 0 && repeatsWeekly(came))
  // Not what was daily until lately.
  return onWeekday === WEEKLY_LOOK && share(came.subarray(0, Math.max(all - WEEK_RUNS, 0)), 0) < 0.5
}

/** Whether the last seven runs had it on the same days as the seven before: what is away at weekends is not missing there. */
function repeatsWeekly(came: Uint8Array): boolean {
  for (let place = came.length - WEEK_RUNS; place < came.length; place++) {
    if (came[place] !== came[place - WEEK_RUNS]) return false
  }
  return true
}

/** Of the runs from a place on, the share that had it. */
function share(came: Uint8Array, from: number): number {
  const start = Math.max(from, 0)
  let sum = 0
  for (let place = start; place < came.length; place++) sum += came[place] ?? 0
  return came.length === start ? 0 : sum / (came.length - start)
}
