import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTracker } from '#shared/runs/tracker.ts'
import {
  DAY,
  expecting,
  HOUR,
  MINUTE,
  nominalOf,
  product,
  productsOf,
  short,
  START,
  steps,
  dateOf,
} from './products.ts'

/** Five steps, due after eight hours, closed after a day. */
const FIVE = { expect: [{ step: '0/to/4', due: '8h' }], close: '24h' }
const ID = `mars:oper,${dateOf(0)},00`

function tracking(settings: Readonly<Record<string, unknown>> = FIVE) {
  return createTracker({ expectations: expecting(settings) })
}

describe('tracker', () => {
  it('tells that a run began and that it is complete, at the time of the products', () => {
    const tracker = tracking()
    for (const each of productsOf({ day: 0, steps: steps(5) })) tracker.take(each)
    const told = tracker.tick(nominalOf(0) + 7 * HOUR)
    assert.deepEqual(short(told), ['started 20260601 1/5', 'complete 20260601 5/5'])
    assert.deepEqual(
      told.map(({ at }) => at - START),
      [6 * HOUR, 6 * HOUR + 4 * MINUTE],
    )
    const view = tracker.run(ID, nominalOf(0) + 7 * HOUR)
    assert.equal(view?.state, 'complete')
    assert.equal(view.complete_at, '2026-06-01T06:04:00.000Z')
    assert.equal(view.due_at, '2026-06-01T08:00:00.000Z')
    assert.deepEqual(view.missing, { count: 0, products: [], truncated: false })
    assert.equal(view.eta, null)
  })

  it('takes products in reverse, and each once', () => {
    const tracker = tracking()
    const at = nominalOf(0) + 6 * HOUR
    for (const step of [4, 3, 3, 2, 4, 1]) tracker.take(product(step, at))
    assert.equal(tracker.run(ID, at)?.state, 'running')
    tracker.take(product(0, at + MINUTE))
    assert.deepEqual(short(tracker.tick(at + HOUR)), ['started 20260601 1/5', 'complete 20260601 5/5'])
    assert.equal(tracker.run(ID, at)?.repeated, 2)
  })

  it('tells a run late when it is due, then recovered', () => {
    const tracker = tracking()
    for (const step of [0, 1, 3]) tracker.take(product(step, nominalOf(0) + 6 * HOUR))
    assert.deepEqual(short(tracker.tick(nominalOf(0) + 8 * HOUR)), ['started 20260601 1/5'])
    const [late] = tracker.tick(nominalOf(0) + 8 * HOUR + 1)
    assert.equal(late?.state, 'late')
    assert.equal(late.at, nominalOf(0) + 8 * HOUR)
    assert.deepEqual(late.run.missing, {
      count: 2,
      products: [{ step: '2' }, { step: '4' }],
      truncated: false,
    })
    assert.equal(late.run.overdue, 2)
    for (const step of [2, 4]) tracker.take(product(step, nominalOf(0) + 9 * HOUR))
    assert.deepEqual(short(tracker.tick(nominalOf(0) + 10 * HOUR)), ['recovered 20260601 5/5'])
    assert.deepEqual(tracker.tick(nominalOf(2)), [])
    assert.equal(tracker.run(ID, nominalOf(2))?.state, 'recovered')
  })

  it('takes a product that comes exactly when it is due as in time', () => {
    const tracker = tracking()
    for (const step of steps(5)) tracker.take(product(step, nominalOf(0) + 8 * HOUR))
    assert.deepEqual(short(tracker.tick(nominalOf(1))), ['started 20260601 1/5', 'complete 20260601 5/5'])
  })

  it('tells a run late after it began, where its first product comes after it is due', () => {
    const tracker = tracking()
    const at = nominalOf(0) + 9 * HOUR
    tracker.take(product(0, at))
    const told = tracker.tick(at + MINUTE)
    assert.deepEqual(short(told), ['started 20260601 1/5', 'late 20260601 1/5'])
    assert.deepEqual(
      told.map((each) => each.at),
      [at, at],
    )
  })

  it('closes a run when it is told to, also shortly after it is due', () => {
    const tracker = tracking({ ...FIVE, close: '485m' })
    tracker.take(product(0, nominalOf(0) + 6 * HOUR))
    const [, , incomplete] = tracker.tick(nominalOf(0) + 30 * HOUR)
    assert.deepEqual([incomplete?.state, incomplete?.at], ['incomplete', nominalOf(0) + 485 * MINUTE])
  })

  it('tells late at its time although the product after it was taken first', () => {
    const tracker = tracking()
    for (const step of steps(4)) tracker.take(product(step, nominalOf(0) + 6 * HOUR))
    tracker.take(product(4, nominalOf(0) + 9 * HOUR))
    const told = tracker.tick(nominalOf(0) + 12 * HOUR)
    assert.deepEqual(short(told), ['started 20260601 1/5', 'late 20260601 4/5', 'recovered 20260601 5/5'])
    assert.equal(told[1]?.at, nominalOf(0) + 8 * HOUR)
  })

  it('closes a run as incomplete, and tells when it is complete after all', () => {
    const tracker = tracking()
    for (const step of steps(4)) tracker.take(product(step, nominalOf(0) + 6 * HOUR))
    const told = tracker.tick(nominalOf(1))
    assert.deepEqual(short(told), ['started 20260601 1/5', 'late 20260601 4/5', 'incomplete 20260601 4/5'])
    assert.equal(told[2]?.at, nominalOf(1))
    tracker.take(product(4, nominalOf(1) + HOUR))
    assert.deepEqual(short(tracker.tick(nominalOf(1) + HOUR)), ['recovered 20260601 5/5'])
  })

  it('counts what comes after completion: again, and what was not expected', () => {
    const tracker = tracking()
    for (const each of productsOf({ day: 0, steps: steps(5) })) tracker.take(each)
    tracker.take(product(0, nominalOf(0) + 7 * HOUR))
    tracker.take(product(99, nominalOf(0) + 7 * HOUR))
    assert.deepEqual(short(tracker.tick(nominalOf(0) + 8 * HOUR)), [
      'started 20260601 1/5',
      'complete 20260601 5/5',
    ])
    const view = tracker.run(ID, nominalOf(0) + 8 * HOUR)
    assert.deepEqual([view?.received, view?.extra, view?.repeated], [5, 1, 1])
    assert.equal(view?.republished_at, '2026-06-01T07:00:00.000Z')
    assert.equal(view.products.find(({ product: { step } }) => step === '99')?.state, 'extra')
  })

  it('counts what comes again after it has closed the run', () => {
    const tracker = tracking()
    for (const each of productsOf({ day: 0, steps: steps(5) })) tracker.take(each)
    tracker.tick(nominalOf(2))
    tracker.takeStored()
    tracker.take(product(3, nominalOf(2) + HOUR))
    assert.deepEqual(tracker.tick(nominalOf(3)), [])
    assert.equal(tracker.run(ID, nominalOf(3))?.repeated, 1)
    assert.equal(tracker.takeStored().length, 1)
  })

  it('keeps runs apart, and ends an 18 UTC run on the next day', () => {
    const tracker = tracking()
    for (const each of productsOf({ day: 0, time: '18', steps: steps(5), afterHours: 6.2 }))
      tracker.take(each)
    for (const each of productsOf({ day: 0, time: '12', steps: steps(3) })) tracker.take(each)
    assert.deepEqual(
      tracker.runs({ limit: 10 }, nominalOf(1)).runs.map(({ id, received }) => `${id} ${received}`),
      ['mars:oper,20260601,18 5', 'mars:oper,20260601,12 3'],
    )
    assert.equal(tracker.run('mars:oper,20260601,18', nominalOf(1))?.complete_at, '2026-06-02T00:16:00.000Z')
  })

  it('expects what the group for its hour lists', () => {
    const tracker = tracking({
      expect: [
        { where: { time: '00' }, step: '0/to/4', due: '8h' },
        { where: { time: '00/12' }, step: '6/12', due: '9h' },
        { where: { time: '12' }, step: 0, due: '7h' },
      ],
    })
    for (const time of ['00', '06', '12']) tracker.take(product(0, nominalOf(0, time) + 6 * HOUR, { time }))
    const views = tracker.runs({ limit: 9 }, nominalOf(1)).runs
    assert.deepEqual(
      views.map(({ expected, due_at }) => [expected, due_at]),
      [
        [3, '2026-06-01T21:00:00.000Z'],
        [null, null],
        [7, '2026-06-01T09:00:00.000Z'],
      ],
    )
  })

  it('is complete with so many products, whichever, where they are only counted', () => {
    const tracker = tracking({ expect: { count: 3 }, due: '8h' })
    const at = nominalOf(0) + HOUR
    for (const step of [50, 51, 51, 7]) tracker.take(product(step, at))
    tracker.take(product(8, at))
    assert.deepEqual(short(tracker.tick(nominalOf(0) + 9 * HOUR)), [
      'started 20260601 1/3',
      'complete 20260601 3/3',
    ])
    assert.equal(tracker.run(ID, at)?.extra, 1)
  })

  it('gives no alarm for runs of last year, and tells when they are complete', () => {
    const tracker = tracking()
    const at = nominalOf(0) + 6 * HOUR
    for (const step of steps(5)) tracker.take(product(step, at, { date: '20250601' }))
    for (const step of steps(3)) tracker.take(product(step, at, { date: '20250602' }))
    assert.deepEqual(short(tracker.tick(nominalOf(9))), [
      'started 20250601 1/5',
      'complete 20250601 5/5',
      'started 20250602 1/5',
    ])
    assert.equal(tracker.run('mars:oper,20250602,00', nominalOf(9))?.state, 'abandoned')
  })

  it('gives no alarm for a date that does not exist, or that is far ahead', () => {
    const tracker = tracking()
    for (const date of ['20260229', '20990101', 'yesterday'])
      tracker.take(product(0, nominalOf(0) + HOUR, { date }))
    assert.deepEqual(
      short(tracker.tick(nominalOf(9))),
      ['20260229', '20990101', 'yesterday'].map((date) => `started ${date} 1/5`),
    )
    assert.equal(tracker.run('mars:oper,20260229,00', nominalOf(9))?.nominal, null)
  })

  it('takes a run on 29 February of a leap year as any other', () => {
    const tracker = tracking()
    const at = Date.UTC(2028, 1, 29)
    tracker.take(product(0, at + HOUR, { date: '20280229' }))
    assert.deepEqual(short(tracker.tick(at + 9 * HOUR)), ['started 20280229 1/5', 'late 20280229 1/5'])
  })

  it('leaves out products of event types that nothing is expected of', () => {
    const tracker = tracking()
    tracker.take({ ...product(0, START), event: 'other' })
    assert.deepEqual(tracker.tick(nominalOf(1)), [])
  })

  it('does not go back in time', () => {
    const tracker = tracking()
    tracker.take(product(0, nominalOf(0) + 6 * HOUR))
    assert.equal(tracker.tick(nominalOf(0) + 9 * HOUR).length, 2)
    assert.deepEqual(tracker.tick(nominalOf(0) + HOUR), [])
    assert.deepEqual(short(tracker.tick(nominalOf(1) + 1)), ['incomplete 20260601 1/5'])
  })

  it('does not believe one product of the far future', () => {
    const tracker = tracking()
    tracker.take(product(0, nominalOf(0) + 6 * HOUR))
    tracker.tick(nominalOf(0) + 6 * HOUR)
    tracker.take(product(1, nominalOf(0) + 400 * DAY))
    for (const step of [2, 3, 4]) tracker.take(product(step, nominalOf(0) + 7 * HOUR))
    assert.deepEqual(short(tracker.tick(nominalOf(0) + 8 * HOUR)), ['complete 20260601 5/5'])
  })
})

describe('tracker, removals', () => {
  it('takes a deleted product back, and a run that has none', () => {
    const tracker = tracking()
    const at = nominalOf(0) + 6 * HOUR
    const all = productsOf({ day: 0, steps: steps(4) })
    for (const each of all) tracker.take(each)
    const wave = product(0, at, { stream: 'wave' })
    tracker.take(wave)
    tracker.tick(at)
    for (const { fields } of [...all.slice(0, 2), wave]) tracker.remove({ event: 'mars', fields, at })
    assert.equal(tracker.run(ID, at)?.received, 2)
    assert.deepEqual(tracker.run(ID, at)?.missing.products, [{ step: '0' }, { step: '1' }, { step: '4' }])
    assert.equal(tracker.run('mars:wave,20260601,00', at), undefined)
    tracker.take(product(0, at + HOUR))
    assert.equal(tracker.run(ID, at)?.received, 3)
  })

  it('awaits again what was deleted after completion', () => {
    const tracker = tracking()
    const all = productsOf({ day: 0, steps: steps(5) })
    for (const each of all) tracker.take(each)
    tracker.tick(nominalOf(0) + 7 * HOUR)
    tracker.remove({ event: 'mars', fields: all[4]?.fields ?? {}, at: nominalOf(0) + 7 * HOUR })
    const view = tracker.run(ID, nominalOf(0) + 7 * HOUR)
    assert.deepEqual(
      [view?.state, view?.complete_at, view?.last_at],
      ['running', null, '2026-06-01T06:03:00.000Z'],
    )
    assert.deepEqual(short(tracker.tick(nominalOf(0) + 9 * HOUR)), ['late 20260601 4/5'])
  })

  it('leaves finished runs alone, and what was never there', () => {
    const tracker = tracking()
    const all = productsOf({ day: 0, steps: steps(5) })
    for (const each of all) tracker.take(each)
    tracker.remove({ event: 'mars', fields: product(77, START).fields, at: START })
    tracker.remove({ event: 'mars', fields: { date: 'x' }, at: START })
    tracker.remove({ event: 'other', at: START })
    tracker.tick(nominalOf(2))
    for (const { fields } of all) tracker.remove({ event: 'mars', fields, at: nominalOf(2) })
    assert.equal(tracker.run(ID, nominalOf(2))?.state, 'complete')
  })

  it('forgets open runs when the event type is wiped, but not those that the clock expects', () => {
    const tracker = createTracker({
      expectations: expecting({ ...FIVE, every: { stream: 'oper', time: '00' } }),
      bookmark: { since: START, events: {} },
    })
    tracker.tick(START)
    for (const each of productsOf({ day: 0, steps: steps(3) })) tracker.take(each)
    tracker.take(product(0, nominalOf(0) + 6 * HOUR, { stream: 'wave' }))
    tracker.tick(nominalOf(0) + 7 * HOUR)
    tracker.remove({ event: 'mars', at: nominalOf(0) + 7 * HOUR })
    const left = tracker.runs({ limit: 9 }, nominalOf(0) + 7 * HOUR).runs
    assert.deepEqual(
      left.map(({ id, state, received }) => [id, state, received]),
      [[ID, 'expected', 0]],
    )
  })
})

describe('tracker, runs of which nothing comes', () => {
  it('tells a run of every day late although nothing came', () => {
    const tracker = createTracker({
      expectations: expecting({ ...FIVE, every: { stream: 'oper', time: ['00', '12'] } }),
      bookmark: { since: START + HOUR, events: {} },
    })
    assert.deepEqual(short(tracker.tick(nominalOf(1))), ['late 20260601 0/5'])
    assert.equal(tracker.run('mars:oper,20260601,12', nominalOf(1))?.state, 'late')
    assert.equal(tracker.run('mars:oper,20260602,00', nominalOf(1))?.state, 'expected')
    assert.equal(tracker.run(ID, nominalOf(1)), undefined, 'it was before the clock began')
    const told = short(tracker.tick(nominalOf(1, '12')))
    assert.deepEqual(told, ['late 20260602 0/5', 'incomplete 20260601 0/5'])
  })
})

describe('tracker, bounds', () => {
  it('lets the oldest of a flood of names go, not the runs that it knows, and says so once', () => {
    const tracker = createTracker({ expectations: expecting(FIVE), limits: { openRuns: 50 } })
    for (const day of [0, 1]) for (const each of productsOf({ day, steps: steps(4) })) tracker.take(each)
    const at = nominalOf(1) + 7 * HOUR
    for (let name = 0; name < 5_000; name++) tracker.take(product(0, at, { date: `hostile${name}` }))
    const [figures] = tracker.figures()
    assert.ok((figures?.open ?? 0) <= 50)
    assert.ok((figures?.dropped ?? 0) > 4_900)
    assert.equal(tracker.takeNotices().length, 1)
    assert.deepEqual(tracker.takeNotices(), [])
    tracker.take(product(4, at))
    assert.equal(tracker.run(`mars:oper,${dateOf(1)},00`, at)?.received, 4)
    tracker.take(product(4, at, { day: 1 }))
    assert.equal(tracker.run(`mars:oper,${dateOf(1)},00`, at)?.state, 'complete')
  })

  it('does not tell that each run of a flood began', () => {
    const tracker = tracking()
    for (let name = 0; name < 3_000; name++)
      tracker.take(product(0, START + HOUR, { stream: `s${name}`, date: dateOf(0) }))
    assert.ok(tracker.tick(START + HOUR).length <= 1_001)
  })

  it('does not count more products of a run than it may have, and says so once', () => {
    const tracker = createTracker({
      expectations: expecting({ expect: { count: 9 } }),
      limits: { products: 100 },
    })
    for (let step = 0; step < 300; step++) tracker.take(product(step, START + HOUR))
    const view = tracker.run(ID, START + HOUR)
    assert.deepEqual([view?.received, view?.extra], [9, 91])
    assert.equal(tracker.figures()[0]?.uncounted, 200)
    assert.equal(tracker.takeNotices().length, 1)
  })

  it('forgets products that no run has any more, so that ever new names do not fill it', () => {
    const tracker = createTracker({
      expectations: expecting(),
      limits: { products: 4_000, summaries: 10 },
    })
    for (let day = 0; day < 60; day++) {
      for (const each of productsOf({ day, steps: steps(10) })) tracker.take(each)
      for (let name = 0; name < 150; name++)
        tracker.take(product(1_000 + day * 150 + name, nominalOf(day) + 7 * HOUR, { day }))
      tracker.tick(nominalOf(day + 1) + 1)
    }
    const [figures] = tracker.figures()
    assert.deepEqual([figures?.uncounted, figures?.finished], [0, 10])
    const run = tracker.run(`mars:oper,${dateOf(59)},00`, nominalOf(60))
    assert.deepEqual([run?.state, run?.received, run?.expected, run?.extra], ['complete', 10, 10, 150])
    assert.equal(run?.products[0]?.at, new Date(nominalOf(59) + 6 * HOUR).toISOString())
    assert.deepEqual(run.products.at(-1)?.product, { step: String(1_000 + 59 * 150 + 149) })
    assert.equal(tracker.run(`mars:oper,${dateOf(60)},00`, nominalOf(60))?.expected, 10)
  })

  it('keeps the products of its runs apart when names of others are forgotten, and used again', () => {
    const tracker = createTracker({ expectations: expecting(), limits: { openRuns: 4 } })
    const at = nominalOf(1) + 7 * HOUR
    for (const each of productsOf({ day: 0, steps: steps(4) })) tracker.take(each)
    for (const each of productsOf({ day: 1, steps: steps(4) })) tracker.take(each)
    // More than twice as many names as are kept without a look, most of them in runs that are let go.
    for (let name = 0; name < 150_000; name++)
      tracker.take(product(`n${name}`, at, { stream: `s${Math.floor(name / 15_000)}`, day: 1 }))
    tracker.take(product('again', at, { day: 1 }))
    tracker.take(product(1, at, { day: 1 }))
    const run = tracker.run(`mars:oper,${dateOf(1)},00`, at)
    assert.deepEqual(
      run?.products.map(({ product: { step } }) => step),
      ['0', '1', '2', '3', 'again'],
    )
    assert.deepEqual([run?.received, run?.repeated], [5, 1])
    const other = tracker.run(`mars:s9,${dateOf(1)},00`, at)
    assert.equal(other?.received, 15_000)
    assert.equal(other.products[0]?.product['step'], 'n135000')
  })

  it('remembers so many finished runs of a configuration, and for so long', () => {
    const tracker = createTracker({
      expectations: expecting(FIVE),
      limits: { summaries: 3, keepMs: 20 * DAY },
    })
    for (let day = 0; day < 10; day++) {
      for (const each of productsOf({ day, steps: steps(5) })) tracker.take(each)
      tracker.tick(nominalOf(day + 1))
    }
    assert.equal(tracker.figures()[0]?.finished, 3)
    assert.equal(tracker.takeStored().filter(({ text }) => text === null).length, 7)
    tracker.tick(nominalOf(40))
    assert.deepEqual(tracker.runs({ limit: 9 }, nominalOf(40)).runs, [])
  })
})
