/**
 * Plays the schedule day by day, with weather and with what is injected, and keeps the truth.
 *
 * @module
 */

import { createDice, type Dice } from '../../support/dice.ts'
import { createInjections, type Injections, type Plan } from './injections.ts'
import { floodOf, backFillOf, noSuchDate } from './odd_runs.ts'
import { createSchedule, type Configuration, type Product, type Shape, type Size } from './schedule.ts'
import {
  DAY_MS,
  dateOf,
  HOUR_MS,
  keyOf,
  MINUTE_MS,
  normalMs,
  productKey,
  START,
  type Arrival,
  type ClockJump,
  type Fields,
  type Injection,
  type TrueRun,
} from './truth.ts'

/** What is played. */
export interface Options {
  readonly seed: number
  readonly days: number
  readonly size: Size
  /** See `Rates` in injections.ts. */
  readonly loss: number
  readonly jumps: boolean
  /** How rough the weather is: times of delays and of differences in pace. 1 is what the judge calls normal. */
  readonly weather: number
  /** Run keys of the flood. */
  readonly flood: number
}

/** A simulation: the same options give the same, as often as it is played. */
export interface Simulation {
  readonly configurations: readonly Configuration[]
  readonly jumps: readonly ClockJump[]
  readonly days: number
  readonly weather: number
  /** Plays it. Runs are handed to `onRun` before their first product comes; also those of which nothing comes. */
  play(onRun: (run: TrueRun) => void): Generator<readonly Arrival[]>
}

/** Something that happens to a product of the run that is being made. */
interface Event {
  readonly at: number
  readonly index: number
  readonly kind: Arrival['kind']
}

/** A run that is being made. */
interface Draft {
  readonly configuration: Configuration
  readonly shape: Shape
  readonly nominal: number
  readonly plan: Plan
  readonly injected: Set<Injection>
  readonly weather: Weather
}

/** How the day goes for a nominal time and a stream. */
interface Weather {
  readonly delayMs: number
  /** A run takes so many times as long as usual. */
  readonly pace: number
}

/** Days after the last one in which products of its runs still come. */
const TAIL_DAYS = 3
const ODD_RUNS = 7
const ASKED_FROM = 0.3
const ASKED_UNTIL = 0.95

export function createSimulation(options: Options): Simulation {
  const configurations = createSchedule(options.size, options.seed)
  const injections = createInjections(options, options.seed)
  return {
    configurations,
    jumps: injections.jumps,
    days: options.days,
    weather: options.weather,
    *play(onRun) {
      const runs = configurations.map((): Count => ({ earlier: 0, sinceChange: 0, odd: [] }))
      let pending: Arrival[] = []
      for (let day = 0; day < options.days + TAIL_DAYS; day++) {
        const made = day < options.days ? makeDay(day, { options, configurations, injections, runs }) : []
        for (const { run, arrivals } of made) {
          onRun(run)
          for (const arrival of arrivals) pending.push(arrival)
        }
        pending.sort((one, other) => one.at - other.at)
        const end = START + (day + 1) * DAY_MS
        const first = pending.findIndex(({ at }) => at >= end)
        const today = first === -1 ? pending : pending.slice(0, first)
        pending = first === -1 ? [] : pending.slice(first)
        yield today
      }
    },
  }
}

/** The same simulation, made once and kept, to be played often. */
export function keepSimulation(simulation: Simulation): Simulation {
  const runs: TrueRun[] = []
  const days = [...simulation.play((run) => runs.push(run))]
  return {
    ...simulation,
    *play(onRun) {
      runs.forEach(onRun)
      yield* days
    },
  }
}

interface Made {
  readonly run: TrueRun
  readonly arrivals: readonly Arrival[]
}

interface Parts {
  readonly options: Options
  readonly configurations: readonly Configuration[]
  readonly injections: Injections
  readonly runs: readonly Count[]
}

/** What came before, of a configuration. */
interface Count {
  earlier: number
  sinceChange: number
  /** Of the last runs, whether they were odd. */
  readonly odd: boolean[]
}

function makeDay(day: number, { options, configurations, injections, runs }: Parts): Made[] {
  const made: Made[] = []
  configurations.forEach((configuration, number) => {
    const count = runs[number]
    const { from, until, runsOn, shapes, hour } = configuration
    if (count === undefined || day < from || day >= until) return
    const nominal = START + day * DAY_MS + Number(hour) * HOUR_MS
    if (!runsOn(new Date(nominal))) return
    const shape = shapes.findLast((one) => one.from <= day)
    if (shape === undefined) return
    if (shape.from === day) count.sinceChange = 0
    const plan = injections.plan(configuration, number, day)
    const weather = weatherOf(configuration, day, options)
    const draft = { configuration, shape, nominal, plan, injected: new Set(plan.injected), weather }
    const one = makeRun(draft, injections, count)
    made.push(one)
    count.odd.push(
      (one.run.completeAt ?? Number.POSITIVE_INFINITY) - one.run.usualEnd > normalMs(options.weather),
    )
    if (count.odd.length > ODD_RUNS) count.odd.shift()
    if (one.run.firstAt === undefined) return
    count.earlier++
    count.sinceChange++
  })
  const odd = createDice(options.seed + day).fork('odd runs')
  for (const { day: backDay, minute } of injections.backFills)
    if (backDay === day)
      for (const configuration of configurations.filter((_, number) => number % 17 === day % 17))
        made.push(backFillOf(configuration, START + day * DAY_MS + minute * MINUTE_MS))
  const isToday = (at: number): boolean => at >= START + day * DAY_MS && at < START + (day + 1) * DAY_MS
  for (const at of injections.noSuchDates) if (isToday(at)) made.push(noSuchDate(at))
  if (isToday(injections.floodAt)) made.push(...floodOf(injections.floodAt, options.flood, odd))
  return made
}

/** Weather is the same for all configurations of a nominal time and stream: a late model is late for all its destinations. */
function weatherOf({ hour, stream }: Configuration, day: number, { seed, weather }: Options): Weather {
  const centre = createDice(seed + day * 104_729).fork(`weather ${hour}`)
  const own = centre.fork(stream)
  const centreMinutes = clamp(2.5 * (Math.exp(0.7 * normal(centre)) - 1), -2, 10)
  return {
    delayMs: weather * (centreMinutes + clamp(normal(own), -2, 2)) * MINUTE_MS,
    pace: 1 + weather * clamp(0.025 * normal(own), -0.06, 0.06),
  }
}

function makeRun(draft: Draft, injections: Injections, { earlier, sinceChange, odd }: Count): Made {
  const { configuration, shape, nominal, injected } = draft
  const { event, hour, stream } = configuration
  const day = Math.floor((nominal - START) / DAY_MS)
  const fields: Fields = { ...configuration.fields, date: dateOf(day) }
  const products = shape.products.map((product) => product.fields)
  const also = configuration.beside.map((product) => product.fields)
  const events = happen(draft, injections)
  const truth = replay(events, products.length)
  const last = Math.max(...shape.products.map(({ minute }) => minute))
  const run: TrueRun = {
    key: keyOf(event, fields),
    event,
    fields,
    day,
    configuration,
    odd: undefined,
    products,
    nominal,
    usualEnd: nominal + last * MINUTE_MS,
    injected,
    firstAt: events[0]?.at,
    completeAt: truth.completeAt,
    missing: products.filter((_, index) => !truth.everCame.has(index)),
    repeated: truth.repeated,
    earlier,
    sinceChange,
    oddBefore: odd.filter(Boolean).length,
  }
  const asked =
    ASKED_FROM + (ASKED_UNTIL - ASKED_FROM) * draft.plan.dice.fork(`ask ${hour} ${stream}`).fraction()
  // Not when the last one has come: then there is nothing to ask.
  const asksAt = truth.order.slice(0, products.length - 1)[Math.floor(asked * products.length)]
  return {
    run,
    arrivals: events.map(({ at, index, kind }, position) => ({
      at,
      run,
      kind,
      product: products[index] ?? also[index - products.length] ?? {},
      asks: position === asksAt,
    })),
  }
}

/** Everything that happens to the products of a run, in order. A product that is not expected has an index behind the expected ones. */
function happen(draft: Draft, injections: Injections): Event[] {
  const { plan, injected, shape, configuration } = draft
  if (injected.has('missing-run')) return []
  const times = usualTimes(draft)
  disturb(times, draft)
  const lost = injected.has('missing-products')
    ? lostProducts(shape.products.length, plan)
    : new Set<number>()
  const events: Event[] = []
  times.forEach((at, index) => {
    if (!lost.has(index)) events.push({ at, index, kind: 'published' })
  })
  configuration.beside.forEach((product, position) => {
    if (!plan.dice.chance(product.chance)) return
    const same = shape.products.findIndex(({ fields }) => productKey(fields) === productKey(product.fields))
    const at = timeOf(draft, product) + (injected.has('late') ? plan.lateByMs : 0)
    if (!lost.has(same))
      events.push({ at, index: same === -1 ? shape.products.length + position : same, kind: 'published' })
  })
  repeat(events, draft)
  const shifted = events.map((event) => ({ ...event, at: afterOutages(event.at, injections, injected) }))
  return shifted.toSorted((one, other) => one.at - other.at)
}

function usualTimes(draft: Draft): number[] {
  return draft.shape.products.map((product) => timeOf(draft, product))
}

/** When a product comes on a day of such weather. */
function timeOf({ nominal, shape, weather, plan, configuration }: Draft, { minute }: Product): number {
  const first = shape.products[0]?.minute ?? 0
  const jitterMs = Math.min(60_000, -15_000 * Math.log(1 - plan.dice.fraction()))
  const at = nominal + weather.delayMs + (first + (minute - first) * weather.pace) * MINUTE_MS + jitterMs
  const batchMs = configuration.batchMinutes * MINUTE_MS
  // Whole milliseconds, as stores keep them.
  return batchMs === 0 ? Math.round(at) : Math.ceil(at / batchMs) * batchMs + Math.round(jitterMs / 10)
}

function disturb(times: number[], { plan, injected }: Draft): void {
  if (injected.has('late')) times.forEach((at, index) => (times[index] = at + plan.lateByMs))
  if (injected.has('reverse')) {
    const sorted = times.toSorted((one, other) => other - one)
    sorted.forEach((at, index) => (times[index] = at))
  }
  if (injected.has('stuck')) {
    const from = times.toSorted((one, other) => one - other)[Math.floor(plan.fromShare * times.length)] ?? 0
    times.forEach((at, index) => (times[index] = at >= from ? at + plan.lateByMs : at))
  }
}

/** Some products here and there, or a row of them. */
function lostProducts(count: number, { missingShare, dice }: Plan): Set<number> {
  const some = Math.max(1, Math.floor(missingShare * count))
  if (dice.chance(0.5)) {
    const from = dice.whole(0, count - some)
    return new Set(Array.from({ length: some }, (_, index) => from + index))
  }
  return new Set(Array.from({ length: some }, () => dice.whole(0, count - 1)))
}

/** Adds what comes more than once, and what is deleted and comes again. */
function repeat(events: Event[], { plan, injected }: Draft): void {
  const { dice, fromShare } = plan
  const first = [...events]
  const end = Math.max(0, ...first.map(({ at }) => at))
  if (injected.has('duplicates'))
    for (const event of first)
      if (dice.chance(0.2)) events.push({ ...event, at: event.at + dice.whole(1, 600_000) })
  const again = (afterMs: number): void => {
    for (const event of first) events.push({ ...event, at: event.at + afterMs })
  }
  const spanMs = end - Math.min(end, ...first.map(({ at }) => at))
  if (injected.has('republished')) again(spanMs + dice.whole(60, 300) * MINUTE_MS)
  if (injected.has('republished-days-later')) again(spanMs + dice.whole(30, 50) * HOUR_MS)
  if (!injected.has('deleted')) return
  // A few products that have come are deleted before the run is complete, and published again a quarter of an hour later.
  const sorted = first.toSorted((one, other) => one.at - other.at)
  const position = Math.floor(fromShare * sorted.length)
  const moment = sorted[position]
  if (moment === undefined) return
  for (const event of sorted.slice(Math.max(0, position - 3), position)) {
    events.push({ ...event, at: moment.at + 1, kind: 'deleted' })
    events.push({ ...event, at: moment.at + 15 * MINUTE_MS })
  }
}

/** What would come during an outage comes after it, five times as fast. */
function afterOutages(at: number, { outages }: Injections, injected: Set<Injection>): number {
  for (const { from, to } of outages) {
    if (at < from || at >= to) continue
    injected.add('outage')
    return to + Math.round((at - from) / 5)
  }
  return at
}

/** Reads the events as a patient observer would. */
function replay(
  events: readonly Event[],
  expected: number,
): {
  readonly completeAt: number | undefined
  readonly everCame: ReadonlySet<number>
  readonly repeated: number
  /** Positions of the events that brought an expected product for the first time. */
  readonly order: readonly number[]
} {
  const there = new Set<number>()
  const everCame = new Set<number>()
  const extra = new Set<number>()
  const order: number[] = []
  let completeAt: number | undefined
  let repeated = 0
  events.forEach(({ at, index, kind }, position) => {
    if (kind === 'deleted') {
      there.delete(index)
      return
    }
    if (there.has(index)) repeated++
    there.add(index)
    if (index >= expected) {
      extra.add(index)
      return
    }
    if (!everCame.has(index)) order.push(position)
    everCame.add(index)
    if (there.size - extra.size === expected) completeAt ??= at
  })
  return { completeAt, everCame, repeated, order }
}

function normal(dice: Dice): number {
  return Math.sqrt(-2 * Math.log(1 - dice.fraction())) * Math.cos(2 * Math.PI * dice.fraction())
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
