/**
 * Promise 6 as a distribution: two hundred streams, each of another user, whose token or destination is taken away at some moment.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { systemClock } from '#shared/telemetry/clock.ts'
import { active } from '../support/auth_servers.ts'
import { createScaledClock } from '../support/scaled_clock.ts'
import { CANARY } from '../support/tokens.ts'
import { readFrames, shown, type Frame } from './auth_fixture.ts'
import { bearer, startIdentitySystem } from './identity_fixture.ts'

const SPEED = 10
const STREAMS = 200
/** All are open when the first right is taken away; all have been taken away this much later. */
const SPREAD_MS = 30_000
const BOUND_MS = 65_000

const tokenOf = (index: number): string => `${CANARY}-user${index}`

describe('revocation', () => {
  it('ends every stream within 65 s', async (context) => {
    const clock = createScaledClock(SPEED)
    const test = await startIdentitySystem({ clock: { ...clock, sleep: systemClock.sleep } })
    const { authOTron, ecpds } = test.standIns
    const tookMs: number[] = []

    /** @returns What it delivers until it ends; it is read from the first moment, as one that nobody reads is ended for that. */
    async function open(index: number): Promise<{ readonly frames: Promise<Frame[]> }> {
      authOTron.users.set(`Bearer ${tokenOf(index)}`, { username: `user${index}` })
      ecpds.users.set(`user${index}`, active('SCL'))
      const path = '/api/v1/watch?event=dissemination&destination=SCL'
      const frames = readFrames(await test.call(path, { headers: bearer(tokenOf(index)) }))
      await frames.next()
      return { frames: frames.rest() }
    }

    async function revoke(index: number, frames: Promise<Frame[]>): Promise<void> {
      // Spread evenly, so that every place in the rhythm of checks is met.
      await clock.sleep((index / STREAMS) * SPREAD_MS)
      if (index % 2 === 0) authOTron.users.delete(`Bearer ${tokenOf(index)}`)
      else ecpds.users.set(`user${index}`, [{ name: 'SCL', active: false }])
      const revokedAt = clock.now()
      const last = (await frames).at(-1)
      tookMs.push(clock.now() - revokedAt)
      assert.ok(last !== undefined)
      assert.equal(shown(last), 'connection-closing auth_revoked')
    }

    try {
      const streams: { readonly frames: Promise<Frame[]> }[] = []
      // One after the other: in this fast time, a crowd at the servers behind would have waited too long.
      for (let index = 0; index < STREAMS; index++) streams.push(await open(index))
      await Promise.all(streams.map(({ frames }, index) => revoke(index, frames)))
    } finally {
      await test.close()
    }
    const sorted = tookMs.toSorted((a, b) => a - b)
    const seconds = (share: number): string =>
      ((sorted[Math.ceil(share * STREAMS) - 1] ?? 0) / 1000).toFixed(1)
    context.diagnostic?.(
      `${STREAMS} revocations: p50 ${seconds(0.5)} s, p99 ${seconds(0.99)} s, slowest ${seconds(1)} s`,
    )
    assert.equal(sorted.length, STREAMS)
    assert.ok((sorted.at(-1) ?? 0) <= BOUND_MS, `${seconds(1)} s`)
  })
})
