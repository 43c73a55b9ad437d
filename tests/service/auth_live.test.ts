import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createScaledClock } from '../support/clock.ts'
import { readEvents, readLines } from '../support/streams.ts'
import { OPERATOR_TOKEN, JOE_TOKEN } from '../support/auth_servers_system.ts'
import { eventually } from '../support/waiting.ts'
import { withSystem } from './auth_fixture.ts'
import { bearer, startIdentitySystem } from './identity_fixture.ts'

interface LiveFrame {
  readonly instance: string
  readonly hub: { readonly connected: boolean }
  readonly streams: { readonly open: number; readonly live: number; readonly parked: number }
  readonly events: Readonly<
    Record<
      string,
      { readonly per_second: number; readonly deliveries_per_second: number; readonly last: string }
    >
  >
}

const LIVE = '/api/v1/admin/live'
/** A second of frames in 20 ms. */
const SPEED = 50

describe('GET /api/v1/admin/live', () => {
  it('tells what comes, and who listens, in the same frames to all', async () => {
    const clock = createScaledClock(SPEED)
    await withSystem(
      async (test) => {
        const events = readEvents(await test.call(LIVE))
        const lines = readLines(await test.call(LIVE, { headers: { accept: 'application/x-ndjson' } }))
        const watch = await test.call('/api/v1/watch?event=flight')
        const toFrame = (text: string): LiveFrame => JSON.parse(text) as LiveFrame
        const isSeen = (text: string): boolean =>
          (toFrame(text).events['flight']?.deliveries_per_second ?? 0) > 0
        // Both read on, because a reader that does not ask misses frames.
        const seen = Promise.all([events.next(({ data }) => isSeen(data)), lines.next(isSeen)])
        await test.publish('a')
        const [{ data, event }, line] = await seen
        const frame = toFrame(data)
        assert.deepEqual([event, frame.hub.connected, frame.streams.open], ['live', true, 1])
        assert.equal(frame.events['flight']?.last, '1')
        assert.equal(line, data)
        await watch.body?.cancel()
        await events.next(({ data: text }) => toFrame(text).streams.open === 0)
        await events.close()
        await lines.close()
      },
      { clock },
    )
  })

  it('ends with the service', async () => {
    let rest: Promise<unknown> | undefined
    await withSystem(async (test) => {
      rest = readEvents(await test.call(LIVE)).rest()
    })
    assert.deepEqual(await rest, [])
  })

  it('is for operators alone, and bounded', async () => {
    const test = await startIdentitySystem()
    try {
      assert.equal((await test.call(LIVE)).status, 401)
      assert.equal((await test.call(LIVE, { headers: bearer(JOE_TOKEN) })).status, 403)
      const open = (): Promise<Response> => test.call(LIVE, { headers: bearer(OPERATOR_TOKEN) })
      const views = await Promise.all(Array.from({ length: 64 }, open))
      assert.ok(views.every(({ status }) => status === 200))
      assert.equal((await open()).status, 503)
      await views[0]?.body?.cancel()
      await eventually('a place is free', async () => {
        const again = await open()
        await again.body?.cancel()
        return again.status === 200
      })
      for (const { body } of views) await body?.cancel()
    } finally {
      await test.close()
    }
  })
})
