import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { toBytes } from '#shared/bytes/bytes.ts'
import { encodeRemoved, removedKey } from '#shared/journal/removed.ts'
import { idsOf, readHistory } from '../contract/history_pages.contract.ts'
import { eventually } from '../support/waiting.ts'
import { withSystem, type FrameData } from './auth_fixture.ts'

const PAGES = '/api/v1/notifications?event=flight'

describe('GET /api/v1/notifications', () => {
  it('gives the newest first, with what streams give', () =>
    withSystem(async (test) => {
      assert.deepEqual(await readHistory(test), {
        notifications: [],
        cursor: null,
        more: false,
        looked: null,
      })
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const page = await readHistory(test, '&limit=2')
      assert.deepEqual(idsOf(page), ['flight@3', 'flight@2'])
      assert.deepEqual([page.more, page.looked], [true, { first: '2', last: '3', count: 2 }])
      // Polls may be a moment behind the store.
      await eventually('a stream gives the same', async () => {
        const streamed = await test.call('/api/v1/notifications/poll?event=flight&from_id=3')
        const { notifications } = (await streamed.json()) as { readonly notifications: readonly FrameData[] }
        if (notifications.length === 0) return false
        assert.deepEqual(page.notifications.slice(0, 1), notifications)
        return true
      })
      const rest = await readHistory(test, `&limit=2&cursor=${page.cursor}`)
      assert.deepEqual([idsOf(rest), rest.cursor, rest.more], [['flight@1'], null, false])
    }))

  it('filters by fields, numbers and dates', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'a', 'c', 'd']) await test.publish(number)
      for (const [query, expected] of [
        ['&number=a', [3, 1]],
        ['&number=a&number=c', [4, 3, 1]],
        ['&from=2&to=4', [4, 3, 2]],
        ['&from=flight@2&to=flight@4&order=oldest', [2, 3, 4]],
        ['&to=2', [2, 1]],
        ['&from=4', [5, 4]],
        ['&from=9', []],
        ['&from=2020-01-01', [5, 4, 3, 2, 1]],
        ['&to=2020-01-01', []],
        ['&from=2099-01-01', []],
        ['&to=2099-01-01&order=oldest&limit=2', [1, 2]],
      ] as const) {
        const ids = expected.map((number) => `flight@${number}`)
        assert.deepEqual([query, idsOf(await readHistory(test, query))], [query, ids])
      }
    }))

  it('gives lines to who wants them, and the address of the next page', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const response = await test.call(`${PAGES}&limit=2&order=oldest`, {
        headers: { accept: 'application/x-ndjson' },
      })
      assert.equal(response.headers.get('content-type'), 'application/x-ndjson')
      const ids = (await response.text())
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as FrameData).id)
      assert.deepEqual(ids, ['flight@1', 'flight@2'])
      const [, next = ''] = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '') ?? []
      const rest = (await (await test.call(next)).json()) as Parameters<typeof idsOf>[0]
      assert.deepEqual(idsOf(rest), ['flight@3'])
    }))

  it('may be kept where it cannot change, and only there', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const fixed = await test.call(`${PAGES}&from=1&to=3`)
      assert.equal(fixed.headers.get('cache-control'), 'private, max-age=3600, immutable')
      const etag = fixed.headers.get('etag') ?? ''
      const again = await test.call(`${PAGES}&from=1&to=3`, { headers: { 'if-none-match': etag } })
      assert.deepEqual([again.status, await again.text()], [304, ''])
      for (const query of ['', '&from=1', '&to=3', '&from=1&to=4', '&from=0&to=3', '&from=2020-01-01&to=3']) {
        const response = await test.call(PAGES + query)
        assert.deepEqual([query, response.headers.get('cache-control')], [query, 'no-store'])
      }
    }))

  it('does not give what an operator has removed', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const value = encodeRemoved({ wipedThrough: 0n, ids: new Map([[2n, 1n]]) })
      const key = toBytes(removedKey('flight'))
      await test.store.txn({ compare: [], success: [{ kind: 'put', key, value }] })
      const isGone = async (): Promise<boolean> =>
        (await test.call('/api/v1/notifications/flight@2')).status === 404
      await eventually('the removal has come', isGone)
      assert.deepEqual(idsOf(await readHistory(test)), ['flight@3', 'flight@1'])
    }))

  it('ends a page whose filter matches little, and says how far it looked', () =>
    withSystem(async (test) => {
      await test.publish('rare')
      const many = Array.from({ length: 100 }, (_, place) => `n${place}`)
      for (let batch = 0; batch < 45; batch++) await test.publishTogether(...many)
      for (const order of ['newest', 'oldest']) {
        const page = await readHistory(test, `&number=nothing&order=${order}`)
        const looked = page.looked?.count ?? 0
        assert.deepEqual([page.notifications, page.more], [[], true])
        // Oldest first, the last commit is looked through to its end.
        assert.ok(looked >= 4000 && looked < 4126, String(looked))
        const rest = await readHistory(test, `&number=nothing&order=${order}&cursor=${page.cursor}`)
        assert.deepEqual([rest.more, rest.looked?.count], [false, 4501 - looked])
      }
      const found = await readHistory(test, '&number=rare&from=1&to=200')
      assert.deepEqual(idsOf(found), ['flight@1'])
    }))

  for (const [query, expected] of [
    ['&limit=0', /'limit' must be a whole number from 1 to 1000/],
    ['&limit=1001', /'limit' must be/],
    ['&order=up', /'order' must be newest or oldest/],
    ['&order=newest&order=oldest', /'order' must be given once/],
    ['&from=soon', /'from' must be a number, an id such as EVENT@10/],
    ['&from=other@3', /id of another event type/],
    ['&from=5&to=4', /end lies before the start/],
    ['&from_id=5', /'from_id' is for streams/],
    ['&cursor=nonsense', /not one that this service gave out/],
    ['&colour=red', /colour/],
  ] as const) {
    it(`refuses ${query}`, () =>
      withSystem(async ({ call }) => {
        const response = await call(PAGES + query)
        const { message } = (await response.json()) as { readonly message: string }
        assert.equal(response.status, 400)
        assert.match(message, expected)
      }))
  }
})

describe('GET /api/v1/notifications/{id}', () => {
  it('gives one notification, which does not change', () =>
    withSystem(async (test) => {
      await test.publish('a')
      await test.publishTogether('b', 'c', 'd')
      const response = await test.call('/api/v1/notifications/flight@3')
      const { id, data } = (await response.json()) as FrameData
      assert.deepEqual([id, data?.identifier['number'], data?.payload], ['flight@3', 'c', 'payload of c'])
      const etag = response.headers.get('etag') ?? ''
      assert.match(response.headers.get('cache-control') ?? '', /immutable/)
      const again = await test.call('/api/v1/notifications/flight%403', {
        headers: { 'if-none-match': etag },
      })
      assert.equal(again.status, 304)
    }))

  for (const [id, status] of [
    ['flight@5', 404],
    ['other@1', 404],
    ['flight', 400],
    ['flight@0', 400],
    ['%ff@1', 400],
  ] as const) {
    it(`answers ${status} to ${id}`, () =>
      withSystem(async (test) => {
        await test.publish('a')
        assert.equal((await test.call(`/api/v1/notifications/${id}`)).status, status)
      }))
  }
})
