import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { cloudEvent, dissemination, setUp, textOf } from './rest_fixture.ts'
import { DISSEMINATION, DISSEMINATION_KEY, MARS } from '../support/notifications.ts'

describe('POST /api/v1/notification, one CloudEvent', () => {
  it('publishes the canonical notification and answers with its place', async () => {
    const { post, items } = setUp()
    const { status, body, headers } = await post(dissemination())
    assert.equal(status, 200)
    assert.deepEqual(body, {
      message: 'Notification successfully submitted',
      status: 'success',
      request_id: headers.get('x-request-id'),
      processed_at: '2026-06-10T12:34:56Z',
      id: 'dissemination@1',
      sequence: '1',
      revision: '9007199254740993',
      key: DISSEMINATION_KEY,
    })
    const [item] = items
    assert.deepEqual(
      [item?.keys.stem, item?.keys.base, item?.keys.admin],
      [DISSEMINATION_KEY, '/ec/diss/MACI/', '/ec/admin/20190810/MACI'],
    )
    assert.equal(textOf(item?.value), 's3://bucket/xyz')
    assert.deepEqual(
      [item?.id, item?.source, item?.time, item?.ttlSeconds, item?.traceparent],
      [
        '0c02fdc5-148c-43b5-b2fa-cb1f590369ff',
        '/host/user',
        '2020-03-02T13:34:40.245Z',
        undefined,
        undefined,
      ],
    )
  })

  it('stores None for no payload, and an object as JSON with all its digits', async () => {
    const { post, items } = setUp()
    await post(cloudEvent({ event: 'mars', request: MARS }))
    await post(cloudEvent({ event: 'mars', request: MARS, location: '' }))
    await post(
      JSON.stringify(cloudEvent({ event: 'mars', request: MARS, location: 0 })).replace(
        '"location":0',
        '"location":{"n":12345678901234567890}',
      ),
    )
    assert.deepEqual(
      items.map((item) => textOf(item.value)),
      ['None', 'None', '{"n":12345678901234567890}'],
    )
    assert.equal(
      items[0]?.keys.stem,
      '/ec/mars/date=20190810,class=od,expver=0001,domain=g,time=00,stream=enfo,step=1',
    )
  })

  it('reads headers of binary mode by the HTTP binding of CloudEvents (§3.1.3.2)', async () => {
    const { post, items } = setUp()
    const data = { event: 'dissemination', request: DISSEMINATION, location: 'x' }
    const headers = { 'ce-source': '/s', 'ce-type': 'aviso', 'ce-specversion': '1.0' }
    const rows = [
      ['a%20%C3%A9', 'a é'],
      ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
      ['"quoted"', 'quoted'],
      ['"a \\"b\\" \\\\ %22"', 'a "b" \\ "'],
      ['half "quoted"', 'half "quoted"'],
      ['%2541', '%41'],
    ] as const
    for (const [sent, read] of rows) {
      const { status, text } = await post(data, { ...headers, 'ce-id': sent })
      assert.equal(status, 200, text)
      assert.equal(items.at(-1)?.id, read)
    }
    for (const wrong of ['\u00e9', '%', '%zz', '%ff', '%C3', '%ED%A0%80'])
      assert.equal((await post(data, { ...headers, 'ce-id': wrong })).status, 400, wrong)
    assert.equal(items.length, rows.length)
  })

  it('takes every envelope that 1.x takes', async () => {
    const { post, items, handler } = setUp()
    const data = { event: 'dissemination', request: DISSEMINATION, location: 'x' }
    const binary = { 'ce-id': 'a%20%C3%A9', 'ce-source': '/s', 'ce-type': 'aviso', 'ce-specversion': '1.0' }
    const { data: _data, ...bare } = cloudEvent(data)
    const base64 = Buffer.from(JSON.stringify(data)).toString('base64')
    const accepted: [unknown, Record<string, string>][] = [
      [cloudEvent(data), { 'content-type': 'text/plain' }],
      [cloudEvent(data), { 'content-type': 'application/cloudevents+json; charset=utf-8' }],
      [cloudEvent(data), { 'ce-specversion': '1.0' }],
      [cloudEvent(data, { specversion: '0.3' }), {}],
      [{ ...bare, data_base64: base64 }, {}],
      [{ ...bare, specversion: '0.3', datacontentencoding: 'base64', data: base64 }, {}],
      [cloudEvent(data, { type: '', source: '', id: 7, time: 'yesterday', unknownextension: true }), {}],
      [data, binary],
    ]
    for (const [body, headers] of accepted) {
      const { status, text } = await post(body, headers)
      assert.equal(status, 200, text)
    }
    assert.equal(items.length, accepted.length)
    assert.ok(items.every((item) => item.keys.stem === DISSEMINATION_KEY && textOf(item.value) === 'x'))
    assert.deepEqual(
      [items[6]?.id, items[6]?.time, items[7]?.id, items[7]?.source],
      ['7', undefined, 'a é', '/s'],
    )
    const request = { method: 'POST', body: JSON.stringify(cloudEvent(data)) }
    assert.equal((await handler(new Request('http://127.0.0.1/api/v1/notification/', request))).status, 200)
  })

  it('gives an event with an empty id one of its own, so that two of them stay two', async () => {
    const { post, items } = setUp()
    for (const _ of [1, 2]) await post({ ...dissemination(), id: '' })
    assert.notEqual(items[0]?.id, items[1]?.id)
    assert.notEqual(items[0]?.id, '')
  })

  it('canonicalises values as 1.x does, and lets request come over its siblings', async () => {
    const { post, items } = setUp()
    await post(dissemination({ destination: 'maci', time: 12, step: 24, expver: '0001' }))
    await post(dissemination({ domain: '' }))
    await post(
      cloudEvent({
        event: 'dissemination',
        request: { ...DISSEMINATION, step: 2, location: 'inner', ttl: 5 },
        step: 1,
        location: 'outer',
        ttl: 9,
      }),
    )
    assert.equal(
      items[0]?.keys.stem,
      '/ec/diss/maci/date=20190810,target=E1,class=od,expver=0001,domain=g,time=12,stream=enfo,step=24',
    )
    assert.equal(items[1]?.keys.stem, DISSEMINATION_KEY)
    assert.deepEqual(
      [items[2]?.keys.request['step'], textOf(items[2]?.value), items[2]?.ttlSeconds],
      ['2', 'inner', 5],
    )
  })

  it('reads ttl as 1.x does, within bounds', async () => {
    const { post, refuse, items } = setUp()
    for (const ttl of ['1', ' 3600 ', 60, 2 ** 31, '0', 0, -1, '-1', null]) {
      assert.equal((await post(dissemination({}, { ttl }))).status, 200, String(ttl))
    }
    const seconds = [1, 3600, 60, 2 ** 31, undefined, undefined, undefined, undefined, undefined]
    assert.deepEqual(
      items.map((item) => item.ttlSeconds),
      seconds,
    )
    for (const ttl of [
      'abc',
      '1d',
      '',
      1.5,
      '1.5',
      -2,
      '-7',
      2 ** 31 + 1,
      2 ** 40,
      true,
      [1],
      {},
      '9'.repeat(30),
    ]) {
      assert.deepEqual((await refuse(dissemination({}, { ttl }))).status, 400, JSON.stringify(ttl))
    }
  })

  it('drops what configuration skips, by raw value', async () => {
    const { post, calls } = setUp({ skips: { stream: ['cams'], step: [7] } })
    for (const request of [{ stream: 'cams' }, { step: 7 }]) {
      const { status, body } = await post(dissemination(request))
      assert.deepEqual([status, body['message']], [200, 'Notification skipped'])
    }
    assert.deepEqual(calls, [])
    assert.equal((await post(dissemination({ step: '7' }))).status, 200)
    assert.deepEqual(calls, [1])
  })

  it('carries a well-formed traceparent, of the event before that of the request', async () => {
    const { post, items } = setUp()
    const [one, two] = ['1', '2'].map((digit) => `00-${digit.repeat(32)}-00f067aa0ba902b7-01`)
    await post(dissemination(), { traceparent: one ?? '' })
    await post({ ...dissemination(), traceparent: two }, { traceparent: one ?? '' })
    await post(
      { ...dissemination(), traceparent: 'broken' },
      { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` },
    )
    assert.deepEqual(
      items.map((item) => item.traceparent),
      [one, two, undefined],
    )
  })

  it('marks a replay', async () => {
    const { post } = setUp({ replays: new Set(['known']) })
    assert.equal((await post({ ...dissemination(), id: 'known' })).headers.get('idempotent-replay'), 'true')
    assert.equal((await post(dissemination())).headers.get('idempotent-replay'), null)
  })
})

describe('POST /api/v1/notification, a 2.x body', () => {
  const body = { event_type: 'mars', identifier: { ...MARS, step: 1 }, payload: { any: ['json'] } }

  it('publishes it and answers as both generations do', async () => {
    const { post, items } = setUp()
    const answer = await post({ ...body, from_id: '10', from_date: null })
    assert.equal(answer.status, 200)
    assert.deepEqual(
      [answer.body['status'], answer.body['processed_at'], answer.body['id']],
      ['success', '2026-06-10T12:34:56Z', 'mars@1'],
    )
    const [item] = items
    assert.deepEqual(
      [item?.keys.request['step'], textOf(item?.value), item?.id],
      ['1', '{"any":["json"]}', 'random-2'],
    )
    for (const payload of ['text', null, undefined, 7, [1]]) await post({ ...body, payload })
    assert.deepEqual(
      items.slice(1).map((each) => textOf(each.value)),
      ['text', 'None', 'None', '7', '[1]'],
    )
  })

  it('refuses in the words of 2.x', async () => {
    const { refuse } = setUp()
    const cases: [unknown, string][] = [
      [{ ...body, extra: 1 }, 'UNKNOWN_FIELD'],
      [{ identifier: {} }, 'INVALID_REQUEST_SHAPE'],
      [{ ...body, event_type: 7 }, 'INVALID_REQUEST_SHAPE'],
      [{ event_type: 'mars' }, 'INVALID_REQUEST_SHAPE'],
      [{ ...body, identifier: [] }, 'INVALID_REQUEST_SHAPE'],
      [{ ...body, from_id: 10 }, 'INVALID_REQUEST_SHAPE'],
      [{ ...body, identifier: { ...MARS, point: '1,2' } }, 'INVALID_NOTIFICATION_REQUEST'],
      [{ ...body, identifier: { ...MARS, foo: '1' } }, 'INVALID_NOTIFICATION_REQUEST'],
      [{ ...body, identifier: { ...MARS, step: { gte: 1 } } }, 'INVALID_NOTIFICATION_REQUEST'],
      [{ ...body, identifier: { ...MARS, step: null } }, 'INVALID_NOTIFICATION_REQUEST'],
      [{ ...body, identifier: { ...MARS, step: [1] } }, 'INVALID_NOTIFICATION_REQUEST'],
      [{ ...body, identifier: { date: '20190810' } }, 'INVALID_NOTIFICATION_REQUEST'],
    ]
    for (const [bad, code] of cases) {
      const answer = await refuse(bad)
      assert.deepEqual([answer.status, answer.body['code']], [400, code], JSON.stringify(bad))
    }
    const unknown = await refuse({ ...body, event_type: 'nope' })
    assert.deepEqual(
      [unknown.status, unknown.body['code'], unknown.body['error']],
      [400, 'UNKNOWN_EVENT_TYPE', 'unknown_event_type'],
    )
    assert.deepEqual(unknown.body['configured_event_types'], ['dissemination', 'flight', 'mars'])
  })

  it('takes Idempotency-Key as the id, for this form only', async () => {
    const { post, refuse, items } = setUp()
    await post(body, { 'idempotency-key': 'k1' })
    await post(dissemination(), { 'idempotency-key': 'k1' })
    assert.deepEqual(
      items.map((item) => item.id),
      ['k1', '0c02fdc5-148c-43b5-b2fa-cb1f590369ff'],
    )
    assert.equal(
      (await refuse(body, { 'idempotency-key': 'x'.repeat(257) })).body['field'],
      'Idempotency-Key',
    )
  })
})

describe('POST /api/v1/notification, failures of the store', () => {
  it('says whether the notification may be stored', async () => {
    const failures = new Map([
      ['down', new AvisoError('ERR_STORE_UNAVAILABLE', 'The store cannot be reached')],
      ['lost', new AvisoError('ERR_OUTCOME_UNKNOWN', 'The store did not answer')],
      ['full', new AvisoError('ERR_STORE_FULL', 'The store is full')],
      ['reused', new AvisoError('ERR_ID_REUSED', 'This id belongs to another notification')],
    ])
    const { post } = setUp({ failures })
    const outcome = async (id: string): Promise<unknown[]> => {
      const { status, body, headers } = await post({ ...dissemination(), id })
      return [status, body['outcome'], headers.has('retry-after')]
    }
    assert.deepEqual(await outcome('down'), [503, 'none', true])
    assert.deepEqual(await outcome('lost'), [503, 'unknown', true])
    assert.deepEqual(await outcome('full'), [503, 'none', true])
    assert.deepEqual(await outcome('reused'), [409, undefined, false])
  })

  it('answers 500 without details when the publisher breaks its promise', async () => {
    const publisher = { publish: () => Promise.reject(new Error('secret')), close: () => Promise.resolve() }
    const { post } = setUp({ publisher })
    const { status, text, body } = await post(dissemination())
    assert.deepEqual([status, text.includes('secret'), body['outcome']], [500, false, 'unknown'])
  })
})

describe('the other routes', () => {
  it('has a page, and 404 and 405 elsewhere', async () => {
    const { handler } = setUp()
    const call = (method: string, path: string): Promise<Response> =>
      handler(new Request(`http://127.0.0.1${path}`, { method }))
    const page = await call('GET', '/')
    assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8'])
    assert.match(await page.text(), /Aviso 1\.2\.3/)
    const missing = await call('POST', '/api/v1/notFound')
    assert.deepEqual(
      [missing.status, typeof ((await missing.json()) as Record<string, unknown>)['detail']],
      [404, 'string'],
    )
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      const response = await call(method, '/api/v1/notification')
      assert.deepEqual([response.status, response.headers.get('allow')], [405, 'POST, OPTIONS'])
    }
  })
})
