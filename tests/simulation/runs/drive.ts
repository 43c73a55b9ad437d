/**
 * Drives a tracker through a simulation: products and ticks in the order of time, restarts, questions for the ETA.
 *
 * @module
 */

import process from 'node:process'
import { memoryUsage } from './measure.ts'
import type { JudgedProduct, JudgedTracker, JudgedTransition, OpenTracker } from './port.ts'
import type { Simulation } from './generate.ts'
import {
  DAY_MS,
  keyOf,
  MINUTE_MS,
  productKey,
  START,
  type Arrival,
  type ClockJump,
  type TrueRun,
} from './truth.ts'

/** A transition as it was seen. */
export interface Seen {
  readonly key: string
  readonly state: JudgedTransition['state']
  /** The transition's own time, and the right time of the tick that returned it. */
  readonly at: number
  readonly toldAt: number
  readonly received: number
  readonly expected: number | null
  readonly missing: number
  /** Keys of missing products: all of them, or undefined where the list was cut. */
  readonly missingProducts: readonly string[] | undefined
  readonly date: string
}

/** An answer to "when will it be complete". */
export interface Eta {
  readonly run: TrueRun
  readonly at: number
  /** Undefined: the tracker did not say. */
  readonly interval: { readonly at: number; readonly from: number; readonly to: number } | undefined
}

/** What a tracker says of a run when all is over. */
export interface Final {
  readonly run: TrueRun
  readonly received: number
  readonly repeated: number
  readonly missing: number
}

/** Everything that was observed. */
export interface Observed {
  readonly truth: ReadonlyMap<string, TrueRun>
  readonly seen: readonly Seen[]
  readonly etas: readonly Eta[]
  /** Of the runs of the last days that it still knows. */
  readonly finals: readonly Final[]
  readonly jumps: readonly ClockJump[]
  readonly weather: number
  /** Days of the schedule. */
  readonly days: number
  readonly products: number
  /** Processor time of the tracker, in microseconds: products and ticks, but neither questions nor restarts. */
  readonly processorMicros: number
  readonly restarts: number
  /** The longest restart by the clock, and the longest in processor time with the products that it took again. */
  readonly longestRestart: { readonly ms: number; readonly processorMs: number; readonly products: number }
  /** At the end: bytes that the tracker held; undefined where memory cannot be measured. */
  readonly heldBytes: number | undefined
}

/** How it is driven. */
export interface Course {
  readonly open: OpenTracker
  readonly tickMs: number
  /** Right times at which the process ends and begins anew. */
  readonly restartsAt?: readonly number[]
  readonly measuresMemory?: boolean
}

/** What the journal keeps, so that a restart can read it again. */
type Entry =
  | { readonly product: JudgedProduct }
  | {
      readonly removed: {
        readonly event: string
        readonly fields: JudgedProduct['fields']
        readonly at: number
      }
      /** Of the run. */
      readonly key: string
    }

const FINAL_DAYS = 20

/** Plays the simulation once, to its end and until every run is closed. */
export function drive(simulation: Simulation, course: Course): Observed {
  return new Driver(simulation, course).run()
}

class Driver {
  readonly #simulation: Simulation
  readonly #course: Course
  readonly #clock: (at: number) => number
  readonly #truth = new Map<string, TrueRun>()
  readonly #ids = new Map<string, string>()
  readonly #seen: Seen[] = []
  readonly #said = new Set<string>()
  readonly #etas: Eta[] = []
  readonly #stored = new Map<string, string>()
  readonly #sequences = new Map<string, number>()
  /** Only where there are restarts. */
  #journal: Entry[] = []
  #tracker: JudgedTracker
  #products = 0
  #processorMicros = 0
  #restarts = 0
  #longest = { ms: 0, processorMs: 0, products: 0 }

  constructor(simulation: Simulation, course: Course) {
    this.#simulation = simulation
    this.#course = course
    this.#clock = (at) =>
      simulation.jumps.reduce((time, { from, to, byMs }) => (at >= from && at < to ? time + byMs : time), at)
    this.#tracker = course.open({ since: START })
  }

  run(): Observed {
    let day = 0
    for (const arrivals of this.#simulation.play((run) => this.#truth.set(run.key, run)))
      this.#playDay(START + DAY_MS * day++, arrivals)
    const finals = this.#finals()
    const heldBytes = this.#course.measuresMemory === true ? this.#measure() : undefined
    return {
      truth: this.#truth,
      seen: this.#seen,
      etas: this.#etas,
      finals,
      jumps: this.#simulation.jumps,
      days: this.#simulation.days,
      weather: this.#simulation.weather,
      products: this.#products,
      processorMicros: this.#processorMicros,
      restarts: this.#restarts,
      longestRestart: this.#longest,
      heldBytes,
    }
  }

  #playDay(from: number, arrivals: readonly Arrival[]): void {
    const entries = arrivals.map((arrival) => this.#toEntry(arrival))
    const { tickMs, restartsAt = [] } = this.#course
    let next = 0
    const started = process.cpuUsage()
    for (let end = from + tickMs; end <= from + DAY_MS; end += tickMs) {
      for (
        let arrival = arrivals[next];
        arrival !== undefined && arrival.at < end;
        arrival = arrivals[next]
      ) {
        const entry = entries[next++]
        if (entry !== undefined) give(this.#tracker, entry)
        if (restartsAt.length > 0 && entry !== undefined) this.#journal.push(entry)
        if (arrival.asks) this.#ask(arrival)
      }
      this.#see(this.#tracker.tick(this.#clock(end)), end)
      if (restartsAt.some((at) => at >= end - tickMs && at < end)) this.#restart(end)
    }
    this.#processorMicros += micros(started)
    this.#save()
    // What is not needed now is never needed again.
    if (restartsAt.length > 0) this.#journal = neededFrom(this.#journal, this.#tracker.bookmark())
  }

  #toEntry({ run, kind, product, at }: Arrival): Entry {
    const { event } = run
    const fields = { ...run.fields, ...product }
    if (kind === 'deleted') return { removed: { event, fields, at: this.#clock(at) }, key: run.key }
    const sequence = (this.#sequences.get(event) ?? 0) + 1
    this.#sequences.set(event, sequence)
    return { product: { event, fields, at: this.#clock(at), revision: BigInt(++this.#products), sequence } }
  }

  /** What it costs to ask is not what it costs to follow. */
  #ask({ run, at }: Arrival): void {
    const started = process.cpuUsage()
    const now = this.#clock(at)
    this.#see(this.#tracker.tick(now), at)
    const id = this.#ids.get(run.key)
    const eta = id === undefined ? null : (this.#tracker.run(id, now)?.eta ?? null)
    const interval =
      eta === null
        ? undefined
        : { at: Date.parse(eta.at), from: Date.parse(eta.from), to: Date.parse(eta.to) }
    this.#etas.push({ run, at, interval })
    this.#processorMicros -= micros(started)
  }

  #finals(): Final[] {
    const now = this.#clock(START + (this.#simulation.days + 3) * DAY_MS)
    return [...this.#truth.values()]
      .filter(({ day }) => day >= this.#simulation.days - FINAL_DAYS)
      .flatMap((run): Final[] => {
        const view = this.#tracker.run(this.#ids.get(run.key) ?? '', now)
        if (view === undefined) return []
        return [{ run, received: view.received, repeated: view.repeated, missing: view.missing.count }]
      })
  }

  #see(transitions: readonly JudgedTransition[], toldAt: number): void {
    for (const { run, state, at } of transitions) {
      const key = keyOf(run.event_type, run.run)
      this.#ids.set(key, run.id)
      // After a restart it may say again what it said, which is then published once.
      const name = `${key} ${state} ${at}`
      if (this.#course.restartsAt !== undefined && this.#said.has(name)) continue
      this.#said.add(name)
      this.#seen.push({
        key,
        state,
        at,
        toldAt,
        received: run.received,
        expected: run.expected,
        missing: run.missing.count,
        missingProducts: run.missing.truncated ? undefined : run.missing.products.map(productKey).toSorted(),
        date: run.run['date'] ?? '',
      })
    }
  }

  #save(): void {
    for (const { id, text } of this.#tracker.takeStored())
      if (text === null) this.#stored.delete(id)
      else this.#stored.set(id, text)
  }

  /** Whether it is a removal that what is stored of its run has. */
  #isIn(entry: Entry): boolean {
    return 'key' in entry && this.#stored.has(this.#ids.get(entry.key) ?? '')
  }

  #saveOpen(): number {
    const open = this.#tracker.takeOpen?.(0) ?? []
    for (const { id, text } of open) if (text !== null) this.#stored.set(id, text)
    return open.length
  }

  /** The process ends without a farewell, after its last save, and another one reads what is needed. */
  #restart(at: number): void {
    const used = process.cpuUsage()
    this.#save()
    // Every second process stores what it knows of open runs.
    while (this.#restarts % 2 === 0 && this.#saveOpen() > 0);
    const bookmark = this.#tracker.bookmark()
    const startedAt = performance.now()
    this.#tracker = this.#course.open({ stored: [...this.#stored.values()], bookmark })
    const needed = neededFrom(this.#journal, bookmark)
    for (const entry of needed) if (!this.#isIn(entry)) give(this.#tracker, entry)
    this.#see(this.#tracker.tick(this.#clock(at)), at)
    const ms = performance.now() - startedAt
    const spent = micros(used)
    // Beside other programs the one says little about the other.
    this.#longest.ms = Math.max(ms, this.#longest.ms)
    if (spent / 1000 > this.#longest.processorMs)
      this.#longest = { ...this.#longest, processorMs: spent / 1000, products: needed.length }
    this.#restarts++
    this.#processorMicros -= spent
    this.#journal = needed
  }

  #measure(): number {
    this.#journal = []
    const held = memoryUsage()
    this.#tracker = NOTHING
    return held - memoryUsage()
  }
}

const NOTHING: JudgedTracker = {
  take: () => undefined,
  remove: () => undefined,
  tick: () => [],
  run: () => undefined,
  takeStored: () => [],
  bookmark: () => ({ since: 0, events: {} }),
}

function micros(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return user + system
}

function give(tracker: JudgedTracker, entry: Entry): void {
  if ('product' in entry) tracker.take(entry.product)
  else tracker.remove(entry.removed)
}

/** What comes at or after the bookmark's place of its event type, in the order of the journal. */
function neededFrom(journal: readonly Entry[], { events }: ReturnType<JudgedTracker['bookmark']>): Entry[] {
  const reached = new Set<string>()
  return journal.filter((entry) => {
    const event = 'product' in entry ? entry.product.event : entry.removed.event
    const place = events[event]
    if (place === undefined) return true
    if ('product' in entry && entry.product.sequence >= place.sequence) reached.add(event)
    return reached.has(event)
  })
}

/** Times drawn for restarts: `count` of them, spread over the days. */
export function restartTimes(count: number, days: number, fraction: () => number): number[] {
  return Array.from(
    { length: count },
    () => START + Math.floor((fraction() * days * DAY_MS) / MINUTE_MS) * MINUTE_MS,
  )
}
