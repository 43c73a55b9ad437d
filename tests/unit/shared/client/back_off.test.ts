import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backOffMs, retryAfterMs } from '#shared/client/back_off.ts'

describe('backOffMs()', () => {
  const limits = { firstMs: 500, lastMs: 30_000 }

  it('doubles up to its longest step', () => {
    const steps = [0, 1, 2, 6, 7, 1000].map((attempt) => backOffMs(attempt, limits, () => 1))
    assert.deepEqual(steps, [500, 1000, 2000, 30_000, 30_000, 30_000])
  })

  it('is spread over the whole step', () => {
    assert.equal(
      backOffMs(3, limits, () => 0),
      0,
    )
    assert.equal(
      backOffMs(3, limits, () => 0.5),
      2000,
    )
  })
})

describe('retryAfterMs()', () => {
  const now = Date.UTC(2026, 7, 10)

  for (const [header, ms] of [
    [null, undefined],
    ['3', 3000],
    ['Mon, 10 Aug 2026 00:00:07 GMT', 7000],
    ['Sun, 09 Aug 2026 00:00:00 GMT', 0],
    ['99999', 300_000],
    ['soon', undefined],
  ] as const) {
    it(`reads ${String(header)}`, () => assert.equal(retryAfterMs(header, now), ms))
  }
})
