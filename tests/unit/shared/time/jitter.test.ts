import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { randomFraction } from '#shared/time/jitter.ts'
import { LEAST_CHANCE } from '../../../support/dice.ts'

describe('randomFraction()', () => {
  it('makes the same number in [0, 1) of the same text', () => {
    for (const text of ['', 'a', 'é𝄞', '0c02fdc5-148c-43b5-b2fa-cb1f590369ff', 'x'.repeat(1_000)]) {
      const fraction = randomFraction(() => text)
      assert.ok(fraction >= 0 && fraction < 1, text)
      assert.equal(
        randomFraction(() => text),
        fraction,
      )
    }
    assert.ok(randomFraction(() => LEAST_CHANCE) < 0.001)
  })

  it('spreads texts that differ in one character evenly', () => {
    const counts = Array.from({ length: 10 }, () => 0)
    for (let index = 0; index < 10_000; index++) {
      const tenth = Math.floor(randomFraction(() => `request-${index}`) * 10)
      counts[tenth] = (counts[tenth] ?? 0) + 1
    }
    assert.ok(
      counts.every((count) => count > 850 && count < 1_150),
      String(counts),
    )
  })
})
