import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createScaledClock } from '../support/clock.ts'
import { eventually } from '../support/waiting.ts'
import { withSystem, type FrameData, type TestSystem } from './auth_fixture.ts'

interface Page {
  readonly notifications: readonly FrameData[]
  readonly cursor: string
  readonly more: boolean
}

const POLL = '/api/v1/notifications/poll?event=flight'

async function poll({ call }: TestSystem, query = ''): Promise<Page> {
  const response = await call(POLL + query)
  const answer: unknown = await response.json()
  assert.equal(response.status, 200, JSON.stringify(answer))
  assert.equal(response.headers.get('cache-control'), 'no-store')
  return answer as Page
}

/** Whether a stream is open, where only one may be. */
async function isStreamOpen({ call }: TestSystem): Promise<boolean> {
  const response = await call(POLL)
  await response.arrayBuffer()
  return response.status === 503
}

function numbers({ notifications }: Page): (string | undefined)[] {
  return notifications.map(({ data }) => data?.identifier['number'])
}

describe('GET /api/v1/notifications/poll', () => {
  it('begins with now, and goes on from each cursor without a gap', () =>
    withSystem(async (test) => {
      await test.publish('before')
      let page = await poll(test)
      assert.deepEqual([page.notifications, page.more], [[], false])
      const got: (string | undefined)[] = []
      for (const round of ['a', 'b', 'c']) {
        await test.publish(`${round}1`)
        await test.publishTogether(`${round}2`, `${round}3`, `${round}4`)
        // A page may end inside a revision.
        do {
          page = await poll(test, `&limit=3&wait=5&cursor=${page.cursor}`)
          assert.ok(page.notifications.length <= 3)
          got.push(...numbers(page))
          assert.ok(got.length <= 12, 'nothing comes twice')
        } while (page.more || got.length % 4 !== 0)
      }
      assert.deepEqual(
        got,
        ['a', 'b', 'c'].flatMap((round) => [1, 2, 3, 4].map((number) => `${round}${number}`)),
      )
    }))

  it('gives history, filtered, and payloads digit for digit', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'a2']) await test.publish(number)
      await test.post(
        '/api/v1/notification',
        '{"event_type":"flight","identifier":{"country":"Italy","airport":"fco","date":"20260810","number":"n"},"payload":{"size":1.5,"id":12345678901234567890}}',
      )
      await eventually('all of it', async () => (await poll(test, '&from_id=1')).notifications.length === 4)
      assert.deepEqual(numbers(await poll(test, '&from_id=1&number=a&number=b')), ['a', 'b'])
      const response = await test.call(`${POLL}&from_id=4`)
      assert.match(
        await response.text(),
        /"payload":\{"size":1\.5,"id":12345678901234567890\}\}\}\],"cursor":"[^"]+","more":false\}$/,
      )
    }))

  it('holds the answer until something comes', () =>
    withSystem(
      async (test) => {
        const { cursor } = await poll(test)
        const held = poll(test, `&wait=50&cursor=${cursor}`)
        await eventually('a stream is open', () => isStreamOpen(test))
        await test.publish('a')
        const page = await held
        assert.deepEqual(numbers(page), ['a'])
        // The stream behind it is closed.
        await eventually('no stream is open', async () => !(await isStreamOpen(test)))
      },
      { vars: { maxStreams: 1 } },
    ))

  it('answers with an empty page, and a place that is further on, when the time is over', () =>
    withSystem(
      async (test) => {
        const { cursor } = await poll(test)
        await test.publish('a')
        const page = await poll(test, `&wait=20&number=nothing&cursor=${cursor}`)
        assert.deepEqual(page.notifications, [])
        assert.notEqual(page.cursor, cursor)
        assert.deepEqual(numbers(await poll(test, `&cursor=${page.cursor}`)), [])
      },
      { clock: createScaledClock(200) },
    ))

  it('closes its stream when the client leaves', () =>
    withSystem(
      async (test) => {
        const leaving = new AbortController()
        const { cursor } = await poll(test)
        const held = test
          .call(`${POLL}&wait=50&cursor=${cursor}`, { signal: leaving.signal })
          .catch(() => undefined)
        await eventually('a stream is open', () => isStreamOpen(test))
        leaving.abort()
        await eventually('no stream is open', async () => !(await isStreamOpen(test)))
        await held
      },
      { vars: { maxStreams: 1 } },
    ))

  it('answers 410 with the oldest place when a part is no longer kept, and for another store', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const { revision } = await test.publish('d')
      await test.store.compact(BigInt(revision))
      const gone = await test.call(`${POLL}&from_id=2`)
      const { oldest_position: oldest } = (await gone.json()) as { readonly oldest_position?: string }
      assert.equal(gone.status, 410)
      assert.deepEqual(numbers(await poll(test, `&cursor=${oldest}`)), ['d'])
      const foreign = await test.call(`${POLL}&cursor=other.7`)
      assert.equal(foreign.status, 410)
    }))

  for (const [query, expected] of [
    ['&wait=51', /'wait' must be a whole number of seconds from 0 to 50/],
    ['&wait=1.5', /'wait' must be/],
    ['&limit=0', /'limit' must be a whole number from 1 to 1000/],
    ['&limit=1001', /'limit' must be/],
    ['&wait=1&wait=2', /'wait' must be given once/],
    ['&cursor=e.1&from=e.1', /as 'cursor' or as 'from', not both/],
    ['&cursor=e.1&from_id=1', /one start/],
    ['&cursor=nonsense', /not one that this service gave out/],
    ['&colour=red', /colour/],
  ] as const) {
    it(`refuses ${query}`, () =>
      withSystem(async ({ call }) => {
        const response = await call(POLL + query)
        assert.equal(response.status, 400)
        assert.match(((await response.json()) as { readonly message: string }).message, expected)
      }))
  }
})
