import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Bookmark, RunProduct, RunRemoval, Tracker, Transition } from '#shared/runs/runs.ts'
import { createTracker } from '#shared/runs/tracker.ts'
import { createDice, type Dice } from '../../../support/dice.ts'
import {
  DAY,
  dateOf,
  expecting,
  HOUR,
  MINUTE,
  nominalOf,
  playDay,
  product,
  START,
  steps,
} from './products.ts'

const DAYS = 24
const EXPECTATIONS = expecting({ every: { stream: 'wave', time: '06' } })

type Entry =
  | { readonly at: number; readonly product: RunProduct }
  | { readonly at: number; readonly removal: RunRemoval }

/** Days of several slots on which a good deal goes wrong. */
function journalOf(dice: Dice): readonly Entry[] {
  const entries: { readonly at: number; readonly make: (at: number) => Omit<Entry, 'at'> }[] = []
  for (let day = 0; day < DAYS; day++) {
    for (const [stream, time] of [
      ['oper', '00'],
      ['oper', '18'],
      ['wave', '06'],
      ['enfo', '12'],
    ] as const) {
      if (dice.chance(0.06)) continue
      const late = dice.chance(0.1) ? dice.whole(1, 30) * HOUR : 0
      const from = nominalOf(day, time) + 6 * HOUR + dice.whole(0, 300) * 1000 + late
      for (const step of steps(8)) {
        if (dice.chance(0.02)) continue
        const at = from + step * MINUTE + dice.whole(0, 40) * 1000
        const publish = () => ({ product: product(step, at, { day, time, stream }) })
        entries.push({ at, make: publish })
        if (dice.chance(0.03)) entries.push({ at: at + dice.whole(1, 40 * 60) * MINUTE, make: publish })
        if (dice.chance(0.02)) {
          const fields = { date: dateOf(day), stream, time, step: String(step), number: '0' }
          const gone = at + dice.whole(1, 60) * MINUTE
          entries.push({ at: gone, make: () => ({ removal: { event: 'mars', fields, at: gone } }) })
        }
      }
    }
    if (dice.chance(0.2)) {
      const at = nominalOf(day) + dice.whole(0, 23) * HOUR
      entries.push({ at, make: () => ({ product: product(1, at, { date: '20250101' }) }) })
    }
  }
  return entries
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, make }): Entry => {
      const made = make(at)
      return 'product' in made
        ? { at, product: { ...(made.product as RunProduct), at } }
        : { at, removal: (made as { removal: RunRemoval }).removal }
    })
}

function give(tracker: Tracker, entry: Entry): void {
  if ('product' in entry) tracker.take(entry.product)
  else tracker.remove(entry.removal)
}

function lines(transitions: readonly Transition[]): string[] {
  return transitions.map(
    ({ run, state, at }) => `${new Date(at).toISOString()} ${state} ${JSON.stringify(run)}`,
  )
}

/** Plays a journal. At each of the restarts, the tracker is made anew from what was stored. */
function play(journal: readonly Entry[], tickMs: number, restarts: ReadonlySet<number>) {
  const stored = new Map<string, string>()
  const told = new Set<string>()
  let tracker = createTracker({ expectations: EXPECTATIONS, bookmark: { since: START, events: {} } })
  let bookmark: Bookmark = tracker.bookmark()
  let next = 0
  for (let now = START + tickMs; now <= START + (DAYS + 3) * DAY; now += tickMs) {
    for (; (journal[next]?.at ?? Infinity) < now; next++) give(tracker, journal[next] as Entry)
    for (const line of lines(tracker.tick(now))) told.add(line)
    if (!restarts.has(now)) continue
    for (const { id, text } of tracker.takeStored()) {
      if (text === null) stored.delete(id)
      else stored.set(id, text)
    }
    bookmark = tracker.bookmark()
    tracker = createTracker({ expectations: EXPECTATIONS, stored: stored.values(), bookmark })
    const sequence = bookmark.events['mars']?.sequence ?? 0
    const from = journal.findIndex((entry) => 'product' in entry && entry.product.sequence >= sequence)
    for (const entry of from < 0 ? [] : journal.slice(from, next)) give(tracker, entry)
    for (const line of lines(tracker.tick(now))) told.add(line)
  }
  return { told, runs: tracker.runs({ limit: 1_000 }, START + (DAYS + 3) * DAY).runs }
}

describe('a tracker that is made anew', () => {
  for (const seed of [1, 2, 3, 4, 5, 6])
    it(`tells the same as one that never stopped, and knows the same runs (seed ${seed})`, () => {
      const dice = createDice(seed)
      // The journal's own numbers are dense and in its order.
      let sequence = 0
      const journal = journalOf(dice).map((entry) =>
        'product' in entry ? { ...entry, product: { ...entry.product, sequence: ++sequence } } : entry,
      )
      const tickMs = 10 * MINUTE
      const restarts = new Set(Array.from({ length: 12 }, () => START + dice.whole(1, DAYS * 144) * tickMs))
      const whole = play(journal, tickMs, new Set())
      const broken = play(journal, tickMs, restarts)
      assert.ok(whole.told.size > 150)
      assert.deepEqual([...broken.told].toSorted(), [...whole.told].toSorted())
      assert.deepEqual(broken.runs, whole.runs)
      // Also where time passes in larger pieces: only products decide.
      const coarse = play(journal, 12 * HOUR, new Set())
      assert.deepEqual([...coarse.told].toSorted(), [...whole.told].toSorted())
    })

  it('names what is missing in the same order, whatever came first', () => {
    const expectations = expecting({
      product: ['step', 'number'],
      expect: [{ step: '0/to/12', number: '0/1', due: '8h' }],
    })
    const tracker = createTracker({ expectations, bookmark: { since: START, events: {} } })
    for (const day of [0, 1])
      for (const step of [9, 10, 2]) tracker.take(product(step, nominalOf(day) + HOUR, { day }))
    const at = nominalOf(1) + 2 * HOUR
    const id = `mars:oper,${dateOf(1)},00`
    const before = tracker.run(id, at)
    const texts = tracker.takeStored().flatMap(({ text }) => text ?? [])
    assert.equal(texts.length, 1)
    const anew = createTracker({ expectations, stored: texts, bookmark: tracker.bookmark() })
    for (const step of [2, 10, 9]) anew.take(product(step, nominalOf(1) + HOUR, { day: 1 }))
    const after = anew.run(id, at)
    assert.deepEqual(after?.missing, before?.missing)
    assert.deepEqual(before?.missing.products.slice(3, 6), [
      { step: '1', number: '1' },
      { step: '2', number: '1' },
      { step: '3', number: '0' },
    ])
    assert.deepEqual(after?.products, before?.products)
  })

  it('leaves out a stored text that it cannot read, and says so', () => {
    const tracker = createTracker({ expectations: expecting() })
    for (let day = 0; day < 3; day++) playDay(tracker, { day, steps: steps(4) })
    const texts = tracker.takeStored().map(({ text }) => text ?? '')
    assert.equal(texts.length, 3)
    const anew = createTracker({ expectations: expecting(), stored: [...texts, '', '{', '{"v":2}', 'null'] })
    assert.equal(anew.runs({ limit: 9 }, START).runs.length, 3)
    assert.match(anew.takeNotices()[0]?.text ?? '', /^4 stored runs cannot be read/)
  })

  it('keeps a stored run of hundreds of numbers below a kibibyte', () => {
    const tracker = createTracker({ expectations: expecting() })
    playDay(tracker, { day: 0, steps: steps(240) })
    const [stored] = tracker.takeStored()
    assert.ok((stored?.text?.length ?? 0) < 1_150, String(stored?.text?.length))
  })
})
