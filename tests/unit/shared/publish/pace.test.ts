import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPace } from '#shared/publish/pace.ts'
import { createSkippingClock } from '../../../support/clock.ts'

function setUp() {
  let draws = 0
  const clock = createSkippingClock()
  const pace = createPace({ clock, random: () => `draw ${draws++}` })
  return { pace, pauses: clock.sleeps }
}

describe('createPace()', () => {
  it('tries again at once after the first lost races, then spreads, within bounds', async () => {
    const { pace, pauses } = setUp()
    for (let race = 1; race <= 3; race++) {
      assert.equal(pace.isStarving(), false)
      await pace.afterLostRace()
    }
    assert.deepEqual(pauses, [])
    assert.equal(pace.isStarving(), true)
    for (let race = 0; race < 50; race++) await pace.afterLostRace()
    assert.equal(pauses.length, 50)
    assert.ok(pauses.every((pause) => pause >= 0 && pause <= 4))
    assert.ok(new Set(pauses).size > 40, 'they differ')
    await pace.afterCommit(false)
    assert.equal(pace.isStarving(), false)
  })

  it('waits longer after each failure, up to a second, and starts anew after a commit', async () => {
    const { pace, pauses } = setUp()
    for (let failure = 0; failure < 12; failure++) await pace.afterFailure()
    assert.ok((pauses[0] ?? 0) <= 20 && (pauses[0] ?? 0) >= 10)
    assert.ok((pauses[11] ?? 0) >= 500 && (pauses[11] ?? 0) <= 1_000)
    await pace.afterCommit(false)
    await pace.afterFailure()
    assert.ok((pauses.at(-1) ?? 99) <= 20)
  })

  it('yields to somebody who waits, longer until a race is lost', async () => {
    const { pace, pauses } = setUp()
    await pace.afterCommit(false)
    for (let commit = 0; commit < 7; commit++) await pace.afterCommit(true)
    assert.deepEqual(pauses, [4, 8, 16, 32, 64, 128, 256])
    await pace.afterLostRace()
    await pace.afterCommit(true)
    assert.equal(pauses.at(-1), 4)
  })
})
