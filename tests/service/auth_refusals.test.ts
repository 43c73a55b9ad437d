import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { AvisoError } from '#shared/errors.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { readFrames, withSystem, type TestSystem } from './auth_fixture.ts'
import { b64 } from '../support/etcd_wire.ts'

interface ErrorBody {
  readonly code: string | number
  readonly message: string
  readonly detail?: string
  readonly error: string
  readonly field?: string
  readonly request_id?: string
  readonly configured_event_types?: readonly string[]
  readonly available_types?: readonly string[]
}

/** Counts what the listening service asks of the store. */
function countingStore(): { readonly open: () => Store; readonly calls: () => number } {
  let calls = 0
  return {
    calls: () => calls,
    open: () => {
      const store = createMemoryStore({ clock: systemClock })
      return {
        ...store,
        range: (...parameters) => {
          calls++
          return store.range(...parameters)
        },
      }
    },
  }
}

async function refused(response: Response, status: number): Promise<ErrorBody> {
  const body = (await response.json()) as ErrorBody
  assert.equal(response.status, status, JSON.stringify(body))
  assert.equal(body.request_id, response.headers.get('x-request-id'))
  assert.ok(body.message.length > 0)
  return body
}

type Row = readonly [body: unknown, code: string, field?: string]

const flight = (more: object): object => ({ event_type: 'flight', identifier: {}, ...more })
const measure = (identifier: object): object => ({ event_type: 'measure', identifier })

/** Bodies that both routes refuse; the code of the last ones depends on the route. */
const BODIES: readonly Row[] = [
  ['', 'INVALID_JSON'],
  ['{', 'INVALID_JSON'],
  ['{"event_type":"flight","event_type":"mars"}', 'INVALID_JSON'],
  ['{"event_type":"flight"} x', 'INVALID_JSON'],
  [String.raw`{"event_type":"\uD800"}`, 'INVALID_JSON'],
  [`{"event_type":"flight","payload":${'['.repeat(20)}${']'.repeat(20)}}`, 'INVALID_JSON'],
  [[], 'INVALID_REQUEST_SHAPE'],
  ['null', 'INVALID_REQUEST_SHAPE'],
  [{}, 'INVALID_REQUEST_SHAPE', 'event_type'],
  [flight({ event_type: 1 }), 'INVALID_REQUEST_SHAPE', 'event_type'],
  [flight({ identifier: [] }), 'INVALID_REQUEST_SHAPE', 'identifier'],
  [flight({ identifier: { number: null } }), 'INVALID_REQUEST_SHAPE', 'number'],
  [flight({ identifier: { number: [] } }), 'INVALID_REQUEST_SHAPE', 'number'],
  [flight({ identifier: { number: [['a']] } }), 'INVALID_REQUEST_SHAPE', 'number'],
  [flight({ from_id: 1 }), 'INVALID_REQUEST_SHAPE', 'from_id'],
  [flight({ from_date: 0 }), 'INVALID_REQUEST_SHAPE', 'from_date'],
  [flight({ unknown: 1 }), 'UNKNOWN_FIELD', 'unknown'],
  [{ event_type: 'nope', identifier: {} }, 'UNKNOWN_EVENT_TYPE'],
]

/** Requests of the right shape that cannot be met. */
const REQUESTS: readonly (readonly [body: object, field: string])[] = [
  [flight({ from_id: '' }), 'from_id'],
  [flight({ from_id: '-1' }), 'from_id'],
  [flight({ from_id: '1.5' }), 'from_id'],
  [flight({ from_id: '18446744073709551616' }), 'from_id'],
  [flight({ from_id: '1', from_date: '2026-01-01T00:00:00Z' }), 'from_date'],
  [flight({ from_date: '2026-01' }), 'from_date'],
  [flight({ from_date: '2026-02-30T00:00:00Z' }), 'from_date'],
  [flight({ from_id: '1', identifier: { nope: 1 } }), 'nope'],
  [flight({ from_id: '1', identifier: { toString: { gt: 1 } } }), 'toString'],
  [flight({ from_id: '1', identifier: { date: '2026' } }), 'date'],
  [flight({ from_id: '1', identifier: { number: { gt: 1 } } }), 'number'],
  [flight({ from_id: '1', identifier: { number: 'a/b' } }), 'number'],
  [{ event_type: 'dissemination', from_id: '1', identifier: {} }, 'destination'],
  [{ ...measure({ severity: { gte: 9 } }), from_id: '1' }, 'severity'],
]

describe('POST /api/v1/watch and /api/v1/replay', () => {
  it('refuse a bad body with its code and field, before the store is asked', async () => {
    const counting = countingStore()
    await withSystem(
      async ({ post }) => {
        const before = counting.calls()
        for (const mode of ['watch', 'replay']) {
          for (const [body, code, field] of BODIES) {
            const answer = await refused(await post(`/api/v1/${mode}`, body), 400)
            assert.deepEqual([answer.code, answer.field], [code, field], JSON.stringify(body))
            assert.equal(answer.detail, undefined, 'the member of 1.x')
          }
          for (const [body, field] of REQUESTS) {
            const answer = await refused(await post(`/api/v1/${mode}`, body), 400)
            const code = `INVALID_${mode.toUpperCase()}_REQUEST`
            assert.deepEqual([answer.code, answer.field], [code, field], JSON.stringify(body))
          }
        }
        assert.equal(counting.calls(), before)
      },
      { store: counting.open },
    )
  })

  it('name the event types there are', () =>
    withSystem(async ({ post }) => {
      const answer = await refused(await post('/api/v1/watch', { event_type: 'Flight', identifier: {} }), 400)
      assert.deepEqual(answer.configured_event_types, ['dissemination', 'flight', 'mars', 'measure'])
    }))

  it('take an end on a replay only, and none before the start', () =>
    withSystem(async ({ post }) => {
      const span = (more: object): object => flight({ from_id: '5', ...more })
      const rows: readonly (readonly [mode: string, body: object, field: string])[] = [
        ['watch', span({ to_id: '9' }), 'to_id'],
        ['watch', span({ to_date: '2026-01-01T00:00:00Z' }), 'to_date'],
        ['replay', span({ to_id: '4' }), 'to_id'],
        ['replay', span({ to_id: '9', to_date: '2026-01-01T00:00:00Z' }), 'to_date'],
        ['replay', span({ to_id: 'x' }), 'to_id'],
        ['replay', flight({ from_date: '1740509903', to_date: '1740509902' }), 'to_date'],
        ['replay', flight({ to_id: '4' }), 'from_id'],
        ['replay', flight({}), 'from_id'],
      ]
      for (const [mode, body, field] of rows) {
        const answer = await refused(await post(`/api/v1/${mode}`, body), 400)
        assert.deepEqual([answer.code, answer.field], [`INVALID_${mode.toUpperCase()}_REQUEST`, field])
      }
    }))

  it('bound the body, and take it uncompressed only', () =>
    withSystem(async ({ post }) => {
      const long = await post('/api/v1/watch', flight({ payload: 'x'.repeat(257 * 1024) }))
      assert.equal((await refused(long, 413)).code, 'TOO_LARGE')
      const packed = await post('/api/v1/watch', flight({}), { 'content-encoding': 'gzip' })
      assert.equal((await refused(packed, 415)).code, 'UNSUPPORTED_MEDIA_TYPE')
    }))

  it('are overloaded with 503 and a time to come back, and the streams that are open go on', () =>
    withSystem(
      async ({ post, publish }) => {
        const first = await post('/api/v1/watch', flight({}))
        const second = await post('/api/v1/watch', flight({}))
        assert.equal((await refused(second, 503)).code, 'SERVICE_UNAVAILABLE')
        assert.match(second.headers.get('retry-after') ?? '', /^\d{1,3}$/)
        await publish('AZ1')
        const frames = readFrames(first)
        assert.equal((await frames.next(({ data }) => data.data !== undefined)).data.id, 'flight@1')
        await frames.close()
      },
      { vars: { maxStreams: 1 } },
    ))
})

describe('GET /api/v1/watch', () => {
  it('refuses a bad query with its field', () =>
    withSystem(async ({ call }) => {
      const rows: readonly (readonly [query: string, field: string | undefined])[] = [
        ['', 'event'],
        ['event=flight&event=mars', 'event'],
        ['event=flight&from_id=x', 'from_id'],
        ['event=flight&from_id=1&from_id=2', 'from_id'],
        ['event=flight&from_id=1&from=e.1', 'from'],
        ['event=flight&from=no-position', undefined],
        ['event=flight&to_id=4', 'to_id'],
        ['event=flight&constructor=1', 'constructor'],
        ['event=flight&number=', 'number'],
        [`event=flight${'&number=1'.repeat(256)}`, undefined],
      ]
      for (const [query, field] of rows) {
        const answer = await refused(await call(`/api/v1/watch?${query}`), 400)
        assert.deepEqual([answer.code, answer.field], ['INVALID_WATCH_REQUEST', field], query)
      }
    }))
})

describe('a body that is no JSON', () => {
  it('gets a hint where the slip is known', () =>
    withSystem(async ({ call }) => {
      const response = await call('/api/v1/watch', { method: 'POST', body: '@request.json' })
      const body = (await response.json()) as Readonly<Record<string, unknown>>
      assert.deepEqual([response.status, body['code']], [400, 'INVALID_JSON'])
      assert.match(String(body['hint']), /--data-binary @FILE/)
    }))
})

describe('routing', () => {
  const call = async (
    { call: send }: TestSystem,
    line: string,
  ): Promise<readonly [number, string | null, string | null]> => {
    const [method = '', path = ''] = line.split(' ')
    const response = await send(path, { method })
    await response.body?.cancel()
    return [response.status, response.headers.get('allow'), response.headers.get('x-request-id')]
  }

  it('answers 404 for what is not there and 405 for another method, with a request id', () =>
    withSystem(async (test) => {
      for (const line of [
        'GET /nope',
        'GET /api/v1/',
        'POST /api/v1/watch/',
        'GET /api/v1/schema/a/b',
        'POST /V3/watch',
      ]) {
        const [status, , id] = await call(test, line)
        assert.deepEqual([status, (id ?? '').length], [404, 36], line)
      }
      for (const [line, allow] of [
        ['DELETE /api/v1/watch', 'POST, GET, HEAD, OPTIONS'],
        ['GET /api/v1/replay', 'POST, OPTIONS'],
        ['POST /api/v1/schema', 'GET, HEAD, OPTIONS'],
        ['POST /health', 'GET, HEAD, OPTIONS'],
        ['GET /v3/watch', 'POST, OPTIONS'],
        ['PUT /v3/kv/range', 'POST, OPTIONS'],
      ] as const) {
        const [status, allowed] = await call(test, line)
        assert.deepEqual([status, allowed], [405, allow], line)
      }
    }))

  it('refuses a part of a path that is no UTF-8, and names no other in its place', () =>
    withSystem(async (test) => {
      for (const [path, name] of [
        ['/api/v1/schema/fl%FFight', 'event type'],
        ['/api/v1/notifications/flight%FF@1/trace', 'id'],
      ] as const) {
        const response = await test.call(path)
        const { message } = (await response.json()) as { readonly message: unknown }
        assert.deepEqual(
          [response.status, message],
          [400, `The ${name} in the path is not percent-encoded UTF-8`],
        )
      }
    }))

  it('offers nothing that writes through the facade, nor anything else of etcd', () =>
    withSystem(async ({ post }) => {
      const paths = [
        '/v3/',
        '/v3/kv/put',
        '/v3/kv/txn',
        '/v3/kv/deleterange',
        '/v3/lease/grant',
        '/v3/kv/range/',
      ]
      for (const path of [
        ...paths,
        '/v3/auth/authenticate',
        '/v3/maintenance/status',
        '/v3/kv/../kv/put',
        '/v3/kv/%70ut',
      ]) {
        const response = await post(path, { key: b64('/tmp/aviso/flight/') })
        const body = await refused(response, 404)
        assert.deepEqual([body.code, body.error], [5, body.message], path)
      }
    }))

  it('tells liveness and readiness', () =>
    withSystem(async ({ call: send, system }) => {
      const body = async (path: string): Promise<unknown> => (await send(path)).json()
      assert.deepEqual(await body('/health'), { status: 'ok' })
      assert.deepEqual(await body('/livez'), { status: 'ok' })
      const ready = { status: 'ready', backend_connected: true, streams: 0 }
      assert.deepEqual(await body('/ready'), ready)
      assert.deepEqual(await body('/readyz'), ready)
      await system.close()
      const closed = await send('/ready')
      assert.deepEqual(
        [closed.status, ((await closed.json()) as { status: string }).status],
        [503, 'not_ready'],
      )
      assert.equal((await send('/health')).status, 200)
    }))
})

/** The facade answers with the codes of gRPC. */
describe('POST /v3/kv/range and /v3/watch', () => {
  it('refuse a bad message, before the store is asked', async () => {
    const counting = countingStore()
    const key = b64('/tmp/aviso/flight/')
    await withSystem(
      async ({ post }) => {
        const before = counting.calls()
        const rows: readonly (readonly [path: string, body: unknown, message: RegExp, field?: string])[] = [
          ['/v3/kv/range', '', /data cannot be empty/],
          ['/v3/kv/range', 'null', /Expected a JSON object/],
          ['/v3/kv/range', { keyyy: key }, /Unknown field "keyyy"/, 'keyyy'],
          ['/v3/kv/range', {}, /key not found in the body/, 'key'],
          ['/v3/kv/range', { key: '/ec/%' }, /base64/, 'key'],
          ['/v3/kv/range', { key, range_end: b64('/a') }, /greater than/, 'range_end'],
          ['/v3/kv/range', { key, limit: 'aa' }, /whole number/, 'limit'],
          ['/v3/kv/range', { key, limit: 10001 }, /at most 10000/, 'limit'],
          ['/v3/kv/range', { key, sort_target: 'KEYY' }, /one of/, 'sort_target'],
          ['/v3/kv/range', { key, keysOnly: true, keys_only: true }, /two spellings/, 'keys_only'],
          ['/v3/watch', { key }, /Unknown field "key"/, 'key'],
          ['/v3/watch', { create_request: { key, prev_kv: true } }, /not supported/, 'prev_kv'],
        ]
        for (const [path, body, message, field] of rows) {
          const answer = await refused(await post(path, body), 400)
          assert.match(answer.message, message)
          assert.deepEqual([answer.field, answer.code, answer.error], [field, 3, answer.message])
        }
        assert.equal((await refused(await post('/v3/kv/range', { key: b64('/_aviso/epoch') }), 403)).code, 7)
        assert.equal(counting.calls(), before)
      },
      { store: counting.open },
    )
  })

  it('answer a failing store as 1.x does', async () => {
    let failure: AvisoError | undefined
    const open = (): Store => {
      const store = createMemoryStore({ clock: systemClock })
      return {
        ...store,
        range: (...parameters) =>
          failure === undefined ? store.range(...parameters) : Promise.reject(failure),
      }
    }
    await withSystem(
      async ({ post }) => {
        failure = new AvisoError('ERR_STORE_UNAVAILABLE', 'etcd at 10.0.0.1 cannot be reached')
        const response = await post('/v3/kv/range', { key: b64('/ec/mars/') })
        const answer = await refused(response, 503)
        assert.deepEqual(
          [answer.message, answer.code, response.headers.get('retry-after')],
          ['Service currently unavailable, please try again later', 14, '30'],
        )
        failure = undefined
      },
      { store: open },
    )
  })
})
