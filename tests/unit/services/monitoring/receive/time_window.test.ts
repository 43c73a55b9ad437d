import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  createTimeWindow,
  MAX_FOREIGN_MEASUREMENTS,
  SLICE_MS,
  type Durations,
} from '#services/monitoring/receive/time_window.ts'
import { createUserWindow, MAX_USERS } from '#services/monitoring/receive/user_window.ts'

const START = Date.UTC(2026, 5, 10, 12)
const MINUTE = 60_000
const part = (count: number, avg: number, max: number, min: number): Durations => ({ count, avg, max, min })

function window() {
  return createTimeWindow(10 * MINUTE, (name) => name === 'rest_resp_time')
}

describe('createTimeWindow()', () => {
  it('aggregates as 1.x meant to (row 72)', () => {
    const times = window()
    times.add('rest_resp_time', part(2, 2, 3, 1), START)
    times.add('rest_resp_time', part(2, 3, 4, 2), START + MINUTE)
    assert.deepEqual(times.since('rest_resp_time', START), part(4, 2.5, 4, 1))
  })

  it('weighs averages by their counts, and keeps the largest of all', () => {
    const times = window()
    times.add('rest_resp_time', part(2, 3, 40, 2), START)
    times.add('rest_resp_time', part(1, 1, 1, 1), START)
    const { count, avg, max, min } = times.since('rest_resp_time', START) ?? part(0, 0, 0, 0)
    assert.deepEqual([count, Math.round(avg * 1e9), max, min], [3, Math.round(7e9 / 3), 40, 1])
  })

  it('agrees with all samples at once, however they are cut into messages', () => {
    let state = 1
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
    const times = window()
    const samples: number[] = []
    for (let message = 0; message < 200; message++) {
      const some = Array.from({ length: 1 + Math.floor(random() * 20) }, () => random() * 10)
      samples.push(...some)
      const avg = some.reduce((sum, value) => sum + value, 0) / some.length
      times.add(
        'rest_resp_time',
        part(some.length, avg, Math.max(...some), Math.min(...some)),
        START + message * 1_000,
      )
    }
    const result = times.since('rest_resp_time', START)
    assert.equal(result?.count, samples.length)
    assert.equal(result?.max, Math.max(...samples))
    assert.equal(result?.min, Math.min(...samples))
    const avg = samples.reduce((sum, value) => sum + value, 0) / samples.length
    assert.ok(Math.abs((result?.avg ?? 0) - avg) < 1e-9)
  })

  it('forgets what is older than the window, and keeps the totals', () => {
    const times = window()
    times.add('rest_resp_time', part(1, 9, 9, 9), START)
    times.add('rest_resp_time', part(1, 1, 1, 1), START + 5 * MINUTE)
    assert.equal(times.since('rest_resp_time', START + 4 * MINUTE)?.max, 1)
    for (let slice = 0; slice < 1_000; slice++)
      times.add('rest_resp_time', part(1, 1, 1, 1), START + slice * SLICE_MS)
    assert.ok((times.since('rest_resp_time', 0)?.count ?? 0) <= (10 * MINUTE) / SLICE_MS + 2)
    assert.equal(times.totals('rest_resp_time').count, 1_002)
  })

  it('takes a clock that goes back', () => {
    const times = window()
    times.add('rest_resp_time', part(1, 1, 1, 1), START)
    times.add('rest_resp_time', part(1, 3, 3, 3), START - 20 * MINUTE)
    assert.equal(times.since('rest_resp_time', START - MINUTE)?.count, 2)
  })

  it('refuses figures that contradict each other or are nobody’s', () => {
    const times = window()
    const bad = [
      part(1, 5, 4, 1),
      part(1, 1, 4, 2),
      part(-1, 1, 1, 1),
      part(1.5, 1, 1, 1),
      part(1, -1, 1, -1),
      part(1, Number.NaN, 1, 1),
      part(1, 1e300, 1e300, 1e300),
      part(1e15, 1, 1, 1),
    ]
    for (const durations of bad) assert.equal(times.add('rest_resp_time', durations, START), false)
    assert.equal(times.since('rest_resp_time', 0), undefined)
  })

  it('bounds the names that strangers send, never at the cost of ours', () => {
    const times = window()
    let taken = 0
    for (let index = 0; index < 1_000_000; index++) {
      if (times.add(`name${index}`, part(1, 1, 1, 1), START)) taken++
    }
    assert.equal(taken, MAX_FOREIGN_MEASUREMENTS)
    assert.equal(times.add('rest_resp_time', part(1, 1, 1, 1), START), true)
    assert.equal(times.measurements(START).length, MAX_FOREIGN_MEASUREMENTS + 1)
    assert.equal(
      times.add('later', part(1, 1, 1, 1), START + 20 * MINUTE),
      true,
      'there is room again after the window',
    )
  })
})

describe('createUserWindow()', () => {
  it('counts distinct users within the window (row 76)', () => {
    const users = createUserWindow(24 * 60 * MINUTE)
    users.add(['apple'], START)
    users.add(['apple', 'pear'], START + MINUTE)
    assert.equal(users.count(START + MINUTE), 2)
    assert.equal(users.count(START + 24 * 60 * MINUTE + 30_000), 2, 'apple was seen again')
    assert.equal(users.count(START + 24 * 60 * MINUTE + 2 * MINUTE), 0)
  })

  it('is bounded', () => {
    const users = createUserWindow(MINUTE)
    for (let index = 0; index < 100; index++) {
      users.add(
        Array.from({ length: 1_000 }, (_, place) => `user ${index} ${place}`),
        START,
      )
    }
    assert.equal(users.count(START), MAX_USERS)
    assert.equal(users.overflows, 100_000 - MAX_USERS)
  })
})
