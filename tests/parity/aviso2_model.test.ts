/**
 * Conformance of the data model with Aviso 2.x: rows of its inventory that concern event types, fields, filters and keys, through the
 * services.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import FLIGHT from '#shared/notification/schemas/flight.json' with { type: 'json' }
import { AVISO2, MARS2, thingsOf } from '../support/aviso2_schemas.ts'
import { withAviso2System, type Aviso2System } from '../support/aviso2_system.ts'

const EXTREME = { region: 'north', run_time: '00', severity: 1, anomaly: 0 }

async function publishSeverities(system: Aviso2System, ...severities: readonly number[]): Promise<void> {
  for (const severity of severities) await system.publish('extreme', { ...EXTREME, severity })
}

async function severities(system: Aviso2System, severity: unknown): Promise<readonly unknown[]> {
  const found = await system.replay('extreme', { severity })
  return found.map(({ data }) => data.identifier['severity'])
}

describe('notify and replay of 2.x event types', () => {
  it('delivers canonical values, as text, under a key that can be read by prefix', async () => {
    await withAviso2System(async (system) => {
      const given = {
        ...MARS2,
        date: '2026-07-06',
        time: '6:00',
        expver: 1,
        step: 12,
        class: 'od',
        domain: 'G',
      }
      const body = await system.publish('mars', given, { url: 's3://x' })
      assert.equal(body['id'], 'mars@1')
      const [found] = await system.replay('mars', { ...MARS2, time: '06', date: '2026-187' })
      assert.deepEqual(found?.data, { identifier: MARS2, payload: { url: 's3://x' } })
      assert.equal(found?.subject, '/aviso2/mars/od/0001/g/20260706/0600/enfo/12')
      const { kvs } = await system.store.range(prefixRange('/aviso2/mars/'))
      const keys = kvs.map(({ key }) => toText(key))
      assert.deepEqual(keys, ['/aviso2/mars/', '/aviso2/mars/od/0001/g/20260706/0600/enfo/12'])
      const value = toText(kvs[1]?.value ?? new Uint8Array())
      assert.equal(value, '{"url":"s3://x"}')
      // A 1.x client asks for a prefix, up to the next text: "0" follows "/".
      const prefix = { key: btoa('/aviso2/mars/od/'), range_end: btoa('/aviso2/mars/od0') }
      const { body: range } = await system.post('/v3/kv/range', prefix)
      const polled = range['kvs'] as readonly { readonly key: string; readonly value: string }[]
      assert.deepEqual(
        polled.map((kv) => [atob(kv.key), atob(kv.value)]),
        [[keys[1], value]],
      )
    })
  })

  it('takes the form of 1.x, too', async () => {
    await withAviso2System(async (system) => {
      const data = { event: 'mars', request: MARS2, payload: 'at x' }
      const event = { specversion: '1.0', id: '1', source: '/me', type: 'aviso', data }
      const { status } = await system.post('/api/v1/notification', event)
      assert.equal(status, 200)
      const [found] = await system.replay('mars', MARS2)
      assert.deepEqual(found?.data, { identifier: MARS2, payload: 'at x' })
    })
  })

  it('B10: stores any value, and finds it byte for byte', async () => {
    const schema = thingsOf({ name: { type: 'StringHandler', required: true } })
    await withAviso2System(
      async (system) => {
        const names = ['a b', 'a\nb', 'a/b', '..', '\u0000', '🌧', '%2F', 'x'.repeat(400), 'Ελληνικά']
        for (const name of names) await system.publish('things', { name })
        for (const name of names) {
          const found = await system.replay('things', { name })
          assert.deepEqual(
            found.map(({ data }) => data.identifier['name']),
            [name],
          )
        }
        assert.equal((await system.replay('things', { name: '*' })).length, names.length)
      },
      [schema],
    )
  })
})

describe('notify of 2.x event types, refused', () => {
  it('answers 400 with the code of 2.x, and stores nothing', async () => {
    const { class: _class, ...incomplete } = MARS2
    const rows: readonly (readonly [row: string, event: string, identifier: object, message: RegExp])[] = [
      ['D2', 'dissemination', { ...MARS2, destination: 'X', target: 'T' }, /^Payload is required/],
      ['D6', 'mars', incomplete, /^Required field 'class' missing for notify operation$/],
      ['D7', 'mars', { ...MARS2, clas: 'od' }, /^Unknown field 'clas' provided for notify operation$/],
      ['D8', 'mars', { ...MARS2, point: '1,2' }, /`point` is only allowed/],
      ['A4', 'mars', { ...MARS2, date: 'today' }, /^Field 'date' contains invalid date/],
      ['C15', 'extreme', { ...EXTREME, severity: { gte: 4 } }, /^Field 'severity' must be/],
      ['A19', 'mars', { ...MARS2, class: null }, /^Field 'class' must be/],
    ]
    await withAviso2System(async (system) => {
      for (const [row, event_type, identifier, message] of rows) {
        const answer = await system.post('/api/v1/notification', { event_type, identifier })
        assert.equal(answer.status, 400, row)
        assert.equal(answer.body['code'], 'INVALID_NOTIFICATION_REQUEST', row)
        assert.match(String(answer.body['message']), message, row)
      }
      const nothing = { event_type: 'dissemination', identifier: {}, payload: null }
      assert.equal((await system.post('/api/v1/notification', nothing)).status, 400)
      const { count } = await system.store.range({ ...prefixRange('/aviso2/'), countOnly: true })
      assert.equal(count, 0n)
    })
  })

  it('D3: takes no null for a payload that is required', async () => {
    await withAviso2System(async (system) => {
      const identifier = { ...MARS2, destination: 'X', target: 'T' }
      const body = { event_type: 'dissemination', identifier, payload: null }
      const { status, body: answer } = await system.post('/api/v1/notification', body)
      assert.equal(status, 400)
      assert.match(String(answer['message']), /^Payload is required/)
      await system.publish('dissemination', identifier, '')
    })
  })

  it('D12: names the event types there are', async () => {
    await withAviso2System(async (system) => {
      for (const path of ['notification', 'watch', 'replay']) {
        const body = { event_type: 'marz', identifier: {}, ...(path === 'replay' && { from_id: '0' }) }
        const answer = await system.post(`/api/v1/${path}`, body)
        assert.equal(answer.status, 400, path)
        assert.equal(answer.body['code'], 'UNKNOWN_EVENT_TYPE', path)
        assert.deepEqual(answer.body['configured_event_types'], ['dissemination', 'extreme', 'mars'], path)
      }
    })
  })
})

describe('filters of 2.x event types', () => {
  it('C1, C5, C16: compares numbers', async () => {
    await withAviso2System(async (system) => {
      await publishSeverities(system, 2, 3, 4, 5, 6)
      assert.deepEqual(await severities(system, { gte: 4 }), ['4', '5', '6'])
      assert.deepEqual(await severities(system, { between: [2, 4] }), ['2', '3', '4'])
      assert.deepEqual(await severities(system, { in: [2, 6] }), ['2', '6'])
      assert.deepEqual(await severities(system, 4), ['4'])
      assert.deepEqual(await severities(system, '4'), ['4'])
      assert.deepEqual(await severities(system, '004'), ['4'])
      assert.deepEqual(await severities(system, [2, 3]), ['2', '3'])
      assert.deepEqual(await severities(system, '*'), ['2', '3', '4', '5', '6'])
    })
  })

  it('C10, C11: compares floating point numbers exactly', async () => {
    await withAviso2System(async (system) => {
      for (const anomaly of [39.9, '40.0', 42.5, 0.1 + 0.2])
        await system.publish('extreme', { ...EXTREME, anomaly })
      const found = async (anomaly: object): Promise<unknown[]> =>
        (await system.replay('extreme', { anomaly })).map(({ data }) => data.identifier['anomaly'])
      assert.deepEqual(await found({ gt: 40 }), ['42.5'])
      assert.deepEqual(await found({ eq: 40 }), ['40'])
      assert.deepEqual(await found({ eq: 0.3 }), [])
    })
  })

  it('C12: compares enumerations in any case', async () => {
    await withAviso2System(async (system) => {
      for (const region of ['North', 'south', 'east']) await system.publish('extreme', { ...EXTREME, region })
      const found = await system.replay('extreme', { region: { in: ['North', 'SOUTH'] } })
      assert.deepEqual(
        found.map(({ data }) => data.identifier['region']),
        ['north', 'south'],
      )
    })
  })

  it('refuses what cannot match anything, and what is not understood', async () => {
    const rows: readonly (readonly [row: string, identifier: object, message: RegExp])[] = [
      ['C2', { severity: { ge: 4 } }, /invalid operator 'ge'.*Allowed: eq,in,gt,gte,lt,lte,between/],
      ['C3', { severity: { gte: 9 } }, /outside allowed range 1 to 7/],
      ['C4', { severity: { between: [6, 2] } }, /needs two bounds/],
      ['C4', { severity: { between: [1] } }, /needs two bounds/],
      ['C4', { severity: { between: '1-2' } }, /needs two bounds/],
      ['C6', { severity: { gte: 1, lte: 3 } }, /exactly one operator/],
      ['C7', { severity: {} }, /exactly one operator/],
      ['C8', { severity: { in: [] } }, /at least one value/],
      ['C9', { severity: { eq: '4' } }, /expects an integer/],
      ['C9', { severity: { eq: 4.5 } }, /expects an integer/],
      ['C11', { anomaly: { gt: 250 } }, /outside allowed range 0 to 200/],
      ['C13', { region: { gt: 'a' } }, /Allowed: eq,in$/],
      ['C13: not a value', { region: { in: ['centre'] } }, /not one of its values/],
      ['C14', { run_time: { gt: '06' } }, /does not support constraint filters/],
      ['C18', { sevrity: 4 }, /^Unknown field 'sevrity' provided for watch operation$/],
      ['a time that is none', { run_time: '25' }, /^Field 'run_time' contains invalid time '25'/],
      ['out of range', { severity: 9 }, /^Field 'severity' must be within the range 1 to 7/],
    ]
    await withAviso2System(async (system) => {
      for (const [row, identifier, message] of rows) {
        const body = await system.refuse('extreme', identifier)
        assert.equal(body['code'], 'INVALID_REPLAY_REQUEST', row)
        assert.match(String(body['message']), message, row)
      }
    })
  })

  it('needs the required fields, by value or by comparison', async () => {
    await withAviso2System(async (system) => {
      await system.publish('mars', MARS2)
      const { step: _step, class: _class, ...others } = MARS2
      assert.match(String((await system.refuse('mars', others))['message']), /^Required field 'step' missing/)
      assert.equal((await system.replay('mars', { ...others, step: { lte: 12 } })).length, 1)
      assert.equal((await system.replay('mars', { ...others, step: { lt: 12 } })).length, 0)
    })
  })
})

describe('payloads', () => {
  const payloads: readonly unknown[] = [
    's3://x',
    '5',
    'true',
    '{"a":1}',
    ' [1]',
    '',
    'None',
    'null',
    'a\nb',
    5,
    0,
    -1.5,
    1e21,
    true,
    false,
    {},
    { a: [1, null] },
    [],
    [[]],
    ['x'],
    [{}],
    null,
  ]

  it('D4, D5: come back as they were sent, to event types of both generations', async () => {
    await withAviso2System(
      async (system) => {
        const text = `{"event_type":"extreme","identifier":${JSON.stringify(EXTREME)},"payload":9007199254740993}`
        assert.equal((await system.post('/api/v1/notification', text)).status, 200)
        const flight = { country: 'Italy', airport: 'fco', date: '20260810', number: 'AZ203' }
        for (const payload of [...payloads, undefined]) {
          await system.publish('extreme', EXTREME, payload)
          await system.publish('flight', flight, payload)
        }
        for (const [event, filter, first] of [
          ['extreme', {}, [2 ** 53]],
          ['flight', flight, []],
        ] as const) {
          const found = await system.replay(event, filter)
          assert.deepEqual(
            found.map(({ data }) => data.payload),
            [...first, ...payloads, null],
          )
        }
      },
      [AVISO2, FLIGHT],
    )
  })

  it('up to the largest body', async () => {
    await withAviso2System(async (system) => {
      const payload = 'x'.repeat(256 * 1024 - 200)
      await system.publish('extreme', EXTREME, payload)
      const [found] = await system.replay('extreme', {})
      assert.equal(found?.data.payload, payload)
    })
  })

  it('are told apart where an id is used again', async () => {
    await withAviso2System(async (system) => {
      const event = (payload: unknown): object => ({
        specversion: '1.0',
        id: 'same',
        source: '/me',
        type: 'aviso',
        data: { event: 'extreme', request: EXTREME, payload },
      })
      const sequences: unknown[] = []
      for (const payload of [5, '5', 5, '', 'None', 'None'])
        sequences.push((await system.post('/api/v1/notification', event(payload))).body['sequence'])
      assert.deepEqual(sequences, ['1', '2', '3', '4', '5', '5'])
    })
  })
})

describe('event types without a schema', () => {
  const permissive = { ...AVISO2, notification_schema_strict: false }
  const withPermissive = (use: (system: Aviso2System) => Promise<void>): Promise<void> =>
    withAviso2System(use, [permissive])

  it('D13: are accepted in permissive mode, and delivered', async () => {
    await withPermissive(async (system) => {
      const identifier = { b: 'x/y', a: 7, näme: '..' }
      const body = await system.publish('other', identifier, { at: 's3' })
      assert.equal(body['key'], '/aviso2/-/other/a=7/b=x%2Fy/näme=%2E%2E')
      await system.publish('other', { ...identifier, a: 8 }, true)
      await system.publish('another', { a: 7 })
      const found = await system.replay('other', { a: '7' })
      assert.deepEqual(
        found.map(({ data }) => data),
        [{ identifier: { a: '7', b: 'x/y', näme: '..' }, payload: { at: 's3' } }],
      )
      assert.equal((await system.replay('other', {})).length, 2)
      assert.equal((await system.replay('other', { b: '*', a: [7, 8] })).length, 2)
      assert.equal((await system.replay('other', { c: 'x' })).length, 0)
      assert.equal((await system.get('/api/v1/schema/other')).status, 404)
    })
  })

  it('C17: cannot be filtered by comparisons', async () => {
    await withPermissive(async (system) => {
      const body = await system.refuse('other', { a: { gte: 4 } })
      assert.equal(body['code'], 'INVALID_REPLAY_REQUEST')
      assert.match(String(body['message']), /^Constraint on field 'a' is not supported without schema$/)
    })
  })

  it('are refused with names and values that have no key', async () => {
    await withPermissive(async (system) => {
      const rows: readonly (readonly [event: string, identifier: object, code: string, message: RegExp])[] = [
        ['a/b', { a: 1 }, 'UNKNOWN_EVENT_TYPE', /a\/b/],
        ['', { a: 1 }, 'UNKNOWN_EVENT_TYPE', /schema/],
        ['other', {}, 'INVALID_NOTIFICATION_REQUEST', /needs at least one field/],
        ['other', { 'a=b': 1 }, 'INVALID_NOTIFICATION_REQUEST', /cannot be the name of a field/],
        ['other', { '': 1 }, 'INVALID_NOTIFICATION_REQUEST', /cannot be the name of a field/],
        ['other', { a: '' }, 'INVALID_NOTIFICATION_REQUEST', /must not be empty/],
        ['other', { a: null }, 'INVALID_NOTIFICATION_REQUEST', /must be a string/],
        ['other', { a: ['x'] }, 'INVALID_NOTIFICATION_REQUEST', /must be a string/],
        ['mars', { a: 1 }, 'INVALID_NOTIFICATION_REQUEST', /^Unknown field 'a'/],
      ]
      for (const [event_type, identifier, code, message] of rows) {
        const { status, body } = await system.post('/api/v1/notification', { event_type, identifier })
        assert.deepEqual([status, body['code']], [400, code], JSON.stringify(identifier))
        assert.match(String(body['message']), message)
      }
      const { count } = await system.store.range({ ...prefixRange('/aviso2/'), countOnly: true })
      assert.equal(count, 0n)
    })
  })
})

describe('the public schema of 2.x event types', () => {
  it('has the members of 2.x, and nothing of keys, rights and storage', async () => {
    await withAviso2System(async (system) => {
      const { body } = await system.get('/api/v1/schema/mars')
      const { schema } = body as { schema: { payload: object; identifier: Record<string, object> } }
      assert.deepEqual(Object.keys(schema), ['payload', 'identifier'])
      assert.deepEqual(schema.identifier['class'], {
        type: 'StringHandler',
        max_length: 2,
        required: false,
        description: 'The class of the data',
      })
      assert.deepEqual(schema.identifier['step'], { type: 'IntHandler', range: [0, 100_000], required: true })
      const all = (await system.get('/api/v1/schema')).body
      const payloads = Object.entries(all['schema'] as Record<string, { payload: { required: boolean } }>)
      assert.deepEqual(
        payloads.map(([event, { payload }]) => [event, payload.required]),
        [
          ['dissemination', true],
          ['extreme', false],
          ['mars', false],
        ],
      )
    })
  })
})
