import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { eventually } from '../support/waiting.ts'
import { readAll, readFrames, shown, withSystem, type TestSystem } from './auth_fixture.ts'

interface Row {
  readonly id: string
  readonly who: string
  readonly client: string | null
  readonly event_type: string | null
  readonly request: string
  readonly state: string
  readonly position: string | null
  readonly behind: {
    readonly revisions: string
    readonly notifications: number | null
    readonly seconds: number
  }
  readonly bytes: number
}

interface List {
  readonly instance: string
  readonly total: number
  readonly streams: readonly Row[]
  readonly cursor: string | null
}

const STREAMS = '/api/v1/admin/streams'

async function list({ call }: TestSystem, query = ''): Promise<List> {
  const response = await call(STREAMS + query)
  const answer: unknown = await response.json()
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer as List
}

describe('GET /api/v1/admin/streams', () => {
  it('tells whose streams are open, what they ask for, and that they are live', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const headers = { 'user-agent': 'curl/8 (test)' }
      const watch = readFrames(await test.call('/api/v1/watch?event=flight&country=Italy', { headers }))
      await watch.next()
      const key = btoa('/tmp/aviso/flight/')
      const facade = await test.post('/v3/watch', {
        create_request: { key, range_end: btoa('/tmp/aviso/flight0') },
      })
      const { streams, total, instance } = await list(test)
      assert.deepEqual(
        streams.map(({ who, client, event_type: event, request, state }) => ({
          who,
          client,
          event,
          request,
          state,
        })),
        [
          {
            who: 'anonymous',
            client: 'curl/8 (test)',
            event: 'flight',
            request: '{"country":"Italy"}',
            state: 'live',
          },
          {
            who: 'anonymous',
            client: null,
            event: null,
            request: '/tmp/aviso/flight/…/tmp/aviso/flight0',
            state: 'live',
          },
        ],
      )
      assert.equal(total, 2)
      assert.ok(streams.every(({ id }) => id.startsWith(`${instance}-`)))
      assert.deepEqual(streams[0]?.behind, { revisions: '0', notifications: 0, seconds: 0 })
      await watch.close()
      await facade.body?.cancel()
      await eventually('none is left', async () => (await list(test)).total === 0)
    }))

  it('tells how far a stream is behind that is not read', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const response = await test.call('/api/v1/watch?event=flight&from_id=1')
      const large = 'x'.repeat(100_000)
      for (const number of ['b', 'c', 'd', 'e']) await test.publish(number, large)
      await eventually('it is behind', async () => {
        const [row] = (await list(test, '?sort=behind')).streams
        return row?.behind.notifications === 5 && row.state !== 'live'
      })
      const [row] = (await list(test)).streams
      assert.ok(Number(row?.behind.revisions) > 0)
      await response.body?.cancel()
    }))

  it('gives pages, and those of one event type or person', () =>
    withSystem(async (test) => {
      const open = ['flight', 'mars', 'flight'].map((event) => test.call(`/api/v1/watch?event=${event}`))
      const responses = await Promise.all(open)
      const first = await list(test, '?limit=2')
      assert.deepEqual([first.streams.length, first.total], [2, 3])
      const rest = await list(test, `?limit=2&cursor=${first.cursor}`)
      assert.deepEqual([rest.streams.length, rest.cursor], [1, null])
      const ids = [...first.streams, ...rest.streams].map(({ id }) => id)
      assert.equal(new Set(ids).size, 3)
      assert.equal((await list(test, '?event=mars')).total, 1)
      assert.equal((await list(test, '?who=nobody')).total, 0)
      for (const { body } of responses) await body?.cancel()
    }))

  for (const query of ['?limit=0', '?sort=up', '?cursor=x', '?colour=red']) {
    it(`refuses ${query}`, () =>
      withSystem(async ({ call }) => {
        assert.equal((await call(STREAMS + query)).status, 400)
      }))
  }
})

describe('DELETE /api/v1/admin/streams/{id}', () => {
  it('ends one stream, which can go on from where it was', () =>
    withSystem(async (test) => {
      const frames = readFrames(await test.call('/api/v1/watch?event=flight'))
      await frames.next()
      await test.publish('a')
      assert.equal(shown(await frames.next()), 'live-notification a')
      const [row] = (await list(test)).streams
      const response = await test.call(`${STREAMS}/${row?.id}`, { method: 'DELETE' })
      assert.equal(response.status, 200)
      const [last] = await frames.rest()
      assert.deepEqual([last?.event, last?.data.reason], ['connection-closing', 'ended_by_operator'])
      await test.publish('b')
      const again = await test.post('/api/v1/replay', {
        event_type: 'flight',
        identifier: { country: 'Italy' },
        from_id: '2',
      })
      assert.ok((await readAll(again)).includes('replay b'))
      const polled = await test.call(`/api/v1/notifications/poll?event=flight&cursor=${last?.data.position}`)
      assert.match(await polled.text(), /"id":"flight@2"/)
      assert.equal((await test.call(`${STREAMS}/${row?.id}`, { method: 'DELETE' })).status, 404)
    }))

  it('says which process it is where the stream is of another', () =>
    withSystem(async (test) => {
      const response = await test.call(`${STREAMS}/other-1`, { method: 'DELETE' })
      const { instance } = (await response.json()) as { readonly instance: string }
      assert.deepEqual([response.status, instance], [404, (await list(test)).instance])
      assert.equal((await test.call(`${STREAMS}/nonsense`, { method: 'DELETE' })).status, 400)
    }))

  it('is not for pages of other sites', () =>
    withSystem(async (test) => {
      const headers = { 'sec-fetch-site': 'cross-site' }
      assert.equal((await test.call(`${STREAMS}/x-1`, { method: 'DELETE', headers })).status, 403)
      assert.equal((await test.call(STREAMS, { headers })).status, 403)
    }))
})
