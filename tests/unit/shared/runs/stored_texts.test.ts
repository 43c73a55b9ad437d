/**
 * Texts of runs that an earlier version stored (2026-11), letter by letter: an upgrade reads them, and a way back reads ours.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ProductView, Tracker } from '#shared/runs/runs.ts'
import { createTracker } from '#shared/runs/tracker.ts'
import { DAY, dateOf, expecting, HOUR, MINUTE, nominalOf, product } from './products.ts'

/** Numbers, a text, a number of another group that was not expected and came after a day: codes of four bytes. */
const FINISHED =
  '{"v":1,"event":"mars","fields":{"stream":"oper","date":"20260601","time":"00"},"created":1780293600000,"timely":true,"due_by_clock":false,"state":"incomplete","expected":5,"received":4,"extra":2,"repeated":1,"first":1780293600000,"last":1780412400000,"complete":null,"republished":null,"due":1780300800000,"late":1780300800000,"closes":1780416000000,"through":7,"base":1780293600000,"products":[["0/to/24/by/6","0"],[["anl"],"0"],["7","x1"]],"codes":"AgAAAHoAAADyAAAAAQAAAGoBAABbAgAAI6ADAA==","width":4}'
const OPEN =
  '{"v":1,"event":"mars","fields":{"stream":"oper","date":"20260604","time":"00"},"created":1780549200000,"timely":true,"due_by_clock":false,"state":"running","expected":5,"received":2,"extra":0,"repeated":0,"first":1780549200000,"last":1780549290000,"complete":null,"republished":null,"due":1780560000000,"late":null,"closes":1780675200000,"through":9,"base":1780549200000,"products":[["0/to/24/by/6","0"]],"codes":"AgABALYAAQABAA==","width":2,"open":{"from":8,"product":["step","number"]}}'

const EXPECTATIONS = expecting({
  product: ['step', 'number'],
  expect: [{ step: '0/to/24/by/6', number: '0', due: '8h' }],
  close: '40h',
})
const NOW = nominalOf(3) + 6 * HOUR
const ids = { finished: `mars:oper,${dateOf(0)},00`, open: `mars:oper,${dateOf(3)},00` }

function readBack(...stored: readonly string[]): Tracker {
  const at = nominalOf(3) + 5 * HOUR + 90_000
  const bookmark = { since: nominalOf(0), events: { mars: { sequence: 10, at } } }
  return createTracker({ expectations: EXPECTATIONS, stored, bookmark })
}

function inShort({ product: { step, number }, at, state }: ProductView): string {
  return `${step} ${number} ${state} ${at === null ? '' : at.slice(8, 19)}`.trim()
}

/** The products that the texts were made of, taken by a tracker of this version. */
function tracked(): Tracker {
  const tracker = createTracker({
    expectations: EXPECTATIONS,
    bookmark: { since: nominalOf(0), events: {} },
  })
  let sequence = 0
  const take = (step: number | string, at: number, { day = 0, number = '0' } = {}): void => {
    const made = product(step, at, { day })
    tracker.take({ ...made, sequence: ++sequence, fields: { ...made.fields, number } })
  }
  const from = nominalOf(0) + 6 * HOUR
  for (const [place, step] of [0, 6, 12, 24].entries()) take(step, from + place * MINUTE)
  take('anl', from + 5 * MINUTE)
  take(6, from + 6 * MINUTE)
  take(7, from + 33 * HOUR, { number: 'x1' })
  tracker.tick(nominalOf(3))
  take(0, nominalOf(3) + 5 * HOUR, { day: 3 })
  take(12, nominalOf(3) + 5 * HOUR + 90_000, { day: 3 })
  return tracker
}

describe('stored texts of runs', () => {
  it('createTracker(): reads a finished run of the version before', () => {
    const run = readBack(FINISHED).run(ids.finished, NOW)
    assert.deepEqual(run?.products.map(inShort), [
      '0 0 received 01T06:00:00',
      '6 0 received 01T06:01:00',
      '7 x1 extra 02T15:00:00',
      '12 0 received 01T06:02:00',
      '18 0 overdue',
      '24 0 received 01T06:03:00',
      'anl 0 extra 01T06:05:00',
    ])
    const { state, received, expected, extra, repeated } = run
    assert.deepEqual(
      { state, received, expected, extra, repeated },
      { state: 'incomplete', received: 4, expected: 5, extra: 2, repeated: 1 },
    )
    assert.deepEqual(run.missing.products, [{ step: '18', number: '0' }])
  })

  it('createTracker(): goes on with an open run of the version before', () => {
    const tracker = readBack(FINISHED, OPEN)
    assert.equal(tracker.bookmark().events['mars']?.sequence, 10)
    for (const [place, step] of [6, 18, 24].entries())
      tracker.take({ ...product(step, NOW + place * MINUTE, { day: 3 }), sequence: 10 + place })
    const told = tracker.tick(nominalOf(3) + 7 * HOUR)
    assert.deepEqual(
      told.map(({ run, state, at }) => [run.id, state, at]),
      [[ids.open, 'complete', NOW + 2 * MINUTE]],
    )
  })

  it('takeStored(), takeOpen(): write what the version before wrote', () => {
    const tracker = tracked()
    assert.deepEqual(
      tracker.takeStored().map(({ text }) => text),
      [FINISHED],
    )
    assert.deepEqual(
      tracker.takeOpen(0).map(({ text }) => text),
      [OPEN],
    )
  })

  it('createTracker(): tells runs of a slot apart that have nearly the same products', () => {
    const text = (day: number, products: string): string =>
      FINISHED.replace('20260601', dateOf(day))
        .replace(/"closes":\d+/, `"closes":${nominalOf(day) + 40 * HOUR}`)
        .replace(/"products":.*"codes"/, `"products":${products},"codes"`)
    const tracker = readBack(
      text(0, '[["0/to/24/by/6","0"],[["anl"],"0"],["7","x1"]]'),
      text(1, '[["0/to/24/by/6","0"],[["ref"],"0"],["7","x1"]]'),
      text(2, '[["0/to/24/by/6","0"],[["ref","anl"],"0"]]'),
    )
    const extra = [0, 1, 2].map((day) =>
      tracker
        .run(`mars:oper,${dateOf(day)},00`, NOW + DAY)
        ?.products.filter(({ state }) => state === 'extra')
        .map(({ product: { step, number } }) => `${step} ${number}`),
    )
    assert.deepEqual(extra, [
      ['7 x1', 'anl 0'],
      ['7 x1', 'ref 0'],
      ['anl 0', 'ref 0'],
    ])
  })

  it('createTracker(): takes a run with damaged codes as one of which nothing is known to have come', () => {
    for (const codes of ['A', '%%%%', ''])
      assert.deepEqual(
        readBack(FINISHED.replace(/"codes":"[^"]*"/, `"codes":"${codes}"`)).run(ids.finished, NOW)?.products,
        [],
      )
  })
})
