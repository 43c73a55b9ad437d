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
function journalOf(dice: Dice, removals: number): readonly Entry[] {
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
        if (dice.chance(removals)) {
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

/** What happens to the process at a tick: it stores what it knows, and it may end then, or end without that. */
type Fate = 'stores' | 'stores and ends' | 'ends'

/** What a process that has ended leaves. */
interface Left {
  readonly stored: ReadonlyMap<string, string>
  readonly bookmark: Bookmark
  /** How much of the journal had been taken. */
  readonly taken: number
}

/** Plays a journal. After each end, the tracker is made anew from what was stored last. */
function play(
  journal: readonly Entry[],
  tickMs: number,
  fates: ReadonlyMap<number, Fate>,
  storesOpen = true,
) {
  const told = new Set<string>()
  let tracker = createTracker({ expectations: EXPECTATIONS, bookmark: { since: START, events: {} } })
  let left: Left = { stored: new Map(), bookmark: tracker.bookmark(), taken: 0 }
  let retaken = 0
  let next = 0
  for (let now = START + tickMs; now <= START + (DAYS + 3) * DAY; now += tickMs) {
    for (; (journal[next]?.at ?? Infinity) < now; next++) give(tracker, journal[next] as Entry)
    for (const line of lines(tracker.tick(now))) told.add(line)
    const fate = fates.get(now)
    if (fate?.startsWith('stores') === true) left = leave(tracker, left, next, storesOpen)
    if (fate?.endsWith('ends') !== true) continue
    tracker = createTracker({
      expectations: EXPECTATIONS,
      stored: left.stored.values(),
      bookmark: left.bookmark,
    })
    assert.deepEqual(tracker.bookmark().events, left.bookmark.events)
    retaken += giveAgain(tracker, journal.slice(0, next), left)
    for (const line of lines(tracker.tick(now))) told.add(line)
  }
  return { told, retaken, runs: tracker.runs({ limit: 1_000 }, START + (DAYS + 3) * DAY).runs }
}

function leave(tracker: Tracker, { stored: before }: Left, taken: number, storesOpen: boolean): Left {
  const stored = new Map(before)
  for (const { id, text } of [...tracker.takeStored(), ...(storesOpen ? tracker.takeOpen(0) : [])]) {
    if (text === null) stored.delete(id)
    else stored.set(id, text)
  }
  return { stored, bookmark: tracker.bookmark(), taken }
}

/** As a reader of the journal does: what was removed since comes first, and removed products do not come again. */
function giveAgain(tracker: Tracker, journal: readonly Entry[], { bookmark, taken }: Left): number {
  const sequence = bookmark.events['mars']?.sequence ?? 0
  for (const entry of journal.slice(taken))
    if ('removal' in entry) tracker.remove({ ...entry.removal, at: 0 })
  const again = journal.filter((entry, place): boolean => {
    if ('removal' in entry || entry.product.sequence < sequence) return false
    const { fields } = entry.product
    return !journal
      .slice(place)
      .some(
        (later) =>
          'removal' in later &&
          later.removal.fields?.['step'] === fields['step'] &&
          isSameRun(later.removal.fields ?? {}, fields),
      )
  })
  for (const entry of again) give(tracker, entry)
  return again.length
}

function runIdOf({ fields = {} }: RunRemoval): string {
  return `mars:${fields['stream']},${fields['date']},${fields['time']}`
}

function isSameRun(
  some: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>>,
): boolean {
  return ['date', 'stream', 'time'].every((name) => some[name] === others[name])
}

describe('a tracker that is made anew', () => {
  // Seeds that are even have no removals.
  for (const seed of [1, 2, 3, 4, 5, 6])
    it(`tells the same as one that never stopped, and knows the same runs (seed ${seed})`, () => {
      const dice = createDice(seed)
      // The journal's own numbers are dense and in its order.
      let sequence = 0
      const journal = journalOf(dice, seed % 2 === 0 ? 0 : 0.02).map((entry) =>
        'product' in entry ? { ...entry, product: { ...entry.product, sequence: ++sequence } } : entry,
      )
      const tickMs = 10 * MINUTE
      const drawn = (fate: Fate): [number, Fate][] =>
        Array.from({ length: 12 }, () => [START + dice.whole(1, DAYS * 144) * tickMs, fate])
      const fates = new Map([...drawn('stores'), ...drawn('stores and ends'), ...drawn('ends')])
      const whole = play(journal, tickMs, new Map())
      assert.ok(whole.told.size > 150)
      const broken = play(journal, tickMs, fates)
      const plain = play(journal, tickMs, fates, false)
      const changed = new Set(journal.flatMap((entry) => ('removal' in entry ? runIdOf(entry.removal) : [])))
      for (const { told, runs } of [broken, plain]) {
        const again = [...told].filter((line) => !whole.told.has(line))
        // What a removed product had caused may be told as if it had never come.
        assert.deepEqual(
          again.filter((line) => ![...changed].some((id) => line.includes(`"id":"${id}"`))),
          [],
        )
        assert.deepEqual(
          [...whole.told].filter((line) => !told.has(line)),
          [],
        )
        assert.deepEqual(runs, whole.runs)
      }
      assert.ok(broken.retaken < plain.retaken, `${broken.retaken} of ${plain.retaken}`)
      // Also where time passes in larger pieces: only products decide.
      const coarse = play(journal, 12 * HOUR, new Map())
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

  it('counts an open run anew, from its first product on, if something else is expected of it now', () => {
    const tracker = createTracker({
      expectations: expecting({ expect: [{ step: '0/to/4', due: '8h' }] }),
      bookmark: { since: START, events: {} },
    })
    const products = [0, 1, 2].map((step) => product(step, nominalOf(0) + HOUR + step * MINUTE))
    for (const each of products) tracker.take(each)
    const [open] = tracker.takeOpen(0)
    assert.ok(open !== undefined && open.text !== null)
    assert.deepEqual(tracker.takeOpen(0), [])
    const bookmark = tracker.bookmark()
    const first = products[0]?.sequence
    assert.equal(bookmark.events['mars']?.sequence, (first ?? 0) + 3)
    for (const settings of [
      { expect: [{ step: '0/to/2', due: '8h' }] },
      { expect: [{ step: '1/to/5', due: '8h' }] },
      { expect: [{ step: '0/to/4', due: '7h' }] },
      { expect: [{ step: '0/to/4', due: '8h' }], close: '30h' },
      { product: ['number'], expect: [{ number: '0/to/4', due: '8h' }] },
      { run: ['date', 'time', 'stream'], expect: [{ step: '0/to/4', due: '8h' }] },
    ]) {
      const anew = createTracker({ expectations: expecting(settings), stored: [open.text], bookmark })
      assert.equal(anew.bookmark().events['mars']?.sequence, first, JSON.stringify(settings))
      assert.deepEqual(anew.takeStored(), [{ id: open.id, text: null }])
      assert.equal(anew.runs({ limit: 9 }, START).runs.length, 0)
      for (const each of products) anew.take(each)
      assert.equal(anew.runs({ limit: 9 }, START).runs.length, 1)
    }
  })

  it('gives texts of open runs in parts, the run that waits longest first', () => {
    const tracker = createTracker({ expectations: expecting() })
    for (const stream of ['a', 'b', 'c'])
      for (let step = 0; step < 30_000; step++) tracker.take(product(step, START + HOUR, { stream }))
    const idsOf = (behind: number): readonly string[] => tracker.takeOpen(behind).map(({ id }) => id)
    const [a, b, c] = ['a', 'b', 'c'].map((stream) => `mars:${stream},${dateOf(0)},00`)
    assert.deepEqual(idsOf(90_000), [])
    assert.deepEqual(idsOf(50_000), [a, b])
    assert.deepEqual(idsOf(50_000), [])
    assert.deepEqual(idsOf(0), [c])
    assert.deepEqual(idsOf(0), [])
  })

  it('stores an open run again when a product of it was removed, and deletes it when all were', () => {
    const expectations = expecting({ expect: [{ step: '0/to/4', due: '8h' }] })
    const tracker = createTracker({ expectations, bookmark: { since: START, events: {} } })
    const products = [0, 1].map((step) => product(step, nominalOf(0) + HOUR))
    for (const each of products) tracker.take(each)
    assert.equal(tracker.takeOpen(0).length, 1)
    const remove = ({ fields }: RunProduct): void =>
      tracker.remove({ event: 'mars', fields, at: nominalOf(0) + 2 * HOUR })
    for (const each of products.slice(0, 1)) remove(each)
    const [changed] = tracker.takeStored()
    const anew = createTracker({
      expectations,
      stored: [changed?.text ?? ''],
      bookmark: tracker.bookmark(),
    })
    assert.equal(anew.runs({ limit: 1 }, START).runs[0]?.received, 1)
    for (const each of products.slice(1)) remove(each)
    assert.deepEqual(tracker.takeStored(), [{ id: changed?.id, text: null }])
  })

  it('gives open runs only when many products would be needed again', () => {
    const tracker = createTracker({ expectations: expecting(), bookmark: { since: START, events: {} } })
    for (const step of steps(10)) tracker.take(product(step, nominalOf(0) + HOUR))
    assert.deepEqual(tracker.takeOpen(10), [])
    assert.equal(tracker.takeOpen(9).length, 1)
    tracker.take(product(10, nominalOf(0) + HOUR))
    assert.deepEqual(tracker.takeOpen(1), [])
  })

  it('keeps to bounds that have become smaller, and learns from what is left', () => {
    const tracker = createTracker({ expectations: expecting() })
    playDay(tracker, { day: 0, steps: steps(4) })
    playDay(tracker, { day: 0, steps: steps(4), stream: 'wave', time: '06' })
    playDay(tracker, { day: 1, steps: steps(4) })
    const stored = [...tracker.takeStored()].flatMap(({ text }) => text ?? [])
    assert.equal(stored.length, 3)
    const bookmark = tracker.bookmark()
    const anew = createTracker({
      expectations: expecting(),
      stored: stored.toReversed(),
      bookmark,
      limits: { finishedRuns: 1 },
    })
    assert.deepEqual(
      anew.takeStored().map(({ id }) => id),
      [`mars:oper,${dateOf(0)},00`, `mars:wave,${dateOf(0)},06`],
    )
    anew.take(product(0, nominalOf(2) + 6 * HOUR, { day: 2 }))
    const id = `mars:oper,${dateOf(2)},00`
    assert.deepEqual(anew.run(id, nominalOf(2) + 7 * HOUR)?.learning, { runs: 1, needed: 7 })
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
