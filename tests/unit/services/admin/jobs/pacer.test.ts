import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { REST_MS, REST_SHARE, RETRIES, RETRY_MS } from '#services/admin/jobs/limits.ts'
import { createPacer } from '#services/admin/jobs/pacer.ts'
import { AvisoError } from '#shared/errors.ts'
import { createSkippingClock, type TestClock } from '../../../../support/clock.ts'
import { rejects } from '../../../../contract/store_support.ts'

describe('createPacer()', () => {
  let clock: TestClock
  const never = new AbortController().signal
  beforeEach(() => {
    clock = createSkippingClock()
  })

  it('leaves the store alone for a multiple of what a request took, within bounds', async () => {
    const pacer = createPacer(clock, never)
    for (const tookMs of [10, 0, 60_000]) {
      await pacer.run(async () => {
        clock.pass(tookMs)
        clock.jump(-3_600_000)
      })
    }
    assert.deepEqual(clock.sleeps, [10 * REST_SHARE, REST_MS.least, REST_MS.most])
  })

  it('tries again what may pass, a few times', async () => {
    let tries = 0
    const request = (): Promise<never> => {
      tries++
      throw new AvisoError('ERR_STORE_UNAVAILABLE', 'not now')
    }
    await rejects(createPacer(clock, never).run(request), 'ERR_STORE_UNAVAILABLE')
    assert.equal(tries, RETRIES + 1)
    assert.deepEqual(
      clock.sleeps,
      Array.from({ length: RETRIES }, () => RETRY_MS),
    )
  })

  it('tries nothing again that would fail as it did', async () => {
    let tries = 0
    const request = (): Promise<never> => {
      tries++
      throw new AvisoError('ERR_JOB_RUNNING', 'no')
    }
    await rejects(createPacer(clock, never).run(request), 'ERR_JOB_RUNNING')
    assert.equal(tries, 1)
  })

  it('begins nothing once it is told to stop', async () => {
    const stop = new AbortController()
    stop.abort()
    await rejects(
      createPacer(clock, stop.signal).run(() => assert.fail('it began')),
      'ERR_STORE_UNAVAILABLE',
    )
  })
})
