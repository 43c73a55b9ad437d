/**
 * What goes wrong in a simulation, and when: drawn from the seed, before anything happens.
 *
 * @module
 */

import { createDice, type Dice } from '../../support/dice.ts'
import type { Configuration, Hour } from './schedule.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, START, type ClockJump, type Injection } from './truth.ts'

/** Lateness is injected for so long: what is shorter could be weather. */
export const LEAST_LATENESS_MS = 60 * MINUTE_MS
const MOST_LATENESS_MS = 6 * HOUR_MS
/** Days before this one are quiet, so that there is something to learn from. */
const FIRST_DAY = 3

/** A time in which nothing leaves the centre. */
export interface Outage {
  readonly from: number
  readonly to: number
}

/** What is done to one run. */
export interface Plan {
  readonly injected: ReadonlySet<Injection>
  readonly lateByMs: number
  /** Share of the run after which it is stuck, or after which products are deleted. */
  readonly fromShare: number
  /** Share of its products that are missing; at least one is. */
  readonly missingShare: number
  readonly dice: Dice
}

/** All that is planned. */
export interface Injections {
  readonly outages: readonly Outage[]
  readonly jumps: readonly ClockJump[]
  /** Days on which so many runs of last year are published, at some minute of the day. */
  readonly backFills: readonly { readonly day: number; readonly minute: number }[]
  /** Times at which runs come whose date does not exist. */
  readonly noSuchDates: readonly number[]
  /** When a flood of run keys begins, which takes an hour. */
  readonly floodAt: number
  plan(configuration: Configuration, number: number, day: number): Plan
}

/** How much is injected. */
export interface Rates {
  readonly days: number
  /** Probability for each run of each of the disturbances that must be found. */
  readonly loss: number
  /** Whether clocks are wrong for minutes. */
  readonly jumps: boolean
}

/** Draws everything. */
export function createInjections({ days, loss, jumps }: Rates, seed: number): Injections {
  const dice = createDice(seed).fork('centre')
  const outage = (day: number, hour: number): Outage => {
    const from = START + day * DAY_MS + hour * HOUR_MS + dice.whole(0, 59) * MINUTE_MS
    return { from, to: from + dice.whole(90, 300) * MINUTE_MS }
  }
  // Whole nominal times: late twice, missing once.
  const late = new Map<string, number>(
    [14, 41].map((day) => [`${day}/${dice.pick(HOURS)}`, dice.whole(60, 300) * MINUTE_MS] as const),
  )
  const missing = `26/${dice.pick(HOURS)}`
  const jump = (day: number, hour: number, lasts: number, by: number): ClockJump => {
    const from = START + day * DAY_MS + hour * HOUR_MS
    return { from, to: from + lasts * MINUTE_MS, byMs: by * MINUTE_MS }
  }
  return {
    outages: [outage(12, 5), outage(31, 18), outage(50, 6)],
    jumps: jumps ? [jump(28, 6.5, 5, 120), jump(37, 18.2, 10, -60)] : [],
    backFills: [11, 20, 33, 48].map((day) => ({ day, minute: dice.whole(0, 1439) })),
    noSuchDates: [13, 44].map((day) => START + day * DAY_MS + dice.whole(0, 23) * HOUR_MS),
    floodAt: START + 23 * DAY_MS + 17 * HOUR_MS,
    plan: (configuration, number, day) => {
      const own = createDice(seed + day * 7919).fork(`run ${number}`)
      const injected = drawInjections(own, loss, day)
      const group = `${day}/${configuration.hour}`
      const lateByMs = late.get(group)
      if (group === missing || isLostTwice(number, day)) injected.add('missing-run')
      if (day >= days - 7 && configuration.stream === 'wees') injected.add('missing-run')
      if (lateByMs !== undefined) injected.add('late')
      return {
        injected,
        lateByMs:
          lateByMs ?? own.whole(LEAST_LATENESS_MS / MINUTE_MS, MOST_LATENESS_MS / MINUTE_MS) * MINUTE_MS,
        fromShare: 0.2 + 0.6 * own.fraction(),
        missingShare: own.chance(0.6) ? 0 : 0.35 * own.fraction(),
        dice: own,
      }
    },
  }
}

const HOURS: readonly Hour[] = ['00', '06', '12', '18']

/** Some configurations lose their runs on two days in succession: still a loss, not a new schedule. */
function isLostTwice(number: number, day: number): boolean {
  return number % 23 === 7 && (day === 17 || day === 18)
}

function drawInjections(dice: Dice, loss: number, day: number): Set<Injection> {
  const injected = new Set<Injection>()
  if (day < FIRST_DAY) return injected
  // At most one of those that change how the run must be judged.
  const grave = dice.weighted<Injection | undefined>([
    { item: undefined, weight: 1 - 4 * loss },
    { item: 'late', weight: loss },
    { item: 'stuck', weight: loss },
    { item: 'missing-products', weight: loss * 1.2 },
    { item: 'missing-run', weight: loss * 0.8 },
  ])
  if (grave !== undefined) injected.add(grave)
  for (const [injection, chance] of HARMLESS) if (dice.chance(chance)) injected.add(injection)
  return injected
}

const HARMLESS: readonly (readonly [Injection, number])[] = [
  ['duplicates', 0.08],
  ['republished', 0.02],
  ['republished-days-later', 0.01],
  ['reverse', 0.01],
  ['deleted', 0.005],
]
