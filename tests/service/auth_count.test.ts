import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { withSystem, type TestSystem } from './auth_fixture.ts'

const COUNT = '/api/v1/notifications/count?event=flight'

interface Counted {
  readonly last: string
  readonly count: number | null
}

async function count({ call }: TestSystem, query = ''): Promise<Counted> {
  const response = await call(COUNT + query)
  const answer: unknown = await response.json()
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer as Counted
}

describe('GET /api/v1/notifications/count', () => {
  it('says how many a stream from a place goes through', () =>
    withSystem(async (test) => {
      assert.deepEqual(await count(test, '&from_id=1'), { event_type: 'flight', last: '0', count: 0 })
      await test.publish('a')
      const { cursor } = (await (
        await test.call('/api/v1/notifications/poll?event=flight&from_id=1')
      ).json()) as {
        readonly cursor: string
      }
      await test.publishTogether('b', 'c', 'd')
      await test.publish('e')
      for (const [query, expected] of [
        ['', 0],
        ['&from_id=0', 5],
        ['&from_id=1', 5],
        // In the middle of a revision.
        ['&from_id=3', 3],
        ['&from_id=5', 1],
        ['&from_id=6', 0],
        ['&from_date=2020-01-01', 5],
        ['&from_date=2099-01-01', 0],
        [`&from=${cursor}`, 4],
        ['&from_id=1&country=Italy', 5],
      ] as const) {
        assert.deepEqual([query, (await count(test, query)).count], [query, expected])
      }
    }))

  it('begins with what is kept', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const { revision } = await test.publish('d')
      await test.publish('e')
      await test.store.compact(BigInt(revision))
      const { count: kept } = await count(test, '&from_id=0')
      // The oldest that is kept cannot be looked behind.
      assert.ok(kept === 1 || kept === 2, String(kept))
      assert.equal((await test.call(`${COUNT}&from_id=2`)).status, 410)
      assert.equal((await test.call(`${COUNT}&from=other.3`)).status, 410)
      assert.equal((await test.call(`${COUNT}&colour=red`)).status, 400)
    }))
})
