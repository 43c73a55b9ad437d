import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inBatches } from '../../../../scripts/serve/workers/in_batches.ts'

describe('inBatches()', () => {
  it('sends what comes meanwhile together, and gives each its answer', async () => {
    const sizes: number[] = []
    const ask = inBatches(async (asked: readonly number[]) => {
      sizes.push(asked.length)
      await Promise.resolve()
      return asked.map((number) => number * 2)
    })
    const told = await Promise.all(Array.from({ length: 1200 }, (_, number) => ask(number)))
    assert.deepEqual(
      told,
      Array.from({ length: 1200 }, (_, number) => number * 2),
    )
    assert.deepEqual(sizes, [1, 500, 500, 199])
    assert.equal(await ask(4), 8)
  })

  it('rejects the questions of a call that fails, and goes on', async () => {
    let isBroken = true
    const ask = inBatches(async (asked: readonly number[]) => {
      await Promise.resolve()
      if (isBroken) throw new Error('broken')
      return asked
    })
    await assert.rejects(ask(1), /broken/)
    isBroken = false
    assert.equal(await ask(2), 2)
    const short = inBatches(async (): Promise<readonly number[]> => [])
    await assert.rejects(short(1), /Not every question/)
  })
})
