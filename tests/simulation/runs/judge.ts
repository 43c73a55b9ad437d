/**
 * The judge: from what really happened and what a tracker said, what it missed, where it cried wolf, and how good its ETAs were. It knows
 * nothing of how a tracker works.
 *
 * @module
 */

import type { Eta, Final, Observed, Seen } from './drive.ts'
import {
  DAY_MS,
  HOUR_MS,
  keyOf,
  MINUTE_MS,
  normalMs,
  productKey,
  START,
  type ClockJump,
  type Injection,
  type TrueRun,
} from './truth.ts'

/** A run that is complete so many times the weather after it, or never, has to be found. What lies between may be told or not. */
const LATE = 3
/** It has to be told within so many times the weather after the usual end. */
const TELL_WITHIN = 2.25
/** False alarms in 1,000 runs. */
const MOST_FALSE = 1
/** Shares of ETAs whose interval of 80 % holds. */
const LEAST_HELD = 0.75
const MOST_HELD = 0.85
/** A run is closed at the latest so long after its nominal time. */
const CLOSE_WITHIN_MS = 36 * HOUR_MS
/** With so many earlier runs a tracker must know what is usual, unless more than so many of the last seven were odd. */
const LEARNED_RUNS = 8
const MOST_ODD = 2
/** For so many runs after a change of the schedule an alarm is right, because it could be a loss. */
const CHANGE_RUNS = 4
/** A transition's time and the truth may differ so much: the ticks. */
const TICK_MS = 60_000

/** What the judge says. */
export interface Verdict {
  /** Runs of the schedule. */
  readonly runs: number
  /** Injected losses and latenesses that a tracker had to find, and those that it told in time. */
  readonly mustFind: number
  readonly found: number
  /** Others of which that could not be asked, because most of the week before was disturbed. */
  readonly unjudged: number
  /** One line for each that it did not find, or too late. */
  readonly missed: readonly string[]
  /** One line for each run with an alarm that nothing justified. */
  readonly falseAlarms: readonly string[]
  readonly falseAlarmsPerThousand: number
  /** Runs with an alarm in the first days after a change. */
  readonly changeAlarms: number
  /** Whatever else is not as it was: counts, lists, completions, doubled or lacking transitions. */
  readonly wrong: readonly string[]
  readonly eta: EtaFigures
  /** Minutes after the usual end at which losses and latenesses were told: median and most. */
  readonly told: { readonly middle: number; readonly most: number }
}

/** How good ETAs were. */
export interface EtaFigures {
  readonly asked: number
  /** Not answered although enough was known. */
  readonly unanswered: number
  /** Share of answers whose interval held. */
  readonly held: number
  /** Median of the intervals. */
  readonly widthMinutes: number
  /** Shares of completions before and after the interval. */
  readonly before: number
  readonly after: number
}

/** Judges what was observed. */
export function judge(observed: Observed): Verdict {
  const told = Map.groupBy(observed.seen, ({ key }) => key)
  const book: Book = {
    missed: [],
    falseAlarms: [],
    wrong: [],
    told: [],
    mustFind: 0,
    unjudged: 0,
    changeAlarms: 0,
    runs: 0,
  }
  for (const run of observed.truth.values()) judgeRun(run, told.get(run.key) ?? [], observed, book)
  for (const final of observed.finals) judgeFinal(final, book)
  const ends = lastDays(observed.truth)
  for (const [key, seen] of told)
    if (!observed.truth.has(key) && dayOf(seen) < observed.days) judgePhantom(key, seen, ends, book)
  const tellings = book.told.toSorted((one, other) => one - other)
  return {
    runs: book.runs,
    mustFind: book.mustFind,
    found: book.mustFind - book.missed.length,
    unjudged: book.unjudged,
    missed: book.missed,
    falseAlarms: book.falseAlarms,
    falseAlarmsPerThousand: (1000 * book.falseAlarms.length) / Math.max(1, book.runs),
    changeAlarms: book.changeAlarms,
    wrong: book.wrong,
    eta: judgeEtas(observed.etas),
    told: { middle: tellings[tellings.length >> 1] ?? 0, most: tellings.at(-1) ?? 0 },
  }
}

/** What is held against a tracker, in a word each: nothing where it is good enough. */
export function faultsOf({ missed, falseAlarmsPerThousand, wrong, eta }: Verdict): string[] {
  return [
    ...(missed.length > 0 ? ['missed'] : []),
    ...(falseAlarmsPerThousand > MOST_FALSE ? ['false alarms'] : []),
    ...(wrong.length > 0 ? ['wrong'] : []),
    ...(eta.held < LEAST_HELD || eta.held > MOST_HELD || eta.unanswered > 0 ? ['eta'] : []),
  ]
}

interface Book {
  readonly missed: string[]
  readonly falseAlarms: string[]
  readonly wrong: string[]
  readonly told: number[]
  mustFind: number
  unjudged: number
  changeAlarms: number
  runs: number
}

const isAlarm = ({ state }: Seen): boolean => state === 'late' || state === 'incomplete'

function judgeRun(run: TrueRun, seen: readonly Seen[], { jumps, weather }: Observed, book: Book): void {
  const alarms = seen.filter(isAlarm)
  judgeOnce(run, seen, book)
  if (run.odd !== undefined) {
    if (alarms.length > 0) book.falseAlarms.push(`${run.odd} ${run.key}: ${describe(alarms)}`)
    return
  }
  book.runs++
  const normal = normalMs(weather)
  const isDisturbedByClock = jumps.some((jump) => isNear(run, jump))
  const isChanging = run.earlier > 0 && run.sinceChange < CHANGE_RUNS && run.earlier !== run.sinceChange
  const delay = (run.completeAt ?? Number.POSITIVE_INFINITY) - run.usualEnd
  const hasHistory = run.earlier >= LEARNED_RUNS && run.sinceChange >= LEARNED_RUNS && !isDisturbedByClock
  const knows = hasHistory && run.oddBefore <= MOST_ODD
  if (delay >= LATE * normal) {
    if (knows) judgeLoss(run, seen, { within: TELL_WITHIN * normal, book })
    else if (hasHistory) book.unjudged++
    return
  }
  // What an outage of the centre held up for less than that may be told or not.
  const isHeldUp = run.injected.has('outage') && delay > normalMs(1)
  if (alarms.length > 0 && delay <= normal && !isDisturbedByClock && !isHeldUp) {
    if (isChanging) book.changeAlarms++
    else book.falseAlarms.push(`${run.key} (${cause(run, delay)}): ${describe(alarms)}`)
  }
  if (knows) judgeCompletion(run, seen, book)
}

/** Whether what a wrong clock does to due times concerns this run. */
function isNear({ usualEnd }: TrueRun, { from, to, byMs }: ClockJump): boolean {
  const around = Math.abs(byMs) + HOUR_MS
  return usualEnd >= from - around && usualEnd <= to + around
}

/** No transition comes twice, none in a wrong order, and what began was told. */
function judgeOnce(run: TrueRun, seen: readonly Seen[], book: Book): void {
  const states = seen.map(({ state }) => state)
  const say = (what: string): void => void book.wrong.push(`${run.key}: ${what} (${states.join(', ')})`)
  if (new Set(states).size !== states.length) say('a transition twice')
  if (states.includes('recovered') && states.includes('complete')) say('recovered and complete')
  if (states.includes('recovered') && states.indexOf('recovered') < states.indexOf('late'))
    say('recovered before it was late')
  if (states.includes('recovered') && !states.includes('late')) say('recovered, but it never was late')
  if (run.odd === undefined && run.firstAt !== undefined && !states.includes('started'))
    say('it never started')
  if (run.firstAt === undefined && states.includes('started')) say('started, but nothing came')
}

/** A run that is late, lacks something, or never came. */
function judgeLoss(
  run: TrueRun,
  seen: readonly Seen[],
  { within, book }: { readonly within: number; readonly book: Book },
): void {
  book.mustFind++
  const late = seen.find(({ state }) => state === 'late')
  const what = `${run.key} (${[...run.injected].join(', ')}; ${run.missing.length} of ${run.products.length} missing)`
  if (late === undefined || late.toldAt > run.usualEnd + within) {
    const when =
      late === undefined ? 'not told' : `told ${minutes(late.toldAt - run.usualEnd)} after its usual end`
    book.missed.push(`${what}: ${when}`)
    return
  }
  book.told.push((late.toldAt - run.usualEnd) / MINUTE_MS)
  if (run.completeAt !== undefined) {
    const recovered = seen.find(({ state }) => state === 'recovered')
    if (recovered === undefined) book.wrong.push(`${what}: never recovered, but it was complete`)
    else if (Math.abs(recovered.at - run.completeAt) > TICK_MS)
      book.wrong.push(`${what}: recovered ${minutes(recovered.at - run.completeAt)} after it was complete`)
    return
  }
  const closed = seen.find(({ state }) => state === 'incomplete')
  if (closed === undefined || closed.toldAt > run.nominal + CLOSE_WITHIN_MS) {
    book.wrong.push(`${what}: not closed as incomplete`)
    return
  }
  if (closed.missing !== run.missing.length)
    book.wrong.push(`${what}: ${closed.missing} are said to be missing`)
  const missing = run.missing.map(productKey).toSorted()
  if (closed.missingProducts !== undefined && closed.missingProducts.join() !== missing.join())
    book.wrong.push(`${what}: others are said to be missing: ${closed.missingProducts.slice(0, 5).join()}`)
}

/** A run that is complete has to be told so, at that moment, with the right counts. */
function judgeCompletion(run: TrueRun, seen: readonly Seen[], book: Book): void {
  const done = seen.find(({ state }) => state === 'complete' || state === 'recovered')
  const say = (what: string): void =>
    void book.wrong.push(`${run.key} (${[...run.injected].join(', ')}): ${what}`)
  if (done === undefined) return say('never complete, but it was')
  if (run.completeAt !== undefined && Math.abs(done.at - run.completeAt) > TICK_MS)
    say(`complete ${minutes(done.at - run.completeAt)} after the truth`)
  if (done.received !== run.products.length || done.expected !== run.products.length)
    say(`${done.received} of ${done.expected} received, in truth ${run.products.length}`)
}

/** What is said when all is over: what is there, what lacks, what came again. */
function judgeFinal({ run, received, repeated, missing }: Final, book: Book): void {
  if (run.odd !== undefined || run.earlier < LEARNED_RUNS || run.sinceChange < LEARNED_RUNS) return
  const there = run.products.length - run.missing.length
  if (
    run.oddBefore > MOST_ODD ||
    (received === there && missing === run.missing.length && repeated === run.repeated)
  )
    return
  book.wrong.push(
    `${run.key} (${[...run.injected].join(', ')}): in the end ${received} received, ${missing} missing, ${repeated} repeated; in truth ${there}, ${run.missing.length}, ${run.repeated}`,
  )
}

/** Configuration (a key without its date) → the last day that it has a run. */
function lastDays(truth: ReadonlyMap<string, TrueRun>): Map<string, number> {
  const ends = new Map<string, number>()
  for (const { event, fields, configuration } of truth.values())
    if (configuration !== undefined) ends.set(keyOf(event, { ...fields, date: '' }), configuration.until)
  return ends
}

/** A run that the tracker invented. In the first days after a configuration ended that is right. */
function judgePhantom(
  key: string,
  seen: readonly Seen[],
  ends: ReadonlyMap<string, number>,
  book: Book,
): void {
  const until = ends.get(key.replace(`|${seen[0]?.date ?? ''}|`, '||')) ?? 0
  const day = dayOf(seen)
  if (day >= until && day < until + CHANGE_RUNS) book.changeAlarms++
  else if (seen.some(isAlarm)) book.falseAlarms.push(`${key} (there was no such run): ${describe(seen)}`)
  else book.wrong.push(`${key}: there was no such run (${describe(seen)})`)
}

/** Day of the simulation that the run's date names. */
function dayOf([first]: readonly Seen[]): number {
  const date = (first?.date ?? '').replace(/^(....)(..)(..)$/, '$1-$2-$3')
  return (Date.parse(date) - START) / DAY_MS
}

/** Injections after which nothing tells when a run will end. */
const UNFORESEEABLE: readonly Injection[] = [
  'stuck',
  'outage',
  'missing-products',
  'missing-run',
  'deleted',
  'reverse',
]

function judgeEtas(etas: readonly Eta[]): EtaFigures {
  const judged = etas.filter(
    ({ run }) =>
      run.completeAt !== undefined &&
      run.earlier >= LEARNED_RUNS &&
      run.sinceChange >= LEARNED_RUNS &&
      UNFORESEEABLE.every((injection) => !run.injected.has(injection)),
  )
  const answers = judged.flatMap(({ run, interval }) =>
    interval === undefined || run.completeAt === undefined ? [] : [{ ...interval, truth: run.completeAt }],
  )
  const share = (count: number): number => count / Math.max(1, answers.length)
  const widths = answers.map(({ from, to }) => to - from).toSorted((one, other) => one - other)
  const before = answers.filter(({ truth, from }) => truth < from).length
  const after = answers.filter(({ truth, to }) => truth > to).length
  return {
    asked: judged.length,
    unanswered: judged.length - answers.length,
    held: share(answers.length - before - after),
    widthMinutes: (widths[widths.length >> 1] ?? 0) / MINUTE_MS,
    before: share(before),
    after: share(after),
  }
}

/** How two courses of the same simulation differ: nothing, if they said the same. Repetitions after a restart are left out. */
export function differences(one: readonly Seen[], other: readonly Seen[]): string[] {
  const lines = (seen: readonly Seen[]): Set<string> =>
    new Set(
      seen.map(
        ({ key, state, at, received, expected, missing }) =>
          `${key} ${state} at ${new Date(at).toISOString()}: ${received} of ${expected}, ${missing} missing`,
      ),
    )
  const [first, second] = [lines(one), lines(other)]
  return [
    ...[...first].filter((line) => !second.has(line)).map((line) => `only the first: ${line}`),
    ...[...second].filter((line) => !first.has(line)).map((line) => `only the second: ${line}`),
  ]
}

const describe = (seen: readonly Seen[]): string =>
  seen
    .map(({ state, at, missing }) => `${state} ${new Date(at).toISOString().slice(5, 16)} ${missing} missing`)
    .join(', ')
const minutes = (ms: number): string => `${Math.round(ms / MINUTE_MS)} min`
const cause = ({ injected }: TrueRun, delay: number): string =>
  [...injected, `complete ${minutes(delay)} after its usual end`].join(', ')
