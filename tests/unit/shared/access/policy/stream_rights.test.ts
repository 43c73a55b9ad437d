import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'

import type { LostRight } from '#shared/access/access.ts'
import { AvisoError } from '#shared/errors.ts'
import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import { verdictUnavailable } from '#shared/access/identity/unavailable.ts'
import { createVerdictCache } from '#shared/access/identity/verdict_cache.ts'
import { createStreamRights, type Standing, type StreamRights } from '#shared/access/policy/stream_rights.ts'
import { silentLogger } from '#shared/logger.ts'
import { createManualClock, settle, type ManualClock } from '../../../../support/clock.ts'
import { deferred } from '../identity/support.ts'

const REVOKED = new AvisoError('ERR_FORBIDDEN', 'No')
const DOWN = verdictUnavailable('down')

describe('createStreamRights()', () => {
  let clock: ManualClock
  let counters: Counters
  let rights: StreamRights
  let ended: { reason: LostRight; at: number }[]
  let checks: number
  let answer: () => Promise<Standing>
  let start: number
  let date: number

  beforeEach(() => {
    clock = createManualClock()
    start = clock.monotonic()
    date = clock.now()
    counters = createCounters()
    rights = createStreamRights({ clock, logger: silentLogger, count: counters.count })
    ended = []
    checks = 0
    answer = () => Promise.resolve(standing())
  })

  const standing = (endsAt?: number): Standing => ({ endsAt, validUntil: clock.monotonic() + 30_000 })

  function hold(first = standing()): () => void {
    return rights.hold({
      standing: first,
      check: (maxAgeMs) => {
        // A remembered verdict must not hide a revocation from the check.
        assert.equal(maxAgeMs, 5000)
        checks++
        return answer()
      },
      end: (reason) => ended.push({ reason, at: clock.monotonic() - start }),
    })
  }

  it('lets a stream go on whose right stands, and checks it every 25 s', async () => {
    hold()
    await clock.advance(3_600_000)
    assert.deepEqual(ended, [])
    assert.equal(checks, 144)
    assert.equal(rights.size, 1)
  })

  it('ends a stream whose right was taken away, once', async () => {
    hold()
    await clock.advance(40_000)
    answer = () => Promise.reject(REVOKED)
    await clock.advance(600_000)
    assert.deepEqual(ended, [{ reason: 'auth_revoked', at: 50_000 }])
    assert.equal(counters.values().streams_revoked, 1)
    assert.equal(rights.size, 0)
  })

  it('ends a stream when its credential ends, whatever its checks say, and not before the last second', async () => {
    hold(standing(date + 100_000))
    answer = () => Promise.resolve(standing(date + 100_000))
    await clock.advance(600_000)
    assert.deepEqual(
      ended.map(({ reason }) => reason),
      ['auth_expired'],
    )
    assert.ok((ended[0]?.at ?? 0) > 98_000 && (ended[0]?.at ?? 0) <= 100_000)
  })

  it('says of a credential that ended while it was checked that it ended, not that it was taken away', async () => {
    hold(standing(date + 26_000))
    answer = async () => {
      await clock.sleep(800)
      throw REVOKED
    }
    await clock.advance(60_000)
    assert.deepEqual(ended, [{ reason: 'auth_expired', at: 25_800 }])
  })

  it('goes on where a check says that the credential lasts longer', async () => {
    hold(standing(date + 30_000))
    answer = () => Promise.resolve(standing(date + 3_600_000))
    await clock.advance(600_000)
    assert.deepEqual(ended, [])
  })

  it('checks all streams at once where rules have changed', async () => {
    hold()
    await clock.advance(5000)
    answer = () => Promise.reject(REVOKED)
    rights.checkAll()
    await clock.advance(1000)
    assert.deepEqual(ended, [{ reason: 'auth_revoked', at: 6000 }])
  })

  it('tries again while nobody can say, and ends the stream 58 s after the last verdict', async () => {
    hold()
    answer = () => Promise.reject(DOWN)
    await clock.advance(600_000)
    assert.deepEqual(ended, [{ reason: 'auth_unavailable', at: 58_000 }])
    assert.equal(checks, 7)
  })

  it('goes on where a verdict can be had again in time', async () => {
    hold()
    answer = () => Promise.reject(DOWN)
    await clock.advance(50_000)
    answer = () => Promise.resolve(standing())
    await clock.advance(600_000)
    assert.deepEqual(ended, [])
  })

  it('takes an error nobody foresaw for no verdict, not for a right', async () => {
    hold()
    answer = () => Promise.reject(new TypeError('a defect'))
    await clock.advance(600_000)
    assert.deepEqual(ended, [{ reason: 'auth_unavailable', at: 58_000 }])
  })

  it('ends a stream whose check never answers', async () => {
    hold()
    answer = () => deferred<Standing>().promise
    await clock.advance(600_000)
    assert.deepEqual(ended, [{ reason: 'auth_unavailable', at: 58_000 }])
    assert.equal(checks, 1)
  })

  it('leaves a stream alone that has ended, also while it is checked', async () => {
    const release = hold()
    const pending = deferred<Standing>()
    answer = () => pending.promise
    await clock.advance(26_000)
    release()
    pending.reject(REVOKED)
    await settle()
    await clock.advance(600_000)
    assert.deepEqual(ended, [])
    assert.equal(rights.size, 0)
  })

  for (const jumpMs of [-86_400_000, 86_400_000]) {
    it(`neither ends a stream nor lets it go on because the date jumps by ${jumpMs} ms`, async () => {
      hold()
      await clock.advance(10_000)
      clock.jump(jumpMs)
      await clock.advance(115_000)
      assert.deepEqual([ended, checks], [[], 5])
      answer = () => Promise.reject(DOWN)
      clock.jump(jumpMs)
      await clock.advance(600_000)
      assert.deepEqual(ended, [{ reason: 'auth_unavailable', at: 183_000 }])
    })
  }

  it('ends a stream whose credential has ended by the date, also where that was set forward', async () => {
    hold(standing(date + 3_600_000))
    hold()
    clock.jump(3_600_000)
    await clock.advance(1000)
    assert.deepEqual(ended, [{ reason: 'auth_expired', at: 1000 }])
    assert.equal(rights.size, 1)
  })

  it('ends every stream within 65 s of a revocation, wherever it falls, with streams that share a verdict', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(90_000), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1000, max: 200_000 }),
        fc.boolean(),
        fc.integer({ min: -10_000_000, max: 10_000_000 }),
        async (openings, revokedAt, isDown, jumpMs) => {
          const own = createManualClock()
          const zero = own.monotonic()
          const cache = createVerdictCache<Standing>({ clock: own })
          const watch = createStreamRights({ clock: own, logger: silentLogger, count: () => undefined })
          const ends: number[] = []
          /** As the providers do it: remembered for 30 s, asked for again where a check wants it younger. */
          const ask = async (maxAgeMs?: number): Promise<Standing> =>
            cache.get(
              'user',
              () => {
                if (own.monotonic() - zero >= revokedAt) return Promise.reject(isDown ? DOWN : REVOKED)
                const value = { endsAt: undefined, validUntil: own.monotonic() + 30_000 }
                return Promise.resolve({ value, isYes: true, keepMs: 30_000 })
              },
              maxAgeMs,
            )
          let opened = 0
          for (const at of openings.toSorted((a, b) => a - b)) {
            await own.advance(at - (own.monotonic() - zero))
            own.jump(jumpMs)
            const first = await ask().catch(() => undefined)
            if (first === undefined) continue
            opened++
            watch.hold({ standing: first, check: ask, end: () => ends.push(own.monotonic() - zero) })
          }
          await own.advance(400_000)
          assert.equal(ends.length, opened)
          for (const end of ends)
            assert.ok(end <= revokedAt + 65_000, `revoked at ${revokedAt}, ended at ${end}`)
        },
      ),
      { numRuns: 25 },
    )
  })
})
