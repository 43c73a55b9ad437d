import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { watchOver } from '#shared/store/etcd/liveness.ts'
import { createManualClock } from '../../../../support/clock.ts'

/** A connection that is silent, and a member that answers or does not. */
function silentConnection({ isAlive }: { readonly isAlive: boolean }) {
  const clock = createManualClock()
  const seen: string[] = []
  const liveness = watchOver({
    clock,
    aliveAt: () => -Infinity,
    probe: () => {
      seen.push('probe')
      return Promise.resolve(isAlive ? undefined : new Error('no answer'))
    },
    onDead: () => seen.push('dead'),
    onQuiet: () => seen.push('quiet'),
  })
  liveness.waiting()
  return { clock, seen, liveness }
}

describe('watchOver()', () => {
  for (const jumpMs of [-3_600_000, 0, 3_600_000]) {
    it(`asks the member after two seconds of silence, where the date jumps by ${jumpMs} ms`, async () => {
      const { clock, seen, liveness } = silentConnection({ isAlive: false })
      clock.jump(jumpMs)
      await clock.advance(1_999)
      assert.deepEqual(seen, [])
      await clock.advance(1)
      assert.deepEqual(seen, ['probe', 'dead'])
      liveness.stop()
    })

    it(`replaces a connection after half a minute of silence, where the date jumps by ${jumpMs} ms`, async () => {
      const { clock, seen, liveness } = silentConnection({ isAlive: true })
      clock.jump(jumpMs)
      await clock.advance(29_999)
      assert.ok(!seen.includes('quiet'))
      await clock.advance(1)
      assert.ok(seen.includes('quiet'))
      liveness.stop()
    })
  }

  it('has no timer while nothing is waited for', async () => {
    const { clock, seen, liveness } = silentConnection({ isAlive: true })
    liveness.heard()
    await clock.advance(60_000)
    assert.deepEqual([seen, clock.timers], [[], 0])
  })
})
