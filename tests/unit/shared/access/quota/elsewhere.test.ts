import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createBuckets, type Buckets } from '#shared/access/quota/buckets.ts'
import {
  countEverywhere,
  createElsewhere,
  type CountedEverywhere,
  type CountedOne,
  type ToldElsewhere,
} from '#shared/access/quota/elsewhere.ts'
import { createManualClock } from '../../../../support/clock.ts'

/** Workers that tell each other at once. */
function createWorkers(count: number) {
  const told: CountedOne[] = []
  const ends: ToldElsewhere[] = Array.from({ length: count }, (_, worker) =>
    createElsewhere((one) => {
      told.push(one)
      for (const [other, end] of ends.entries()) if (other !== worker) end.take(one)
    }),
  )
  const clock = createManualClock()
  const open = (worker: number, what: CountedEverywhere): Buckets =>
    countEverywhere(createBuckets(clock, { perSecond: 1, burst: 3 }), what, ends[worker])
  return { told, open }
}

describe('countEverywhere()', () => {
  it('takes what other workers take, each kind for itself', () => {
    const { told, open } = createWorkers(3)
    const [one, two, three] = [0, 1, 2].map((worker) => open(worker, 'credentials'))
    const others = open(1, 'wrong_tickets')
    assert.ok(one?.take('a'))
    assert.ok(two?.take('a'))
    assert.equal(three?.left('a').left, 1)
    assert.ok(three?.take('a'))
    for (const buckets of [one, two, three]) {
      assert.ok(!buckets?.has('a'))
      assert.ok(!buckets?.take('a'), 'one that is not taken is not told')
      assert.ok(buckets?.has('b'))
    }
    assert.ok(others.has('a'))
    assert.deepEqual(told, Array(3).fill({ what: 'credentials', key: 'a' }))
  })

  it('leaves the buckets as they are where there is one worker', () => {
    const buckets = createBuckets(createManualClock(), { perSecond: 1, burst: 3 })
    assert.equal(countEverywhere(buckets, 'tickets', undefined), buckets)
  })
})
