import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backOffMs } from '#shared/time/back_off.ts'

describe('backOffMs()', () => {
  const limits = { firstMs: 500, mostMs: 30_000 }

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

  it('leaves a share of a step to no chance where it is told to', () => {
    const steady = { ...limits, steadyShare: 0.5 }
    const waits = [0, 0.5, 1].map((random) => backOffMs(1, steady, () => random))
    assert.deepEqual(waits, [500, 750, 1000])
  })
})
