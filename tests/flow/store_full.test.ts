/** An etcd without room (NOSPACE): publishing is refused and says why, listening and replay go on, and once there is room publishing works by itself. */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openStore } from '#shared/store/open/open.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import type { Door } from '../faults/door.ts'
import { startLocalSystem } from '../faults/in_process.ts'
import { etcdMissing, startTestEtcd } from '../support/etcd.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'

const QUOTA_BYTES = 8 * 1024 * 1024
const PAYLOAD_BYTES = 100_000
/** Enough to fill it, whatever etcd needs besides. */
const MOST_PUBLISHES = 200

describe('the system on an etcd without room', { skip: await etcdMissing() }, () => {
  for (const adapter of ['gateway', 'grpc']) {
    it(`refuses to publish and serves listeners, over ${adapter}`, { timeout: 120_000 }, async () => {
      const etcd = await startTestEtcd({ flags: [`--quota-backend-bytes=${QUOTA_BYTES}`] })
      const [endpoint = ''] = etcd.endpoints
      const platform = await detectPlatform()
      const parts = { platform, clock: systemClock, logger: silentLogger, dataFolder: '' }
      const store = await openStore(endpoint.replace('http', adapter), parts)
      const { door, close } = await startLocalSystem(store)
      try {
        const listener = readEvents(await door('/api/v1/watch?event=flight'))
        const stored = await fill(door)
        assert.ok(stored.length > 5, `${stored.length} notifications filled the store`)
        const { status, body, retryAfter } = await publish(door, 'refused')
        assert.deepEqual(
          { status, code: body['code'], outcome: body['outcome'], retries: Number(retryAfter) > 0 },
          { status: 503, code: 'ERR_STORE_FULL', outcome: 'none', retries: true },
        )
        assert.match(String(body['message']), /full.*compact.*defragment.*alarm/i)

        // What was acknowledged is delivered, live and from the start, to those who are there and to those who come.
        assert.deepEqual(await numbers(listener, stored.length), stored)
        const replay = await door('/api/v1/replay', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ event_type: 'flight', identifier: {}, from_id: '1' }),
        })
        assert.deepEqual(await numbers(readEvents(replay), stored.length), stored)
        const late = readEvents(await door('/api/v1/watch?event=flight'))
        const key = {
          key: btoa('/tmp/aviso/flight/'),
          range_end: btoa('/tmp/aviso/flight0'),
          count_only: true,
        }
        const range = await ask(door, '/v3/kv/range', key)
        // And the status document.
        assert.equal(range['count'], String(stored.length + 1))
        assert.equal((await door('/ready')).status, 200)

        await giveRoom(endpoint, String((await store.status()).revision))
        await eventually(
          'publishing works by itself',
          async () => (await publish(door, 'after')).status === 200,
        )
        assert.deepEqual(await numbers(listener, 1), ['after'])
        assert.deepEqual(await numbers(late, 1), ['after'])
        await Promise.all([listener.close(), late.close()])
      } finally {
        await close()
        await store.close()
        await etcd.close()
      }
    })
  }
})

/** Publishes until there is no room. @returns Flight numbers of what was acknowledged. */
async function fill(door: Door): Promise<readonly string[]> {
  const stored: string[] = []
  for (let count = 1; count <= MOST_PUBLISHES; count++) {
    const { status, body } = await publish(door, `AZ${count}`)
    if (status === 503) {
      assert.equal(body['code'], 'ERR_STORE_FULL', JSON.stringify(body))
      return stored
    }
    assert.equal(status, 200, JSON.stringify(body))
    stored.push(`AZ${count}`)
  }
  throw new Error('The store has not become full')
}

async function publish(door: Door, number: string) {
  const request = { country: 'italy', airport: 'FCO', date: '20260810', number }
  const data = { event: 'flight', request, payload: 'x'.repeat(PAYLOAD_BYTES) }
  const response = await door('/api/v1/notification', {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({ specversion: '1.0', id: randomUUID(), source: '/full', type: 'aviso', data }),
  })
  const body = (await response.json()) as Readonly<Record<string, unknown>>
  return { status: response.status, body, retryAfter: response.headers.get('retry-after') }
}

/** Flight numbers of the next notifications. */
async function numbers(events: ReturnType<typeof readEvents>, count: number): Promise<readonly string[]> {
  const found: string[] = []
  while (found.length < count) {
    const { data } = await events.next(({ data: text }) => text.includes('"payload"'))
    const [, number = ''] = /"number":"(\w+)"/.exec(data) ?? []
    found.push(number)
  }
  return found
}

/** What an operator does: drops history, gives its pages back, takes the alarm back. The deletion of a key is room, too. */
async function giveRoom(endpoint: string, revision: string): Promise<void> {
  const door: Door = (path, init) => fetch(endpoint + path, init)
  await ask(door, '/v3/kv/deleterange', {
    key: btoa('/tmp/aviso/flight/'),
    range_end: btoa('/tmp/aviso/flight0'),
  })
  const compacted = String(Number(revision) + 1)
  await ask(door, '/v3/kv/compaction', { revision: compacted, physical: true })
  await ask(door, '/v3/maintenance/defragment', {})
  const { alarms } = await ask(door, '/v3/maintenance/alarm', { action: 'GET' })
  for (const alarm of alarms as readonly object[])
    await ask(door, '/v3/maintenance/alarm', { action: 'DEACTIVATE', ...alarm })
}

async function ask(door: Door, path: string, message: object): Promise<Readonly<Record<string, unknown>>> {
  const headers = { 'content-type': 'application/json' }
  const response = await door(path, { method: 'POST', headers, body: JSON.stringify(message) })
  assert.equal(response.status, 200, path)
  return (await response.json()) as Readonly<Record<string, unknown>>
}
