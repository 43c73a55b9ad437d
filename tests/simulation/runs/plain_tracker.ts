/**
 * A tracker as one would write it in an afternoon: slow, and with everything in memory. The judge is judged by it: it passes, and each of
 * its mistakes fails. It shares nothing with the real one.
 *
 * @module
 */

import type { JudgedProduct, JudgedTracker, JudgedTransition, JudgedView } from './port.ts'
import { DAY_MS, HOUR_MS, keyOf, MINUTE_MS, productKey, RUN_FIELDS, type Fields } from './truth.ts'

/** Mistakes that a tracker may have. */
export const MISTAKES = [
  'forgets-late',
  'counts-duplicates',
  'learns-from-the-odd-day',
  'cries-after-change',
  'forgets-loss-after-a-day',
  'waits-for-the-first-product',
  'expects-weekly-daily',
  'alarms-back-fills',
  'trusts-its-eta',
  'tells-twice',
  'loses-a-product',
] as const

export type Mistake = (typeof MISTAKES)[number]

interface Open {
  readonly event: string
  readonly fields: Fields
  readonly key: string
  readonly nominal: number
  readonly configuration: Configuration
  /** Product → when it came first. */
  readonly got: Map<string, number>
  /** Products that are expected; undefined: not known. */
  readonly expected: ReadonlySet<string> | undefined
  readonly dueAt: number
  readonly closeAt: number
  /** How many of the expected products are there. */
  received: number
  repeated: number
  isLate: boolean
  isStarted: boolean
  isDone: boolean
}

interface Configuration {
  readonly event: string
  readonly fields: Fields
  /** Fields of every product that ever came. */
  readonly products: Map<string, Fields>
  /** Runs of which something came, oldest first. */
  readonly history: Open[]
  /** Days since 1970 on which it ran. */
  readonly days: Set<number>
}

const HISTORY = 14
const NEEDED = 7
const QUORUM = 5
const MARGIN_MS = 30 * MINUTE_MS
const CLOSE_MS = 24 * HOUR_MS
/** A run whose first product comes so long after its nominal time is a back-fill. */
const BACK_FILL_MS = 5 * DAY_MS

export function createPlainTracker(mistake?: Mistake): JudgedTracker {
  const plain = new PlainTracker(mistake)
  return {
    take: (product) => plain.take(product),
    remove: ({ event, fields }) => plain.remove(event, fields),
    tick: (now) => plain.tick(now),
    run: (id) => plain.view(id),
    takeStored: () => [],
    // It keeps nothing, so it needs everything.
    bookmark: () => ({ since: 0, events: {} }),
  }
}

class PlainTracker {
  readonly #mistake: Mistake | undefined
  readonly #configurations = new Map<string, Configuration>()
  readonly #runs = new Map<string, Open>()
  readonly #open = new Set<Open>()
  #told: JudgedTransition[] = []
  #now = 0
  #wakeAt = 0
  #lateCount = 0

  constructor(mistake: Mistake | undefined) {
    this.#mistake = mistake
  }

  take({ event, fields, at }: JudgedProduct): void {
    this.#pass(at)
    const now = Math.max(at, this.#now)
    const run = this.#runOf(event, fields)
    if (run === undefined) return
    const product = productKey(fields)
    if (!run.isStarted) {
      run.isStarted = true
      this.#tell(run, 'started', now)
      this.#remember(run)
    }
    if (run.got.has(product)) run.repeated++
    else {
      run.got.set(product, at)
      const isLost = this.#mistake === 'loses-a-product' && product === '72/E01'
      if (run.expected?.has(product) === true && !isLost) run.received++
    }
    const { products } = run.configuration
    if (!products.has(product)) products.set(product, pick(fields, ['step', 'number', 'target']))
    if (run.isDone || run.expected === undefined) return
    const counted = this.#mistake === 'counts-duplicates' ? run.received + run.repeated : run.received
    if (counted < run.expected.size) return
    this.#finish(run)
    this.#tell(run, run.isLate ? 'recovered' : 'complete', now)
  }

  remove(event: string, fields: Fields): void {
    const run = this.#runs.get(keyOf(event, fields))
    const product = productKey(fields)
    if (run === undefined || run.isDone || !run.got.delete(product)) return
    if (run.expected?.has(product) === true) run.received--
  }

  tick(now: number): readonly JudgedTransition[] {
    this.#pass(now)
    const told = this.#told
    this.#told = []
    return told
  }

  view(id: string): JudgedView | undefined {
    const run = this.#runs.get(id)
    return run === undefined ? undefined : { ...this.#look(run), eta: this.#eta(run) }
  }

  /** Everything that the clock brings until `now`, in the order of time. */
  #pass(now: number): void {
    if (this.#now === 0) this.#now = this.#wakeAt = now
    while (this.#wakeAt <= now) {
      const at = Math.max(this.#wakeAt, this.#now)
      this.#now = at
      this.#expect(at)
      for (const run of this.#open) {
        if (!run.isLate && run.dueAt <= at && run.expected !== undefined) this.#becomeLate(run)
        if (run.closeAt > at) continue
        this.#finish(run)
        if (run.expected !== undefined) this.#tell(run, 'incomplete', run.closeAt)
      }
      this.#wakeAt = (Math.floor(at / HOUR_MS) + 1) * HOUR_MS
      for (const run of this.#open) this.#wakeFor(run)
    }
    this.#now = Math.max(now, this.#now)
  }

  #wakeFor({ expected, isLate, dueAt, closeAt }: Open): void {
    this.#wakeAt = Math.min(this.#wakeAt, isLate || expected === undefined ? closeAt : dueAt, closeAt)
  }

  #becomeLate(run: Open): void {
    run.isLate = true
    if (this.#mistake === 'forgets-late' && this.#lateCount++ % 10 === 0) return
    this.#tell(run, 'late', run.dueAt)
    if (this.#mistake === 'tells-twice' && this.#lateCount++ % 10 === 0) this.#tell(run, 'late', run.dueAt)
  }

  /** Makes the runs that should have begun, as soon as their nominal time is there. */
  #expect(at: number): void {
    if (at % HOUR_MS !== 0 || this.#mistake === 'waits-for-the-first-product') return
    const hour = new Date(at).getUTCHours()
    const date = new Date(at).toISOString().slice(0, 10).replaceAll('-', '')
    for (const configuration of this.#configurations.values()) {
      if (configuration.history.length < NEEDED || Number(configuration.fields['time']) !== hour) continue
      if (!this.#runsOn(configuration, Math.floor(at / DAY_MS))) continue
      this.#runOf(configuration.event, { ...configuration.fields, date })
    }
  }

  #runsOn({ days }: Configuration, day: number): boolean {
    const last = [1, 2, 3, 4, 5, 6, 7].map((back) => day - back)
    const count = last.filter((one) => days.has(one)).length
    if (this.#mistake === 'expects-weekly-daily') return count > 0
    if (this.#mistake === 'cries-after-change') return days.size > 0
    if (this.#mistake === 'forgets-loss-after-a-day' && !days.has(day - 1)) return false
    if (count >= QUORUM) return true
    const broken = last.filter((one) => days.has(one - 7) && !days.has(one)).length
    return count <= 3 && broken < 3 && days.has(day - 7) && days.has(day - 14)
  }

  #runOf(event: string, all: Fields): Open | undefined {
    const key = keyOf(event, all)
    const known = this.#runs.get(key)
    if (known !== undefined) return known
    const fields = pick(all, RUN_FIELDS[event] ?? [])
    const date = (fields['date'] ?? '').replace(/^(....)(..)(..)$/, '$1-$2-$3')
    const midnight = Date.parse(date)
    if (!new Date(Number.isNaN(midnight) ? 0 : midnight).toISOString().startsWith(date)) return undefined
    const nominal = midnight + Number(fields['time']) * HOUR_MS
    const configuration = this.#configurationOf(event, fields)
    const isOld = this.#now - nominal > BACK_FILL_MS && this.#mistake !== 'alarms-back-fills'
    const expected = isOld ? undefined : this.#expected(configuration)
    const run: Open = {
      event,
      fields,
      key,
      nominal,
      configuration,
      got: new Map(),
      expected,
      dueAt: nominal + this.#usualEnd(configuration) + MARGIN_MS,
      closeAt: nominal + CLOSE_MS,
      received: 0,
      repeated: 0,
      isLate: false,
      isStarted: false,
      isDone: false,
    }
    this.#runs.set(key, run)
    this.#open.add(run)
    this.#wakeFor(run)
    return run
  }

  #configurationOf(event: string, fields: Fields): Configuration {
    const key = keyOf(event, { ...fields, date: '' })
    const known = this.#configurations.get(key)
    if (known !== undefined) return known
    const made: Configuration = {
      event,
      fields: { ...fields, date: '' },
      products: new Map(),
      history: [],
      days: new Set(),
    }
    this.#configurations.set(key, made)
    return made
  }

  #remember(run: Open): void {
    if (this.#now - run.nominal > BACK_FILL_MS) return
    const { history, days } = run.configuration
    history.push(run)
    if (history.length > HISTORY + 1) history.shift()
    days.add(Math.floor(run.nominal / DAY_MS))
  }

  /** The last runs, without the one that is open. */
  #last({ history }: Configuration, count: number): readonly Open[] {
    return history.slice(-count)
  }

  #expected(configuration: Configuration): ReadonlySet<string> | undefined {
    const isHasty =
      this.#mistake === 'learns-from-the-odd-day' || this.#mistake === 'forgets-loss-after-a-day'
    const last = this.#last(configuration, isHasty ? 1 : NEEDED)
    if (configuration.history.length < NEEDED) return undefined
    const counts = new Map<string, number>()
    for (const { got } of last)
      for (const product of got.keys()) counts.set(product, (counts.get(product) ?? 0) + 1)
    const quorum = isHasty || this.#mistake === 'cries-after-change' ? 1 : QUORUM
    for (const [product, count] of counts) if (count < quorum) counts.delete(product)
    return new Set(counts.keys())
  }

  /** Median of when runs were complete, after their nominal time. */
  #usualEnd(configuration: Configuration): number {
    const count = this.#mistake === 'learns-from-the-odd-day' ? 1 : NEEDED
    const ends = this.#last(configuration, count).map((run) => endOf(run) - run.nominal)
    return ends.toSorted((one, other) => one - other)[ends.length >> 1] ?? 0
  }

  #finish(run: Open): void {
    run.isDone = true
    this.#open.delete(run)
  }

  #tell(run: Open, state: JudgedTransition['state'], at: number): void {
    this.#told.push({ run: this.#look(run), state, at })
  }

  #look(run: Open): JudgedView {
    const missing = [...(run.expected ?? [])].filter((product) => !run.got.has(product))
    const { products } = run.configuration
    return {
      id: run.key,
      event_type: run.event,
      run: run.fields,
      received: (run.expected?.size ?? run.got.size) - missing.length,
      expected: run.expected?.size ?? null,
      missing: {
        count: missing.length,
        products: missing.map((product) => products.get(product) ?? {}),
        truncated: false,
      },
      eta: null,
      repeated: run.repeated,
    }
  }

  /** From how earlier runs went on from the same share of products: the tenth and the ninetieth percentile. */
  #eta(run: Open): JudgedView['eta'] {
    const { expected, configuration } = run
    if (expected === undefined || run.isDone) return null
    const share = run.received / expected.size
    const rests = configuration.history
      .filter((one) => one !== run && one.isDone && one.got.size > 0)
      .map(({ got }) => {
        const times = [...got.values()].toSorted((one, other) => one - other)
        return (times.at(-1) ?? 0) - (times[Math.max(0, Math.ceil(share * times.length) - 1)] ?? 0)
      })
      .toSorted((one, other) => one - other)
    if (rests.length < NEEDED) return null
    const spread = this.#mistake === 'trusts-its-eta' ? 0.2 : 0.38
    const time = (quantile: number): string =>
      new Date(Math.round(this.#now + quantileOf(rests, quantile))).toISOString()
    return { at: time(0.5), from: time(0.5 - spread), to: time(0.5 + spread) }
  }
}

function endOf({ got, nominal }: Open): number {
  return Math.max(nominal, ...got.values())
}

/** Quantile of a sample of which nothing else is known: between the (n + 1) q-th values. */
function quantileOf(sorted: readonly number[], quantile: number): number {
  const place = Math.min(sorted.length - 1, Math.max(0, (sorted.length + 1) * quantile - 1))
  const low = sorted[Math.floor(place)] ?? 0
  return low + (place - Math.floor(place)) * ((sorted[Math.ceil(place)] ?? low) - low)
}

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(
    names.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])),
  )
}
