import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPace } from '#shared/publish/pace.ts'
import { createSkippingClock } from '../../../support/clock.ts'

describe('createPace()', () => {
  it('waits longer after each failure, up to a second, and starts anew after a success', async () => {
    let draws = 0
    const clock = createSkippingClock()
    const pace = createPace({ clock, random: () => `draw ${draws++}` })
    const { sleeps: pauses } = clock
    for (let failure = 0; failure < 12; failure++) await pace.afterFailure()
    assert.ok((pauses[0] ?? 0) <= 20 && (pauses[0] ?? 0) >= 10)
    assert.ok((pauses[11] ?? 0) >= 500 && (pauses[11] ?? 0) <= 1_000)
    pace.afterSuccess()
    await pace.afterFailure()
    assert.ok((pauses.at(-1) ?? 99) <= 20)
  })
})
