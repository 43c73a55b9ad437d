import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { interleave } from '../../../../scripts/bench/plan.ts'

describe('interleave()', () => {
  it('takes turns, every second time backwards, and keeps the results apart', async () => {
    const order: string[] = []
    const take = (name: string) => (run: number) => {
      order.push(name)
      return Promise.resolve(`${name}${run}`)
    }
    const results = await interleave(3, { ours: take('ours'), bare: take('bare') })
    assert.deepEqual(order, ['ours', 'bare', 'bare', 'ours', 'ours', 'bare'])
    assert.deepEqual(results, { ours: ['ours0', 'ours1', 'ours2'], bare: ['bare0', 'bare1', 'bare2'] })
  })
})
