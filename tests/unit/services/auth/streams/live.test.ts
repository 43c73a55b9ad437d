import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createActivity } from '#services/auth/streams/activity.ts'
import { createLive } from '#services/auth/streams/live.ts'
import { createStreamRegistry } from '#services/auth/streams/registry.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { StreamState } from '#shared/hub/hub.ts'
import { createManualClock } from '../../../../support/clock.ts'

const HUB = { subscribers: 0, parked: 0, revision: 9n, ringEntries: 1, ringBytes: 2, connected: true }

describe('createLive()', () => {
  it('computes once for all, and not while nobody looks', async () => {
    const clock = createManualClock()
    let looks = 0
    const streams = createStreamRegistry(clock, 'one')
    const about = {
      requestId: 'r',
      who: 'w',
      address: undefined,
      client: undefined,
      route: '/v3/watch',
      event: undefined,
      asks: '',
    }
    streams.prepare(about).add({
      end: () => undefined,
      look: (): StreamState => {
        looks++
        return { position: { revision: 4n }, isCatchingUp: false, parkedMs: 0, bytes: 100 }
      },
    })
    const closing = new AbortController()
    const parts = { clock, streams, activity: createActivity(clock), closing: closing.signal }
    const live = createLive({ ...parts, hub: { status: () => HUB } })
    const gone: string[] = []
    const got: string[] = []
    const encode = (frame: string): Uint8Array => toBytes(frame)
    const open = (name: string): ReturnType<typeof live.open> => {
      const view = live.open({ encode, onGone: () => gone.push(name) })
      view.body.open({
        enqueue: (bytes) => got.push(`${name} ${toText(bytes)}`),
        close: () => got.push(`${name} end`),
        error: () => undefined,
      })
      view.body.pull()
      return view
    }
    await clock.advance(5_000)
    assert.equal(looks, 0)
    const [a, b] = [open('a'), open('b')]
    await clock.advance(1_000)
    const once = looks
    assert.ok(once > 0 && once <= 3, String(once))
    assert.equal(got.length, 2)
    assert.match(got[0] ?? '', /"behind_most":"5"/)
    // Neither has asked for more, so nothing is written or kept.
    await clock.advance(3_000)
    assert.equal(got.length, 2)
    a.body.pull()
    await clock.advance(1_000)
    assert.equal(got.length, 3)
    a.body.cancel()
    closing.abort()
    assert.deepEqual([gone, got.at(-1), live.size], [['a', 'b'], 'b end', 0])
    b.end()
    assert.equal(clock.intervals, 0)
  })

  it('forgets a view that was never opened', () => {
    const clock = createManualClock()
    const parts = { clock, streams: createStreamRegistry(clock, 'one'), activity: createActivity(clock) }
    const live = createLive({ ...parts, closing: new AbortController().signal, hub: { status: () => HUB } })
    let gone = 0
    const view = live.open({ encode: toBytes, onGone: () => gone++ })
    view.body.cancel()
    view.end()
    assert.deepEqual([gone, live.size, clock.intervals], [1, 0, 0])
  })
})
