import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Tracker, Transition } from '#shared/runs/runs.ts'
import { createTracker } from '#shared/runs/tracker.ts'
import {
  dateOf,
  expecting,
  HOUR,
  MINUTE,
  nominalOf,
  playDay,
  productsOf,
  short,
  START,
  steps,
} from './products.ts'

const ALARMS = ['late', 'incomplete']

function learning(settings: Readonly<Record<string, unknown>> = {}): Tracker {
  return createTracker({ expectations: expecting(settings), bookmark: { since: START, events: {} } })
}

/** Plays so many ordinary days of ten steps. @returns the transitions */
function play(
  tracker: Tracker,
  from: number,
  until: number,
  { count = 10, afterHours = 6 } = {},
): readonly Transition[] {
  return Array.from({ length: until - from }, (_, index) =>
    playDay(tracker, { day: from + index, steps: steps(count), afterHours }),
  ).flat()
}

function alarms(transitions: readonly Transition[]): string[] {
  return short(transitions.filter(({ state }) => ALARMS.includes(state)))
}

describe('learning', () => {
  it('says how many days it has learned from, and expects nothing until then', () => {
    const tracker = learning()
    const told = play(tracker, 0, 7)
    assert.deepEqual(new Set(told.map(({ state }) => state)), new Set(['started']))
    const third = tracker.run(`mars:oper,${dateOf(2)},00`, nominalOf(3))
    assert.deepEqual(third?.learning, { runs: 2, needed: 7 })
    assert.equal(third.expected, null)
    assert.equal(third.state, 'abandoned')
    assert.deepEqual(short(play(tracker, 7, 8)), [`started ${dateOf(7)} 1/10`, `complete ${dateOf(7)} 10/10`])
    assert.equal(tracker.run(`mars:oper,${dateOf(7)},00`, nominalOf(8))?.learning, null)
  })

  it('knows what is usual: when it begins, when it is complete, when it is due', () => {
    const tracker = learning()
    play(tracker, 0, 8)
    const view = tracker.run(`mars:oper,${dateOf(8)},00`, nominalOf(8) + 1)
    assert.equal(view?.state, 'expected')
    assert.deepEqual(view.usual, {
      first_at: new Date(nominalOf(8) + 6 * HOUR).toISOString(),
      complete_at: new Date(nominalOf(8) + 6 * HOUR + 9 * MINUTE).toISOString(),
    })
    assert.equal(view.due_at, new Date(nominalOf(8) + 6 * HOUR + 29 * MINUTE).toISOString())
    const due = view.products.map(
      ({ due_at }) => (Date.parse(due_at ?? '') - nominalOf(8) - 6 * HOUR) / MINUTE,
    )
    assert.deepEqual(due, [20, 21, 22, 23, 24, 25, 26, 27, 28, 29])
  })

  it('tells a run late of which nothing came', () => {
    const tracker = learning()
    play(tracker, 0, 8)
    assert.deepEqual(short(tracker.tick(nominalOf(9) - 1)), [`late ${dateOf(8)} 0/10`])
    assert.deepEqual(short(tracker.tick(nominalOf(9))), [`incomplete ${dateOf(8)} 0/10`])
  })

  it('is not misled by one odd day', () => {
    const tracker = learning()
    play(tracker, 0, 8)
    playDay(tracker, { day: 8, steps: [1, 2], afterHours: 15 })
    assert.deepEqual(short(play(tracker, 9, 10)), [
      `started ${dateOf(9)} 1/10`,
      `complete ${dateOf(9)} 10/10`,
    ])
    assert.deepEqual(alarms(playDay(tracker, { day: 10, steps: steps(9) })), [
      `late ${dateOf(10)} 9/10`,
      `incomplete ${dateOf(10)} 9/10`,
    ])
  })

  it('finds the same product missing on two days, and after them again', () => {
    const tracker = learning()
    play(tracker, 0, 10)
    for (const day of [10, 11]) assert.equal(alarms(playDay(tracker, { day, steps: steps(9) })).length, 2)
    assert.deepEqual(alarms(play(tracker, 12, 15)), [])
    assert.equal(alarms(playDay(tracker, { day: 15, steps: steps(9) })).length, 2)
  })

  it('does not forget a product that was missing on three days of seven', () => {
    const tracker = learning()
    for (let day = 0; day < 21; day++)
      playDay(tracker, { day, steps: [15, 17, 19].includes(day) ? steps(9) : steps(10) })
    assert.equal(alarms(playDay(tracker, { day: 21, steps: steps(9) })).length, 2)
  })

  it('stops after three days to miss what does not come any more', () => {
    const tracker = learning()
    play(tracker, 0, 14)
    assert.deepEqual(
      alarms(play(tracker, 14, 25, { count: 8 })).map((line) => line.split(' ')[1]),
      [14, 14, 15, 15, 16, 16].map(dateOf),
    )
  })

  it('expects what is new within five days, and takes it for extra until then', () => {
    const tracker = learning()
    play(tracker, 0, 8)
    assert.deepEqual(alarms(play(tracker, 8, 13, { count: 12 })), [])
    assert.equal(tracker.run(`mars:oper,${dateOf(9)},00`, nominalOf(10))?.extra, 2)
    assert.deepEqual(alarms(play(tracker, 13, 14)), [
      `late ${dateOf(13)} 10/12`,
      `incomplete ${dateOf(13)} 10/12`,
    ])
  })

  it('takes a later hour for usual after three days, and an earlier one at once', () => {
    const tracker = learning()
    play(tracker, 0, 14)
    const later = play(tracker, 14, 24, { afterHours: 7 })
    assert.deepEqual(
      alarms(later),
      [14, 15, 16].map((day) => `late ${dateOf(day)} 0/10`),
    )
    assert.deepEqual(alarms(play(tracker, 24, 30, { afterHours: 6 })), [])
    assert.deepEqual(alarms(play(tracker, 30, 31, { afterHours: 7 })), [`late ${dateOf(30)} 0/10`])
  })

  it('stops after three days to expect a run that does not come any more', () => {
    const tracker = learning()
    play(tracker, 0, 20)
    const told = Array.from({ length: 30 }, (_, day) => tracker.tick(nominalOf(21 + day) + 1)).flat()
    assert.deepEqual(
      alarms(told).filter((line) => line.startsWith('late')),
      [20, 21, 22].map((day) => `late ${dateOf(day)} 0/10`),
    )
  })

  it('expects a weekly run on its day only', () => {
    const tracker = learning()
    const told: Transition[] = []
    for (let day = 0; day < 70; day++) {
      if (day % 7 === 0) told.push(...playDay(tracker, { day, steps: steps(10) }))
      else told.push(...tracker.tick(nominalOf(day + 1)))
    }
    assert.deepEqual(alarms(told), [])
    tracker.tick(nominalOf(70) + 1)
    assert.equal(tracker.run(`mars:oper,${dateOf(70)},00`, nominalOf(70))?.state, 'expected')
    assert.deepEqual(alarms(tracker.tick(nominalOf(75))), [
      `late ${dateOf(70)} 0/10`,
      `incomplete ${dateOf(70)} 0/10`,
    ])
  })

  it('expects a weekly run from its third week on, where what is expected is listed', () => {
    const tracker = learning({ expect: [{ step: '0/to/9', due: '8h' }] })
    for (const day of [0, 7, 14]) {
      tracker.tick(nominalOf(day))
      playDay(tracker, { day, steps: steps(10) })
    }
    assert.deepEqual(alarms(tracker.tick(nominalOf(24))), [
      `late ${dateOf(21)} 0/10`,
      `incomplete ${dateOf(21)} 0/10`,
    ])
  })

  it('misses a run of working days on working days only', () => {
    const tracker = learning()
    const told: Transition[] = []
    const isWorkingDay = (day: number): boolean => day % 7 < 5
    for (let day = 0; day < 42; day++) {
      const transitions = isWorkingDay(day)
        ? playDay(tracker, { day, steps: steps(10) })
        : tracker.tick(nominalOf(day + 1))
      if (day >= 21) told.push(...transitions)
    }
    assert.deepEqual(alarms(told), [])
    assert.deepEqual(alarms(tracker.tick(nominalOf(43) + 1)), [
      `late ${dateOf(42)} 0/10`,
      `incomplete ${dateOf(42)} 0/10`,
    ])
  })

  it('does not miss a product that comes once a week, and misses it on its day', () => {
    const tracker = learning()
    const told: Transition[] = []
    for (let day = 0; day < 35; day++)
      told.push(...playDay(tracker, { day, steps: day % 7 === 3 ? steps(11) : steps(10) }))
    assert.deepEqual(alarms(told), [])
    assert.deepEqual(alarms(play(tracker, 35, 39)), [
      `late ${dateOf(38)} 10/11`,
      `incomplete ${dateOf(38)} 10/11`,
    ])
  })

  it('does not take three of four weeks for a weekly habit of a product', () => {
    const tracker = learning()
    const told: Transition[] = []
    for (let day = 0; day < 32; day++)
      told.push(...playDay(tracker, { day, steps: [3, 17, 24].includes(day) ? steps(11) : steps(10) }))
    assert.deepEqual(alarms(told), [])
  })

  it('learns only from runs that are closed, so that it is the same after a restart', () => {
    const tracker = learning({ close: '60h' })
    play(tracker, 0, 5)
    assert.deepEqual(tracker.run(`mars:oper,${dateOf(4)},00`, nominalOf(5))?.learning, { runs: 2, needed: 7 })
  })

  it('does not count back-fills as days that it has learned from', () => {
    const tracker = learning()
    for (let day = 0; day < 9; day++)
      for (const { fields, ...rest } of productsOf({ day, steps: steps(10) }))
        tracker.take({ ...rest, fields: { ...fields, date: `2025060${day + 1}` } })
    tracker.tick(nominalOf(20))
    playDay(tracker, { day: 20, steps: steps(10) })
    assert.deepEqual(tracker.run(`mars:oper,${dateOf(20)},00`, nominalOf(21))?.learning, {
      runs: 0,
      needed: 7,
    })
  })

  it('does not learn from back-fills', () => {
    const tracker = learning()
    for (let day = 0; day < 9; day++) {
      play(tracker, day, day + 1)
      for (const { fields, ...rest } of productsOf({ day, steps: [500, 501] }))
        tracker.take({ ...rest, fields: { ...fields, date: `2025060${day + 1}` } })
    }
    assert.deepEqual(short(play(tracker, 9, 10)).slice(-2), [
      `started ${dateOf(9)} 1/10`,
      `complete ${dateOf(9)} 10/10`,
    ])
  })

  it('learns the times of what is listed or counted, too', () => {
    for (const expect of [[{ step: '0/to/9' }], { count: 10 }]) {
      const tracker = learning({ expect })
      play(tracker, 0, 8)
      const view = tracker.run(`mars:oper,${dateOf(8)},00`, nominalOf(8) + 1)
      assert.equal(view?.expected, 10)
      assert.equal(view.due_at, new Date(nominalOf(8) + 6 * HOUR + 29 * MINUTE).toISOString())
    }
  })
})
