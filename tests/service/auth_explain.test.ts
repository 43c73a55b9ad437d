import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createManualClock } from '../support/clock.ts'
import { withSystem, type FrameData, type TestSystem } from './auth_fixture.ts'

interface Explained {
  readonly event_type: string
  readonly error?: { readonly message: string; readonly field?: string }
  readonly policy: { readonly visible: string }
  readonly looked: { readonly count: number; readonly complete: boolean; readonly truncated?: boolean }
  readonly matched: number
  readonly first: { readonly id: string } | null
  readonly last: { readonly id: string } | null
  readonly hours: readonly { readonly hour: string; readonly published: number; readonly matched: number }[]
  readonly near_misses: readonly {
    readonly field: string
    readonly excluded: number
    readonly asked: unknown
    readonly instead: readonly { readonly value: string; readonly count: number }[]
  }[]
  readonly newest: FrameData | null
}

async function explain({ post }: TestSystem, body: unknown): Promise<readonly Explained[]> {
  const response = await post('/api/v1/explain', body)
  const answer = (await response.json()) as { readonly listeners: readonly Explained[] }
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer.listeners
}

describe('POST /api/v1/explain', () => {
  it('says what matched, and gives the newest as a listener would get it', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'a', 'c']) await test.publish(number)
      const [one, ...others] = await explain(test, { event_type: 'flight', identifier: { number: 'a' } })
      assert.deepEqual(others, [])
      assert.deepEqual(
        [one?.matched, one?.first?.id, one?.last?.id, one?.looked.count, one?.looked.complete],
        [2, 'flight@1', 'flight@3', 4, true],
      )
      assert.deepEqual(one?.policy, { visible: 'all' })
      const got = (await (await test.call('/api/v1/notifications/flight@3')).json()) as FrameData
      assert.deepEqual(one?.newest, got)
    }))

  it('names the one field that excluded, and what the data had instead', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'b']) await test.publish(number)
      const listeners = [
        { event: 'flight', request: { number: 'z', country: 'Italy' }, triggers: [{ type: 'echo' }] },
        { event: 'flight', request: { number: 'z', country: 'France' } },
        { event: 'flight', request: { number: ['b', 'c'] } },
      ]
      const [missed, twice, some] = await explain(test, { listeners })
      assert.equal(missed?.matched, 0)
      assert.deepEqual(missed?.near_misses, [
        {
          field: 'number',
          excluded: 3,
          asked: 'z',
          instead: [
            { value: 'b', count: 2 },
            { value: 'a', count: 1 },
          ],
        },
      ])
      // Two conditions are against it, so no single one is the reason.
      assert.deepEqual(twice?.near_misses, [])
      assert.deepEqual([some?.matched, some?.near_misses[0]?.excluded], [2, 1])
    }))

  it('counts by hour, in a span', async () => {
    const clock = createManualClock()
    await withSystem(
      async (test) => {
        await test.publish('old')
        clock.pass(30 * 3_600_000)
        await test.publish('a')
        clock.pass(3_600_000)
        await test.publishTogether('a', 'b', 'c')
        const asks = { event_type: 'flight', identifier: { number: 'a' } }
        const [day] = await explain(test, asks)
        assert.deepEqual(
          day?.hours.map(({ published, matched }) => [published, matched]),
          [
            [1, 1],
            [3, 1],
          ],
        )
        const [all] = await explain(test, { ...asks, from: '-3d' })
        assert.equal(all?.looked.count, 5)
        const [early] = await explain(test, { ...asks, from: '-3d', to: '-20h' })
        assert.equal(early?.looked.count, 1)
      },
      { clock },
    )
  })

  it('explains the others when one listener is wrong', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const [wrong, unknown, right] = await explain(test, {
        listeners: [
          { event: 'flight', request: { colour: 'red' } },
          { event: 'nothing', request: {} },
          { event: 'flight', request: {} },
        ],
      })
      assert.equal(wrong?.error?.field, 'colour')
      assert.match(unknown?.error?.message ?? '', /nothing/)
      assert.equal(right?.matched, 1)
    }))

  for (const [name, body, expected] of [
    ['no JSON', '{', /JSON/],
    ['a listener without an event type', '{"request":{}}', /'event' or 'event_type'/],
    ['no listeners', '{"listeners":[]}', /at least one/],
    [
      'many listeners',
      JSON.stringify({ listeners: Array.from({ length: 21 }, () => ({ event: 'flight' })) }),
      /20/,
    ],
    ['an end before the start', '{"event":"flight","from":"-1h","to":"-2h"}', /later than/],
    ['a long span', '{"event":"flight","from":"-40d"}', /31 days/],
    [
      'a request of both generations, one of which would be left aside',
      '{"event_type":"flight","identifier":{},"request":{"airport":"FCO"}}',
      /Give 'identifier' or 'request', not both/,
    ],
    [
      'a listener beside a list of listeners',
      '{"event":"flight","listeners":[{"event":"flight"}]}',
      /Give 'listeners' or 'event', not both/,
    ],
    [
      'a misspelt member',
      '{"event":"flight","fromm":"-3h"}',
      /^Unknown field 'fromm': did you mean "from"\?$/,
    ],
    [
      'a misspelt member of a listener',
      '{"listeners":[{"event":"flight","requets":{},"triggers":[{"type":"echo"}]}]}',
      /^Unknown field 'requets': did you mean "request"\?$/,
    ],
    [
      'a start that belongs to a watch',
      '{"event":"flight","from_date":"-3h"}',
      /^Unknown field 'from_date': /,
    ],
    ['a wrong date', '{"event":"flight","from":"soon"}', /'from' must be/],
  ] as const) {
    it(`refuses ${name}`, () =>
      withSystem(async ({ post }) => {
        const response = await post('/api/v1/explain', body)
        const { message } = (await response.json()) as { readonly message: string }
        assert.equal(response.status, 400)
        assert.match(message, expected)
      }))
  }
})
