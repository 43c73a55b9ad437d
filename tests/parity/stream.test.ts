/**
 * Conformance of the streams with aviso-server 2.x: the rows of C, E, F, J and L of its behaviour inventory (reference: aviso-v2 §9) that
 * need no identity. Not here: C17 (no permissive mode), F12 (every notification can be written), F15 and F20 (`tests/service/auth.test.ts`),
 * F16 and F17 (history has no cap), F18 (the hub's contract), J5 to J14 and J16 (identity, administration, metrics), L11 (identity).
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { withSystem, type TestSystem } from '../service/auth_fixture.ts'
import { createScaledClock } from '../support/clock.ts'
import { readAsClient, type ClientState } from './stream_client.ts'
import { eventually } from '../support/waiting.ts'
import { flight } from '../support/notifications.ts'

const MEASURE = { region: 'north', severity: 1, anomaly: 0, day: '20260810' }

/** Publishes a measure with some fields replaced. */
async function measure({ post }: TestSystem, fields: object): Promise<void> {
  const identifier = { ...MEASURE, ...fields }
  const response = await post('/api/v1/notification', { event_type: 'measure', identifier })
  assert.equal(response.status, 200, await response.text())
}

/** What a replay with this identifier delivers of a field. */
async function matches({ post }: TestSystem, identifier: object, field: string): Promise<string[]> {
  const response = await post('/api/v1/replay', { event_type: 'measure', identifier, from_id: '1' })
  const request = { event: 'measure', mode: 'replay', hasStart: true, hasFilter: true } as const
  const { delivered, isCompleted, terminal } = await readAsClient(response, request)
  assert.deepEqual([isCompleted, terminal], [true, undefined])
  return delivered.map(({ cloudEvent }) => cloudEvent.data.identifier[field] ?? '')
}

/** Code and message of a refusal. */
async function refusal({ post }: TestSystem, body: object, mode = 'watch'): Promise<string> {
  const response = await post(`/api/v1/${mode}`, body)
  const { code, message, request_id: id } = (await response.json()) as Record<string, string>
  assert.equal(response.status, 400, JSON.stringify(body))
  assert.equal(id, response.headers.get('x-request-id'))
  return `${code} ${message}`
}

const of = (identifier: object): object => ({ event_type: 'measure', identifier })

describe('C. constraints', () => {
  it('C1 C3 C5 C9: integers', () =>
    withSystem(async (test) => {
      for (const severity of [2, 3, 4, 6]) await measure(test, { severity })
      assert.deepEqual(await matches(test, { severity: { gte: 4 } }, 'severity'), ['4', '6'])
      assert.deepEqual(await matches(test, { severity: { between: [2, 4] } }, 'severity'), ['2', '3', '4'])
      assert.match(await refusal(test, of({ severity: { gte: 9 } })), /outside allowed range/)
      assert.match(await refusal(test, of({ severity: { eq: '4' } })), /expects an integer/)
      assert.match(await refusal(test, of({ severity: { eq: 4.5 } })), /expects an integer/)
    }))

  it('C2 C4 C6 C7 C8: one known operator with an operand of its form', () =>
    withSystem(async (test) => {
      const rows: readonly (readonly [constraint: object, message: RegExp])[] = [
        [{ ge: 4 }, /invalid operator.*Allowed: eq,in,gt,gte,lt,lte,between/],
        [{ between: [6, 2] }, /between/],
        [{ between: [1] }, /between/],
        [{ between: '1-2' }, /between/],
        [{ gte: 1, lte: 3 }, /exactly one operator/],
        [{}, /exactly one operator/],
        [{ in: [] }, /'in'/],
      ]
      for (const [severity, message] of rows) {
        const told = await refusal(test, of({ severity }))
        assert.match(told, message)
        assert.match(told, /^INVALID_WATCH_REQUEST Field 'severity'/)
      }
    }))

  it('C10 C11: floats, exactly', () =>
    withSystem(async (test) => {
      for (const anomaly of [39.9, 40, 42.5, 0.1 + 0.2]) await measure(test, { anomaly })
      assert.deepEqual(await matches(test, { anomaly: { eq: 0.3 } }, 'anomaly'), [])
      assert.deepEqual(await matches(test, { anomaly: { gt: 40 } }, 'anomaly'), ['42.5'])
      assert.match(await refusal(test, of({ anomaly: { gt: 250 } })), /outside allowed range/)
    }))

  it('C12 C13: enumerations, letter case aside', () =>
    withSystem(async (test) => {
      for (const region of ['north', 'south', 'north']) await measure(test, { region })
      assert.deepEqual(await matches(test, { region: { in: ['North', 'SOUTH'] } }, 'region'), [
        'north',
        'south',
        'north',
      ])
      assert.match(await refusal(test, of({ region: { gt: 'a' } })), /Allowed: eq,in/)
    }))

  it('C14: no order on other types (eq and in are ours)', () =>
    withSystem(async (test) => {
      await measure(test, { day: '20260811' })
      await measure(test, { day: '20260812' })
      assert.match(
        await refusal(test, of({ day: { gt: '20260811' } })),
        /does not support constraint filters/,
      )
      assert.deepEqual(await matches(test, { day: { in: ['20260812'] } }, 'day'), ['20260812'])
    }))

  it('C15 C16 C18: not on a notification; numbers as text are the same; unknown fields are refused', () =>
    withSystem(async (test) => {
      const identifier = { ...MEASURE, severity: { eq: 1 } }
      const notify = await test.post('/api/v1/notification', { event_type: 'measure', identifier })
      const { code } = (await notify.json()) as { code: string }
      assert.deepEqual([notify.status, code], [400, 'INVALID_NOTIFICATION_REQUEST'])
      await measure(test, { severity: 4 })
      for (const severity of [4, '4']) assert.deepEqual(await matches(test, { severity }, 'severity'), ['4'])
      assert.match(await refusal(test, of({ nope: 1 })), /^INVALID_WATCH_REQUEST .*nope/)
    }))
})

const REPLAY = { event: 'flight', mode: 'replay', hasStart: true, hasFilter: false } as const
const LIVE = { event: 'flight', mode: 'watch', hasStart: false, hasFilter: false } as const
const RESUMED = { ...LIVE, hasStart: true } as const
const ALL = { event_type: 'flight', identifier: {} }

async function replay({ post }: TestSystem, body: object, expected?: number): Promise<ClientState> {
  const response = await post('/api/v1/replay', { ...ALL, ...body })
  return readAsClient(response, expected === undefined ? REPLAY : { ...REPLAY, expected })
}

const numbers = ({ delivered }: ClientState): number[] => delivered.map(({ sequence }) => sequence)

describe('E. start points', () => {
  it('E1 E2 E3 E8: what is no start (a date without time is one here)', () =>
    withSystem(async (test) => {
      const from_date = '2025-06-09T13:15:00Z'
      assert.match(await refusal(test, ALL, 'replay'), /^INVALID_REPLAY_REQUEST/)
      const both = await refusal(test, { ...ALL, from_id: '1', from_date }, 'replay')
      assert.match(both, /Cannot specify both from_id and from_date/)
      for (const from_id of ['', ' ', '-1', 'abc', '1.5']) await refusal(test, { ...ALL, from_id })
      for (const date of ['-1', '2025-06-31', 'tomorrow', '2025', '', ' '])
        await refusal(test, { ...ALL, from_date: date })
    }))

  it('E4 E10: numbers are inclusive, 0 is everything', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      assert.deepEqual(numbers(await replay(test, { from_id: '0' }, 1)), [1, 2, 3])
      assert.deepEqual(numbers(await replay(test, { from_id: '2' }, 2)), [2, 3])
    }))

  it('E9: a date begins behind what was stored before it, whatever the notification says', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const at = Date.now() + 1
      await eventually('time passes', async () => Date.now() > at)
      await test.publish('b')
      assert.deepEqual(numbers(await replay(test, { from_date: String(at) })), [2])
    }))

  it('E11 E12 L13: ends', () =>
    withSystem(async (test) => {
      const from_date = '1740509903'
      for (const more of [
        { from_id: '5', to_id: '4' },
        { from_date, to_date: '1740509902' },
        { from_id: '1', to_id: '4', to_date: from_date },
      ])
        assert.match(await refusal(test, { ...ALL, ...more }, 'replay'), /^INVALID_REPLAY_REQUEST/)
      assert.match(await refusal(test, { ...ALL, to_id: '4' }), /only supported for replay/)
      for (const number of ['a', 'b', 'c', 'd', 'e']) await test.publish(number)
      const bounded = await replay(test, { from_id: '2', to_id: '3' }, 2)
      assert.deepEqual(
        [numbers(bounded), bounded.opening?.['end_sequence'], bounded.isCompleted, bounded.closed],
        [[2, 3], 3, true, 'end_of_stream'],
      )
      const dated = await replay(
        test,
        { from_id: '2', to_date: new Date(Date.now() + 60_000).toISOString() },
        2,
      )
      const end = dated.opening?.['end_sequence']
      assert.deepEqual([numbers(dated), end], [[2, 3, 4, 5], 5])
      await test.publish('f')
      const again = await replay(test, { from_id: '4', to_id: String(end) }, 4)
      assert.deepEqual([numbers(again), again.opening?.['end_sequence']], [[4, 5], 5])
    }))

  it('E13 K10: a start that is still to come', () =>
    withSystem(async (test) => {
      await test.publish('a')
      for (const start of [{ from_id: '2' }, { from_date: '2099-01-01T00:00:00Z' }]) {
        const { delivered, isCompleted, closed } = await replay(test, start)
        assert.deepEqual([delivered, isCompleted, closed], [[], true, 'end_of_stream'])
      }
      const response = await test.post('/api/v1/watch', { ...ALL, from_date: '2099-01-01T00:00:00Z' })
      let isPublished = false
      const { delivered } = await readAsClient(response, RESUMED, (state) => {
        if (state.isCompleted && !isPublished) {
          isPublished = true
          void test.publish('b')
        }
        return state.delivered.length > 0
      })
      assert.deepEqual(
        delivered.map(({ sequence, phase }) => [sequence, phase]),
        [[2, 'live-notification']],
      )
    }))
})

describe('F. streaming', () => {
  it('F1 F2 L1 L3: a live watch', () =>
    withSystem(async (test) => {
      await test.publish('earlier')
      const response = await test.post('/api/v1/watch', ALL)
      const { headers } = response
      assert.match(headers.get('cache-control') ?? '', /no-cache/)
      assert.equal(headers.get('x-accel-buffering'), 'no')
      await test.publish('later')
      const { opening, delivered } = await readAsClient(response, LIVE, (state) => state.delivered.length > 0)
      assert.equal(opening?.['request_id'], headers.get('x-request-id'))
      assert.equal(opening?.['connection_will_close_in_seconds'], 3600)
      assert.match(String(opening?.['timestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      assert.deepEqual(
        delivered.map(({ sequence }) => sequence),
        [2],
      )
    }))

  it('F3 L2: a watch with a start', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const response = await test.post('/api/v1/watch', { ...ALL, from_date: '0' })
      void test.publish('b')
      const { delivered } = await readAsClient(response, RESUMED, (state) => state.delivered.length > 1)
      assert.deepEqual(
        delivered.map(({ phase }) => phase),
        ['replay', 'live-notification'],
      )
    }))

  it('F5 F7: a replay, and publishing after it', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const state = await replay(test, { from_id: '1' }, 1)
      assert.deepEqual([numbers(state), state.isCompleted, state.closed], [[1], true, 'end_of_stream'])
      await test.publish('b')
    }))

  it('F6 L4: three watches get every number from ten writers', () =>
    withSystem(async (test) => {
      const watches = await Promise.all([1, 2, 3].map(() => test.post('/api/v1/watch', ALL)))
      const readers = watches.map((response) =>
        readAsClient(response, { ...LIVE, expected: 1 }, (state) => state.delivered.length === 200),
      )
      await Promise.all(
        Array.from({ length: 10 }, async (_, writer) => {
          for (let count = 0; count < 20; count++) await test.publish(`${writer}-${count}`)
        }),
      )
      for (const state of await Promise.all(readers)) {
        assert.equal(state.terminal, undefined)
        assert.deepEqual(
          numbers(state),
          Array.from({ length: 200 }, (_, index) => index + 1),
        )
      }
    }))

  it('F8 F13 F14: values intact, the CloudEvent’s members, a schema that is there', () =>
    withSystem(async (test) => {
      await test.publish('1.2.3')
      const { delivered } = await replay(test, { from_id: '1' })
      const event = delivered[0]?.cloudEvent as unknown as Record<string, unknown>
      const names = ['specversion', 'id', 'source', 'type', 'time', 'datacontenttype', 'dataschema', 'data']
      for (const name of names) assert.ok(name in event, name)
      assert.equal(delivered[0]?.cloudEvent.data.identifier['number'], '1.2.3')
      const schema = await test.call(new URL(String(event['dataschema'])).pathname)
      assert.equal(schema.status, 200)
    }))

  it('F4 F9 F11 L5 L6 L7: beats, ages, and goes on at the next number', () =>
    withSystem(
      async (test) => {
        await test.publish('a')
        const first = await test.post('/api/v1/watch', { ...ALL, from_id: '1' })
        const aged = await readAsClient(first, { ...RESUMED, expected: 1 })
        assert.ok(aged.heartbeats > 0)
        assert.deepEqual(
          [numbers(aged), aged.closed, aged.terminal],
          [[1], 'max_duration_reached', undefined],
        )
        await test.publish('b')
        const second = await test.post('/api/v1/watch', { ...ALL, from_id: '2' })
        const resumed = await readAsClient(
          second,
          { ...RESUMED, expected: 2 },
          (state) => state.delivered.length > 0,
        )
        assert.deepEqual(numbers(resumed), [2])
      },
      { clock: createScaledClock(20), vars: { heartbeatSeconds: 1, streamMaxAgeSeconds: 4 } },
    ))

  it('F10 L6: a shutdown', () =>
    withSystem(async (test) => {
      const response = await test.post('/api/v1/watch', ALL)
      const { closed } = await readAsClient(response, LIVE, (state) => {
        if (state.opening !== undefined) void test.system.close()
        return false
      })
      assert.equal(closed, 'server_shutdown')
    }))

  it('F19: history that is gone ends in a gap, never in silence', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b']) await test.publish(number)
      await test.store.compact(BigInt((await test.publish('c')).revision))
      for (const mode of ['watch', 'replay'] as const) {
        const response = await test.post(`/api/v1/${mode}`, { ...ALL, from_id: '2' })
        assert.equal((await readAsClient(response, { ...REPLAY, mode, expected: 2 })).terminal, 'HistoryGap')
      }
    }))

  it('F21 L14: a reader that stalls is ended, and loses nothing', () =>
    withSystem(
      async (test) => {
        const stalled = await test.post('/api/v1/watch', ALL)
        for (let count = 0; count < 50; count++) await test.publish(String(count), 'x'.repeat(8000))
        await eventually('the stream is ended', async () => (await streams(test)) === 0)
        const read = await readAsClient(stalled, { ...LIVE, expected: 1 })
        assert.equal(read.closed, 'server_shutdown')
        const next = (numbers(read).at(-1) ?? 0) + 1
        const response = await test.post('/api/v1/replay', { ...ALL, from_id: String(next) })
        const rest = await readAsClient(response, { ...REPLAY, expected: next })
        assert.deepEqual(
          [...numbers(read), ...numbers(rest)],
          Array.from({ length: 50 }, (_, index) => index + 1),
        )
      },
      { clock: createScaledClock(20), vars: { stallSeconds: 2 } },
    ))

  it('F22: a client that leaves is forgotten', () =>
    withSystem(async (test) => {
      await readAsClient(await test.post('/api/v1/watch', ALL), LIVE, (state) => state.opening !== undefined)
      await eventually('no stream is open', async () => (await streams(test)) === 0)
    }))
})

async function streams({ call }: TestSystem): Promise<number> {
  return ((await (await call('/ready')).json()) as { streams: number }).streams
}

describe('J. schema and health', () => {
  it('J1 J2 J3 J4 J15', () =>
    withSystem(async ({ call }) => {
      const get = async (path: string) => {
        const response = await call(path)
        const body = (await response.json()) as Record<string, unknown>
        return { status: response.status, id: response.headers.get('x-request-id') ?? '', body }
      }
      assert.equal((await get('/health')).status, 200)
      assert.equal((await get('/ready')).body['backend_connected'], true)
      const ids = [(await get('/health')).id, (await get('/api/v1/schema')).id]
      assert.equal(new Set(ids).size, 2)
      for (const id of ids) assert.match(id, /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/)
      const single = await get('/api/v1/schema/mars')
      const { schema } = single.body as { schema: object }
      assert.deepEqual(Object.keys(schema), ['payload', 'identifier'])
      const missing = await get('/api/v1/schema/nope')
      assert.deepEqual([missing.status, missing.body['request_id']], [404, missing.id])
      assert.ok(Array.isArray(missing.body['available_types']))
    }))
})

describe('L. the official client', () => {
  it('L8: something flows on a replay that finds nothing for long', () =>
    withSystem(
      async (test) => {
        await test.publish('a')
        const identifier = { ...flight('nobody') }
        const response = await test.post('/api/v1/watch', { event_type: 'flight', identifier, from_id: '1' })
        const filtered = { ...RESUMED, hasFilter: true }
        const { heartbeats, terminal } = await readAsClient(
          response,
          filtered,
          (state) => state.heartbeats > 1,
        )
        assert.deepEqual([heartbeats, terminal], [2, undefined])
      },
      { clock: createScaledClock(20), vars: { heartbeatSeconds: 1 } },
    ))

  it('L10: overload is told before the first byte of a stream, with a time to come back', () =>
    withSystem(
      async ({ post }) => {
        const first = await post('/api/v1/watch', ALL)
        const second = await post('/api/v1/watch', ALL)
        const seconds = Number(second.headers.get('retry-after'))
        assert.equal(second.status, 503)
        assert.ok(seconds > 0 && seconds <= 300)
        await first.body?.cancel()
      },
      { vars: { maxStreams: 1 } },
    ))

  it('L12: the largest payload is one frame within its limits', () =>
    withSystem(async (test) => {
      const payload = 'x'.repeat(131_072)
      await test.publish('a', payload)
      const { delivered } = await replay(test, { from_id: '1' }, 1)
      assert.equal(delivered[0]?.cloudEvent.data.payload, payload)
    }))

  it('gets notifications of other writers with the number before them, without stopping', () =>
    withSystem(async (test) => {
      const response = await test.post('/api/v1/watch', ALL)
      await test.publish('a')
      await test.publishForeign('x')
      await test.publish('b')
      const state = await readAsClient(response, LIVE, ({ delivered }) => delivered.length === 3)
      assert.deepEqual([numbers(state), state.ignored, state.terminal], [[1, 1, 2], [], undefined])
    }))
})
