import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LONGEST_SILENCE_MS, checkClock } from '#shared/retention/clock_check.ts'

const NOW = Date.UTC(2026, 10, 25)
const DAY_MS = 86_400_000

describe('checkClock()', () => {
  it('refuses a clock that is a year ahead of everything in the store', () => {
    assert.deepEqual(checkClock(NOW + 365 * DAY_MS, [NOW, NOW - DAY_MS]), {
      ok: false,
      aheadMs: 365 * DAY_MS,
    })
  })
  it('believes a silence of up to a quarter of a year', () => {
    assert.ok(checkClock(NOW + LONGEST_SILENCE_MS, [NOW]).ok)
    assert.ok(!checkClock(NOW + LONGEST_SILENCE_MS + 1, [NOW]).ok)
  })
  it('believes a clock that is behind, and one that nothing contradicts', () => {
    assert.ok(checkClock(NOW, [NOW + 365 * DAY_MS]).ok)
    assert.ok(checkClock(NOW, []).ok)
  })
})
