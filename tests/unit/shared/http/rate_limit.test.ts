import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createBuckets } from '#shared/access/quota/buckets.ts'
import { rateLimitFields, usedUp } from '#shared/http/rate_limit.ts'
import { createManualClock } from '../../../support/clock.ts'

describe('rateLimitFields()', () => {
  it('says what a bucket has left, and when it is whole again', () => {
    const clock = createManualClock()
    const buckets = createBuckets(clock, { perSecond: 2, burst: 5 })
    const fields = (): unknown => rateLimitFields(buckets.left('a'))
    const policy = { 'ratelimit-policy': '"quota";q=5;w=3' }
    assert.deepEqual(fields(), { ...policy, ratelimit: '"quota";r=5;t=0' })
    for (let taken = 0; taken < 5; taken++) buckets.take('a')
    assert.deepEqual(fields(), { ...policy, ratelimit: '"quota";r=0;t=3' })
    buckets.charge('a', 10)
    assert.deepEqual(fields(), { ...policy, ratelimit: '"quota";r=0;t=8' }, 'a bucket may owe')
  })

  it('says nothing where nothing is counted', () => {
    assert.deepEqual(rateLimitFields(undefined), {})
  })
})

describe('usedUp()', () => {
  it('has the name of the policy', () => {
    assert.equal(usedUp('7'), '"quota";r=0;t=7')
  })
})
