import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '#shared/logger.ts'
import { createEndpoints } from '#shared/store/etcd/endpoints.ts'
import { createManualClock } from '../../../../support/clock.ts'

function setUp(...urls: readonly string[]) {
  const clock = createManualClock()
  // A fraction of 0.12: the first endpoint comes first.
  const endpoints = createEndpoints({ urls, clock, random: () => 'b', logger: silentLogger })
  return { clock, endpoints }
}

describe('createEndpoints()', () => {
  for (const jumpMs of [-3_600_000, 0, 3_600_000]) {
    it(`lets a member that failed rest for its time, where the date jumps by ${jumpMs} ms`, () => {
      const { clock, endpoints } = setUp('a', 'b')
      const [first] = [endpoints.pick()]
      assert.equal(first.url, 'a')
      endpoints.failed(first, true)
      const second = endpoints.pick()
      assert.equal(second.url, 'b')
      clock.jump(jumpMs)
      assert.deepEqual(endpoints.others(second), [])
      clock.pass(2_000)
      assert.deepEqual(endpoints.others(second), [first])
    })
  }

  it('rests longer after each failure in a row, up to half a second, and not after a success', () => {
    const { clock, endpoints } = setUp('a')
    const member = endpoints.pick()
    const restMs = (): number => {
      endpoints.failed(member, false)
      return member.restsUntil - clock.monotonic()
    }
    const rests = Array.from({ length: 2_000 }, restMs)
    for (const [failures, rest] of rests.entries()) {
      const longest = Math.min(30 * 2 ** failures, 500)
      assert.ok(rest >= longest / 2 && rest < longest, `${rest} ms after ${failures + 1} failures`)
    }
    endpoints.worked(member)
    assert.ok(restMs() < 30)
  })
})
