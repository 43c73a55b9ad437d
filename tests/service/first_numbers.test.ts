/**
 * Numbers that go on from another server (`vars.firstNumbers`), as listeners of 2.x meet them.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig } from '#services/system/settings.ts'
import { createLogger } from '#shared/logger.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { flight } from '../support/notifications.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'
import { eventually } from '../support/waiting.ts'
import { readAll, readFrames, shown } from './auth_fixture.ts'

interface Door {
  readonly post: (path: string, body: object) => Promise<Response>
  readonly call: (path: string, init?: RequestInit) => Promise<Response>
  readonly publish: (number: string) => Promise<string>
  readonly lines: readonly string[]
}

async function withFirst(
  firstNumbers: object,
  use: (door: Door) => Promise<void>,
  store: Store = createMemoryStore({ clock: systemClock }),
): Promise<void> {
  const text = JSON.stringify({ ...configFile, vars: { ...configFile.vars, firstNumbers } })
  const lines: string[] = []
  const system = startTestSystem({
    config: loadConfig(text, 'test'),
    services: ['rest', 'auth'],
    store,
    clock: systemClock,
    logger: createLogger((line) => lines.push(line), systemClock.now, 'info'),
  })
  const call = (path: string, init?: RequestInit): Promise<Response> =>
    system.fetch(new Request(BASE_URL + path, init))
  const post = (path: string, body: object): Promise<Response> =>
    call(path, { method: 'POST', body: JSON.stringify(body) })
  try {
    await system.ready
    await use({
      post,
      call,
      lines,
      publish: async (number) => {
        const response = await post('/api/v1/notification', {
          event_type: 'flight',
          identifier: flight(number),
        })
        assert.equal(response.status, 200)
        return ((await response.json()) as { id: string }).id
      },
    })
  } finally {
    await system.close()
  }
}

const from = (from_id: string): object => ({ event_type: 'flight', identifier: {}, from_id })
/** The limit control of 2.x, which its client reports as a gap. */
const GAP = 'replay-control history_compacted'

describe('vars.firstNumbers', () => {
  it('is the number of the first notification, and a cursor of the server before goes on there', () =>
    withFirst({ flight: 1000 }, async ({ post, call, publish }) => {
      // The client has 999, and nothing is stored here yet.
      const watch = readFrames(await post('/api/v1/watch', from('1000')))
      assert.equal(shown(await watch.next()), 'replay-control replay_started')
      assert.equal(shown(await watch.next()), 'replay-control replay_completed')
      assert.equal(await publish('a'), 'flight@1000')
      assert.equal((await watch.next()).data.id, 'flight@1000')
      await watch.close()
      assert.equal(await publish('b'), 'flight@1001')
      const replayed = await readAll(await post('/api/v1/replay', from('1000')))
      assert.deepEqual(replayed.slice(1, 3), ['replay a', 'replay b'])
      assert.equal((await readAll(await post('/api/v1/replay', from('0')))).length, 5)
      const count = await (await call('/api/v1/notifications/count?event=flight&from_id=0')).json()
      assert.deepEqual(count, { event_type: 'flight', last: '1001', count: 2 })
    }))

  it('tells a listener that lacks what the server before had, and one whose number was never given out', () =>
    withFirst({ flight: 1000 }, async ({ post, publish }) => {
      for (const place of ['500', '1002']) {
        const frames = await readAll(await post('/api/v1/watch', from(place)))
        assert.ok(frames.includes(GAP), `${place} before the first: ${frames.join()}`)
      }
      await publish('a')
      for (const place of ['500', '999', '1002']) {
        const frames = await readAll(await post('/api/v1/watch', from(place)))
        assert.ok(frames.includes(GAP), `${place} after the first: ${frames.join()}`)
      }
    }))

  it('is where counts and rates begin', () =>
    withFirst({ flight: 1000 }, async ({ post, call }) => {
      // More than the events route looks at one by one.
      const all = Array.from({ length: 250 }, (_, index) => ({
        specversion: '1.0',
        id: `id ${index}`,
        source: '/tests',
        type: 'aviso',
        data: { event: 'flight', request: flight(`AZ${index}`) },
      }))
      const headers = { 'content-type': 'application/cloudevents-batch+json' }
      const init = { method: 'POST', headers, body: JSON.stringify(all) }
      assert.equal((await call('/api/v1/notification', init)).status, 200)
      const counted = await call('/api/v1/notifications/count?event=flight&from_id=1')
      assert.equal(((await counted.json()) as { count: number }).count, 250)
      const listed = (await (await call('/api/v1/events?event=flight')).json()) as {
        readonly events: readonly { readonly published: { readonly day: number } }[]
      }
      assert.equal(listed.events[0]?.published.day, 250)
      const page = await call('/api/v1/notifications?event=flight&from=1000&order=oldest&limit=1')
      const { notifications } = (await page.json()) as { readonly notifications: readonly { id: string }[] }
      assert.equal(notifications[0]?.id, 'flight@1000')
      assert.equal((await post('/api/v1/watch', from('1251'))).status, 200)
    }))

  it('counts for an event type without a number alone, and the log tells of one that comes too late', () => {
    const store = createMemoryStore({ clock: systemClock })
    // Two services have the same store.
    return withFirst(
      {},
      async (first) => {
        assert.equal(await first.publish('a'), 'flight@1')
        await withFirst(
          { flight: 1000 },
          async ({ publish, call, lines }) => {
            await eventually('the log tells', () => lines.some((line) => line.includes('is too late')))
            assert.equal(await publish('b'), 'flight@2')
            const counted = await call('/api/v1/notifications/count?event=flight&from_id=1')
            assert.equal(((await counted.json()) as { count: number }).count, 2)
          },
          store,
        )
      },
      store,
    )
  })
})
