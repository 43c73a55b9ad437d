import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { createTracker } from '#shared/runs/tracker.ts'
import { createDice } from '../../../support/dice.ts'
import {
  dateOf,
  expecting,
  HOUR,
  MINUTE,
  nominalOf,
  playDay,
  product,
  productsOf,
  steps,
} from './products.ts'

function learned() {
  const tracker = createTracker({ expectations: expecting() })
  // The runs of each day begin a little later than those of the day before, and take a little longer.
  for (let day = 0; day < 12; day++) {
    const each = productsOf({ day, steps: steps(20) })
    for (const [place, { at, ...rest }] of each.entries())
      tracker.take({ ...rest, at: at + (day % 4) * MINUTE + place * (day % 3) * 5_000 })
    tracker.tick(nominalOf(day + 1))
  }
  return tracker
}

const ID = `mars:oper,${dateOf(12)},00`

describe('run()', () => {
  it('gives the grid: each product with its time, its due time and its lateness', () => {
    const tracker = learned()
    const at = nominalOf(12) + 6 * HOUR
    tracker.take(product(0, at, { day: 12 }))
    tracker.take(product(2, at + HOUR, { day: 12 }))
    tracker.take(product(40, at + HOUR, { day: 12 }))
    const run = tracker.run(ID, at + HOUR)
    assert.equal(run?.products.length, 21)
    assert.equal(run.products_truncated, false)
    const [first, second, third] = run.products
    assert.deepEqual([first?.state, second?.state, third?.state], ['received', 'overdue', 'received'])
    assert.ok((first?.lateness_seconds ?? 0) < -15 * 60)
    assert.ok((third?.lateness_seconds ?? 0) > 30 * 60)
    assert.deepEqual([second?.at, second?.lateness_seconds], [null, null])
    assert.deepEqual(run.products.at(-1), {
      product: { step: '40' },
      at: new Date(at + HOUR).toISOString(),
      due_at: null,
      lateness_seconds: null,
      state: 'extra',
    })
    assert.equal(run.overdue, run.products.filter(({ state }) => state === 'overdue').length)
  })

  it('gives arrivals of today over the band of earlier runs', () => {
    const tracker = learned()
    for (const each of productsOf({ day: 12, steps: steps(5) })) tracker.take(each)
    const arrivals = tracker.run(ID, nominalOf(12) + 7 * HOUR)?.arrivals
    assert.deepEqual(
      arrivals?.today,
      [0, 1, 2, 3, 4].map((place) => [6 * 3600 + place * 60, place + 1]),
    )
    assert.equal(arrivals.usual.length, 61)
    assert.deepEqual(arrivals.usual.at(-1)?.slice(1), [20, 20, 20])
    for (const [, low, middle, high] of arrivals.usual)
      assert.ok(low <= middle && middle <= high && high <= 20)
    const seconds = arrivals.usual.map(([second]) => second)
    assert.deepEqual(
      seconds,
      seconds.toSorted((a, b) => a - b),
    )
  })

  it('estimates when the run is complete: later when it began later, never before now', () => {
    const tracker = learned()
    const etaOf = (at: number) => tracker.run(ID, at)?.eta
    const before = etaOf(nominalOf(12) + HOUR)
    for (const { at, ...rest } of productsOf({ day: 12, steps: steps(10) }))
      tracker.take({ ...rest, at: at + 30 * MINUTE })
    const half = etaOf(nominalOf(12) + 6 * HOUR + 40 * MINUTE)
    assert.ok(before && half)
    const shift = (Date.parse(half.at) - Date.parse(before.at)) / MINUTE
    assert.ok(shift > 20 && shift < 35, `${shift} minutes`)
    for (const { at, from, to } of [before, half]) assert.ok(from <= at && at <= to)
    const long = etaOf(nominalOf(12) + 20 * HOUR)
    assert.ok(Date.parse(long?.from ?? '') >= nominalOf(12) + 20 * HOUR)
    for (const each of productsOf({ day: 12, steps: steps(20) }))
      tracker.take({ ...each, at: nominalOf(12) + 21 * HOUR })
    assert.equal(etaOf(nominalOf(12) + 22 * HOUR), null)
  })

  it('cuts lists that are long, and says so', () => {
    const tracker = createTracker({ expectations: expecting({ expect: [{ step: '0/to/5999', due: '8h' }] }) })
    tracker.take(product(5, nominalOf(0)))
    const run = tracker.run(`mars:oper,${dateOf(0)},00`, nominalOf(0))
    assert.deepEqual([run?.products.length, run?.products_truncated], [5_000, true])
    assert.deepEqual(
      [run?.missing.count, run?.missing.products.length, run?.missing.truncated],
      [5_999, 50, true],
    )
    assert.deepEqual(run?.missing.products.slice(4, 6), [{ step: '4' }, { step: '6' }])
  })

  for (const seed of [1, 2, 3, 4, 5])
    it(`names the missing products that are due first, whatever their order (seed ${seed})`, () => {
      const dice = createDice(seed)
      const due = steps(80).map(() => dice.whole(100, 400))
      const expect = due.map((minutes, step) => ({ step, due: `${minutes}m` }))
      const tracker = createTracker({ expectations: expecting({ expect }) })
      tracker.take(product(3, nominalOf(0)))
      const missing = tracker.run(`mars:oper,${dateOf(0)},00`, nominalOf(0))?.missing
      const others = steps(80).filter((step) => step !== 3)
      assert.deepEqual(
        missing?.products.map(({ step }) => Number(step)),
        others.toSorted((a, b) => (due[a] ?? 0) - (due[b] ?? 0)).slice(0, 50),
      )
      assert.deepEqual([missing.count, missing.truncated], [79, true])
    })

  it('knows no run of another name', () => {
    const tracker = learned()
    for (const id of ['', 'mars', 'mars:oper', 'other:oper,20260601,00', '%', `${ID},x`])
      assert.equal(tracker.run(id, nominalOf(12)), undefined)
  })
})

describe('runs()', () => {
  const tracker = createTracker({ expectations: expecting({ expect: { count: 2 }, due: '8h' }) })
  for (let day = 0; day < 5; day++)
    for (const time of ['00', '12'])
      for (const stream of ['oper', 'wave'])
        playDay(tracker, { day, time, stream, steps: steps(stream === 'oper' ? 2 : 1) })
  const now = nominalOf(6)

  it('gives pages, newest nominal time first, that together are all', () => {
    const all = tracker.runs({ limit: 100 }, now)
    assert.equal(all.next, null)
    assert.equal(all.runs.length, 20)
    assert.deepEqual(
      all.runs.map(({ nominal }) => nominal),
      all.runs.map(({ nominal }) => nominal).toSorted((a, b) => Date.parse(b ?? '') - Date.parse(a ?? '')),
    )
    const paged: string[] = []
    let cursor: string | undefined
    for (let page = 0; page < 7; page++) {
      const { runs, next } = tracker.runs({ limit: 3, cursor }, now)
      paged.push(...runs.map(({ id }) => id))
      cursor = next ?? undefined
    }
    assert.equal(cursor, undefined)
    assert.deepEqual(
      paged,
      all.runs.map(({ id }) => id),
    )
  })

  it('gives those of an event type, of values, of a state, that may be seen', () => {
    const count = (filter: object): number => tracker.runs({ limit: 100, ...filter }, now).runs.length
    assert.equal(count({ event: 'mars' }), 20)
    assert.equal(count({ event: 'other' }), 0)
    assert.equal(count({ fields: { stream: 'oper', time: '12' } }), 5)
    assert.equal(count({ fields: { step: '0' } }), 0)
    assert.equal(count({ state: 'complete' }), 10)
    assert.equal(
      count({
        accepts: (event: string, run: Record<string, string>) => event === 'mars' && run['stream'] === 'wave',
      }),
      10,
    )
  })

  it('refuses a cursor that no page gave', () => {
    assert.throws(
      () => tracker.runs({ limit: 1, cursor: 'x' }, now),
      (error) => isAvisoError(error) && error.code === 'ERR_BAD_REQUEST',
    )
  })
})
