import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createManualClock } from '../support/clock.ts'
import { withSystem, type TestSystem } from './auth_fixture.ts'

interface Described {
  readonly event_type: string
  readonly whole: boolean
  readonly last: { readonly id: string; readonly sequence: string; readonly time: string } | null
  readonly published: Readonly<Record<string, number | null>>
  readonly fields: Readonly<
    Record<
      string,
      { readonly values: readonly { readonly value: string; readonly count: number }[]; more: boolean }
    >
  >
  readonly looked: number
}

async function describeFlights({ call }: TestSystem): Promise<Described> {
  const response = await call('/api/v1/events?event=flight')
  const { events } = (await response.json()) as { readonly events: readonly Described[] }
  const [flights] = events
  assert.ok(flights !== undefined && events.length === 1)
  return flights
}

describe('GET /api/v1/events', () => {
  it('tells all event types, also those that nobody has published', () =>
    withSystem(async ({ call }) => {
      const response = await call('/api/v1/events')
      const { events } = (await response.json()) as { readonly events: readonly Described[] }
      assert.deepEqual(
        events.map(({ event_type: event, last, looked }) => [event, last, looked]),
        ['dissemination', 'flight', 'mars', 'measure'].map((event) => [event, null, 0]),
      )
    }))

  it('tells the last one and what fields had, bounded', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'a']) await test.publish(number)
      const { last, fields, published, whole } = await describeFlights(test)
      assert.deepEqual([last?.id, last?.sequence, whole], ['flight@3', '3', true])
      assert.deepEqual(fields['number']?.values, [
        { value: 'a', count: 2 },
        { value: 'b', count: 1 },
      ])
      assert.deepEqual(published, { minute: 3, hour: 3, day: 3 })
      await test.publishTogether(...Array.from({ length: 100 }, (_, place) => `n${place}`))
      const many = (await describeFlights(test)).fields['number']
      assert.deepEqual([many?.values.length, many?.more], [50, true])
    }))

  it('counts by number what is further back than it looks', async () => {
    const clock = createManualClock()
    await withSystem(
      async (test) => {
        await test.publish('old')
        clock.pass(2 * 86_400_000)
        const many = Array.from({ length: 100 }, (_, place) => `n${place}`)
        for (let batch = 0; batch < 3; batch++) await test.publishTogether(...many)
        clock.pass(7_200_000)
        await test.publish('new')
        const { published, looked } = await describeFlights(test)
        assert.deepEqual(published, { minute: 1, hour: 1, day: 301 })
        assert.ok(looked < 301)
      },
      { clock },
    )
  })

  it('refuses what it does not know', () =>
    withSystem(async ({ call }) => {
      assert.equal((await call('/api/v1/events?event=nothing')).status, 400)
      assert.equal((await call('/api/v1/events?colour=red')).status, 400)
    }))
})

describe('GET /api/v1/me', () => {
  it('says that without identities everything is allowed', () =>
    withSystem(async ({ call }) => {
      const me = (await (await call('/api/v1/me')).json()) as Record<string, unknown>
      assert.equal(me['user'], null)
      assert.deepEqual(me['administer'], { allowed: true, by: ['vars.identity'] })
    }))
})
