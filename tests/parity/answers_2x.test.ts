/**
 * Answers of aviso 2.x to single requests, by the numbers of its conformance cases: notifying (D), wrong starts and ends (E), administration
 * (J), and who is asked for a credential first (K17).
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { JOE_TOKEN, OPERATOR_TOKEN, PROVIDER_TOKEN } from '../support/auth_servers_system.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from '../service/identity_fixture.ts'
import { flight } from '../support/notifications.ts'

/** Flights are public, disseminations are not. */
const POLICY = {
  public: { listen: ['flight'], publish: ['flight'] },
  rules: [
    { realm: 'local', roles: ['operator'], listen: 'everything', publish: 'everything', admin: true },
    { realm: 'ecmwf', listen: ['flight'] },
  ],
}

const NOTIFY = 'POST /api/v1/notification'
const WATCH = 'POST /api/v1/watch'
const REPLAY = 'POST /api/v1/replay'
const DELETE = 'DELETE /api/v1/admin/notification/'

/** What an answer must be. */
interface Right {
  readonly status: number
  readonly code?: string
  readonly error?: string
  /** Other members of the body. */
  readonly with?: Readonly<Record<string, unknown>>
}

type Row = readonly [
  row: string,
  ask: string,
  body: unknown,
  right: Right,
  headers?: Readonly<Record<string, string>>,
]

const OPERATOR = bearer(OPERATOR_TOKEN)
const about = (more: object = {}): object => ({ event_type: 'flight', identifier: {}, ...more })
const labelled = (ask: string): string =>
  ask === NOTIFY
    ? 'Invalid Notification Request'
    : ask === WATCH
      ? 'Invalid Watch Request'
      : 'Invalid Replay Request'
const shapes = (ask: string): readonly Row[] => {
  const error = labelled(ask)
  const shape = { status: 400, code: 'INVALID_REQUEST_SHAPE', error }
  return [
    ['D9', ask, '{"event_type":', { status: 400, code: 'INVALID_JSON', error }],
    ['D10', ask, about({ other: 1 }), { status: 400, code: 'UNKNOWN_FIELD', error }],
    ['D11', ask, { identifier: {} }, shape],
    ['D11', ask, { event_type: 'flight' }, shape],
    ['D11', ask, about({ identifier: [] }), shape],
    ['D11', ask, about({ identifier: null }), shape],
    ['D11', ask, about({ from_id: 1 }), shape],
    [
      'D12',
      ask,
      about({ event_type: 'nope' }),
      {
        status: 400,
        code: 'UNKNOWN_EVENT_TYPE',
        error: 'unknown_event_type',
        with: { configured_event_types: undefined },
      },
    ],
  ]
}
const wrongStart = (ask: string, more: object): Row => [
  'E1 E2 E3 E11',
  ask,
  about(more),
  {
    status: 400,
    code: ask === WATCH ? 'INVALID_WATCH_REQUEST' : 'INVALID_REPLAY_REQUEST',
    error: labelled(ask),
  },
]
const missing = (id: string): Row => [
  'J6',
  DELETE + id,
  undefined,
  { status: 400, with: { success: false, notification_id: decodeURIComponent(id) } },
  OPERATOR,
]

const ROWS: readonly Row[] = [
  [
    'D1',
    NOTIFY,
    about({ identifier: flight('AZ1'), payload: 'x' }),
    { status: 200, with: { status: 'success' } },
  ],
  ...[NOTIFY, WATCH, REPLAY].flatMap(shapes),
  [
    'D7',
    NOTIFY,
    about({ identifier: { ...flight('AZ1'), other: 1 } }),
    { status: 400, code: 'INVALID_NOTIFICATION_REQUEST', error: 'Invalid Notification Request' },
  ],
  [
    'D8',
    NOTIFY,
    about({ identifier: { ...flight('AZ1'), point: '1,2' } }),
    { status: 400, code: 'INVALID_NOTIFICATION_REQUEST', error: 'Invalid Notification Request' },
  ],
  [
    'C15',
    NOTIFY,
    about({ identifier: { ...flight('AZ1'), number: { in: ['a'] } } }),
    { status: 400, code: 'INVALID_NOTIFICATION_REQUEST' },
  ],
  ...['to_id', 'to_date'].map((name): Row => [
    'E11',
    NOTIFY,
    about({ identifier: flight('AZ1'), [name]: '2026-08-10T12:00:00Z' }),
    { status: 400, code: 'INVALID_NOTIFICATION_REQUEST', with: { field: name } },
  ]),
  ['E11', NOTIFY, about({ identifier: flight('AZ2'), from_id: '5' }), { status: 200 }],
  wrongStart(REPLAY, {}),
  ...[WATCH, REPLAY].flatMap((ask) => [
    wrongStart(ask, { from_id: '1', from_date: '2026-08-10T12:00:00Z' }),
    ...['', ' ', '-1', 'abc', '1.5'].map((from_id) => wrongStart(ask, { from_id })),
    ...['-1', 'gestern', ''].map((from_date) => wrongStart(ask, { from_date })),
  ]),
  wrongStart(WATCH, { to_id: '5' }),
  wrongStart(REPLAY, { from_id: '5', to_id: '4' }),
  wrongStart(REPLAY, { from_id: '5', to_id: '6', to_date: '2026-08-10T12:00:00Z' }),
  ['C18', WATCH, about({ identifier: { nubmer: 'x' } }), { status: 400, code: 'INVALID_WATCH_REQUEST' }],
  // Whoever may not listen at all is asked for a credential, and not told what is wrong with the rest.
  [
    'K17',
    WATCH,
    { event_type: 'dissemination', identifier: { nope: 'x' } },
    { status: 401, code: 'UNAUTHORIZED', error: 'unauthorized' },
  ],
  ['K17', REPLAY, { event_type: 'dissemination', identifier: {} }, { status: 401, code: 'UNAUTHORIZED' }],
  ['K17', REPLAY, { event_type: 'dissemination', identifier: {}, from_id: 'x' }, { status: 400 }],
  [
    'K17',
    WATCH,
    { event_type: 'dissemination', identifier: { nope: 'x' } },
    { status: 400, code: 'INVALID_WATCH_REQUEST' },
    OPERATOR,
  ],
  ...['bad', 'flight@0', 'flight@x', '%401'].map(missing),
  [
    'J7',
    `${DELETE}flight@999`,
    undefined,
    { status: 404, with: { success: false, notification_id: 'flight@999' } },
    OPERATOR,
  ],
  [
    'H13',
    `${DELETE}flight@1`,
    undefined,
    { status: 401, with: { success: false, notification_id: 'flight@1' } },
  ],
  ['H13', `${DELETE}flight@1`, undefined, { status: 403 }, bearer(JOE_TOKEN)],
  ['H13', `${DELETE}flight@1`, undefined, { status: 403 }, bearer(PROVIDER_TOKEN)],
  [
    'J16',
    'DELETE /api/v1/admin/wipe/stream',
    { stream_name: 'nope' },
    { status: 404, with: { success: false } },
    OPERATOR,
  ],
]

describe('aviso 2.x, answers', () => {
  let test: IdentitySystem

  before(async () => {
    test = await startIdentitySystem({ vars: { policy: POLICY } })
  })
  after(() => test.close())

  async function ask(row: Row): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
    const [, what, body, , headers = {}] = row
    const [method = '', path = ''] = what.split(' ')
    const json: Readonly<Record<string, string>> =
      method === 'DELETE' ? { 'content-type': 'application/json' } : {}
    const response = await test.call(path, {
      method,
      headers: { ...json, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
    if (!isJson) await response.body?.cancel()
    return {
      status: response.status,
      body: isJson ? ((await response.json()) as Readonly<Record<string, unknown>>) : {},
    }
  }

  for (const row of ROWS) {
    const [number, what, body, right] = row
    it(`${number}: ${what} ${typeof body === 'string' ? body : JSON.stringify(body)}`, async () => {
      const { status, body: got } = await ask(row)
      assert.equal(status, right.status, JSON.stringify(got))
      const { code = got['code'], error = got['error'] } = right
      assert.deepEqual([got['code'], got['error']], [code, error])
      assert.equal(typeof got['request_id'], 'string')
      if (status >= 400) assert.equal(typeof got['message'], 'string')
      for (const [name, value] of Object.entries(right.with ?? {}))
        if (value === undefined) assert.ok(got[name] !== undefined, name)
        else assert.deepEqual(got[name], value, name)
    })
  }

  it('D1: the members that 2.x has, with ours beside them', async () => {
    const { body } = await ask(['D1', NOTIFY, about({ identifier: flight('AZ3') }), { status: 200 }])
    for (const name of ['status', 'request_id', 'processed_at']) assert.ok(name in body, name)
    assert.match(String(body['processed_at']), /^.{19}Z$/)
  })

  it('D15: a repeated request gets the result of the first', async () => {
    const headers = { 'idempotency-key': 'the-same' }
    const row: Row = ['D15', NOTIFY, about({ identifier: flight('AZ4') }), { status: 200 }, headers]
    const [first, second] = [await ask(row), await ask(row)]
    assert.equal(first.body['id'], second.body['id'])
  })

  it('E12: an opening says both ends as they were asked for', async () => {
    const span = { from_date: '2020-01-01T00:00:00Z', to_date: '2030-01-01T00:00:00Z' }
    const replay = await test.post('/api/v1/replay', about(span))
    const text = await replay.text()
    const opening = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '{}') as Readonly<Record<string, unknown>>
    assert.equal(opening['type'], 'replay_started')
    assert.deepEqual([opening['from_date'], opening['to_date']], [span.from_date, span.to_date])
    assert.equal(typeof opening['end_sequence'], 'number')
  })

  it('E5 E6 E7: dates in every form that 2.x reads', async () => {
    for (const from_date of [
      '2025-06-09T15:15:00+02:00',
      '2025-06-09 13:15:00',
      '2025-06-09T13:15:00.5',
      '1740509903',
      '1740509903710',
      '10000000000',
      '946684800000',
      '00000000001740509903',
      '+1740509903',
    ]) {
      const replay = await test.post('/api/v1/replay', about({ from_date }))
      assert.equal(replay.status, 200, from_date)
      assert.match(await replay.text(), /"replay_completed"/, from_date)
    }
  })

  it('J5: schemas are for everybody, whatever the credential', async () => {
    for (const authorization of ['Bearer nonsense', 'Nonsense', 'Basic !!'])
      for (const path of ['/api/v1/schema', '/api/v1/schema/flight']) {
        const response = await test.call(path, { headers: { authorization } })
        assert.equal(response.status, 200, `${path} ${authorization}`)
        await response.body?.cancel()
      }
  })

  it('J8 J9: what is deleted or wiped is gone, and numbers go on', async () => {
    const publish = async (number: string): Promise<string> =>
      String((await ask(['', NOTIFY, about({ identifier: flight(number) }), { status: 200 }])).body['id'])
    const replayed = async (): Promise<string> =>
      (await test.post('/api/v1/replay', about({ from_id: '0' }))).text()
    const id = await publish('AZ8')
    assert.ok((await replayed()).includes(`"${id}"`))
    const removed = await ask([
      'J8',
      `${DELETE}${id.replace('flight', 'Flight')}`,
      undefined,
      { status: 200 },
      OPERATOR,
    ])
    assert.deepEqual([removed.status, removed.body['notification_id']], [200, id])
    assert.ok(!(await replayed()).includes(`"${id}"`))
    const wiped = await ask([
      'J9',
      'DELETE /api/v1/admin/wipe/stream',
      { stream_name: 'FLIGHT' },
      { status: 200 },
      OPERATOR,
    ])
    assert.equal(wiped.status, 200, JSON.stringify(wiped.body))
    assert.doesNotMatch(await replayed(), /"flight@/)
    assert.ok(Number((await publish('AZ9')).split('@')[1]) > Number(id.split('@')[1]))
  })
})
