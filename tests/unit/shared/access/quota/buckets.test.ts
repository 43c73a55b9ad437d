import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { createBuckets, tooMany } from '#shared/access/quota/buckets.ts'
import { createSlots } from '#shared/access/quota/slots.ts'
import { createManualClock } from '../../../../support/clock.ts'

describe('createBuckets()', () => {
  it('gives out the burst at once, then the rate, to each key on its own', async () => {
    const clock = createManualClock()
    const buckets = createBuckets(clock, { perSecond: 2, burst: 3 })
    const take = (key: string, times: number): boolean[] =>
      Array.from({ length: times }, () => buckets.take(key))
    assert.deepEqual(take('a', 4), [true, true, true, false])
    assert.deepEqual(take('b', 1), [true])
    assert.equal(buckets.has('a'), false)
    assert.equal(buckets.retryAfterSeconds('a'), 1)
    await clock.advance(500)
    assert.deepEqual(take('a', 2), [true, false])
    await clock.advance(3_600_000)
    assert.deepEqual(take('a', 4), [true, true, true, false])
  })

  it('says how long until the next one', () => {
    const buckets = createBuckets(createManualClock(), { perSecond: 0.1, burst: 1 })
    buckets.take('a')
    assert.equal(buckets.retryAfterSeconds('a'), 10)
    assert.equal(buckets.retryAfterSeconds('unknown'), 1)
  })

  it('never gives more than burst + rate × time, for any arrivals and clock steps', async () => {
    const step = fc.record({
      ms: fc.nat(5000),
      jumpMs: fc.integer({ min: -1_000_000, max: 1_000_000 }),
      takes: fc.nat(20),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 10 }),
        async (steps, burst) => {
          const clock = createManualClock()
          const buckets = createBuckets(clock, { perSecond: 5, burst })
          let forwardMs = 0
          let taken = 0
          for (const { ms, jumpMs, takes } of steps) {
            clock.pass(ms)
            clock.jump(jumpMs)
            forwardMs += ms
            for (let attempt = 0; attempt < takes; attempt++) if (buckets.take('k')) taken++
          }
          assert.ok(taken <= burst + (forwardMs / 1000) * 5 + 1e-6)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('fills again by the time that passes, where the date was set back', async () => {
    const clock = createManualClock()
    const buckets = createBuckets(clock, { perSecond: 1, burst: 1 })
    assert.equal(buckets.take('a'), true)
    clock.jump(-3_600_000)
    assert.equal(buckets.take('a'), false)
    await clock.advance(1000)
    assert.equal(buckets.take('a'), true)
  })

  it('remembers a bounded number of keys, and first forgets those that are full again', async () => {
    const clock = createManualClock()
    const buckets = createBuckets(clock, { perSecond: 1, burst: 2 }, 100)
    for (let index = 0; index < 1000; index++) buckets.take(`key ${index}`)
    assert.equal(buckets.size, 100)
    await clock.advance(10_000)
    for (let index = 0; index < 40; index++) buckets.take(`new ${index}`)
    assert.ok(buckets.size <= 45, String(buckets.size))
  })
})

describe('tooMany()', () => {
  it('tells when to come back', () => {
    const error = tooMany('streams', 7)
    assert.deepEqual([error.status, error.details['retry_after']], [429, 7])
  })
})

describe('createSlots()', () => {
  it('gives each key so many at a time, and takes them back once', () => {
    const slots = createSlots(2)
    const first = slots.take('a')
    assert.ok(first !== undefined && slots.take('a') !== undefined)
    assert.equal(slots.take('a'), undefined)
    assert.ok(slots.take('b') !== undefined)
    first()
    first()
    assert.ok(slots.take('a') !== undefined)
    assert.equal(slots.take('a'), undefined)
  })

  it('remembers only keys that have some', () => {
    const slots = createSlots(2)
    const back = slots.take('a')
    assert.equal(slots.size, 1)
    back?.()
    assert.equal(slots.size, 0)
  })
})
