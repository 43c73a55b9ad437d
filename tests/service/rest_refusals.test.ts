import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cloudEvent, dissemination, setUp } from './rest_fixture.ts'
import { DISSEMINATION, MARS } from '../support/notifications.ts'

describe('POST /api/v1/notification, refusals', () => {
  it('has the texts of 1.x for incomplete events', async () => {
    const { refuse } = setUp()
    const without = (name: string): Record<string, unknown> => {
      const { [name]: _dropped, ...rest } = dissemination()
      return rest
    }
    const data = (members: object): Record<string, unknown> => cloudEvent(members)
    const cases: [unknown, string][] = [
      ['', 'Invalid notification, Body cannot be empty'],
      ['null', 'Invalid notification, Body cannot be empty'],
      [without('id'), "Missing required attributes: {'id'}"],
      [without('source'), "Missing required attributes: {'source'}"],
      [without('type'), "Missing required attributes: {'type'}"],
      [without('specversion'), 'Failed to find specversion in HTTP request'],
      [{}, 'Failed to find specversion in HTTP request'],
      [without('data'), "Invalid notification, 'data' could not be located"],
      [data({ request: DISSEMINATION }), "Invalid notification, 'event' could not be located"],
      [data({ event: null, request: DISSEMINATION }), "Invalid notification, 'event' could not be located"],
      [data({ event: 'dissemination' }), "Invalid notification, 'request' could not be located"],
      [
        data({ event: 'dissemination', request: null }),
        "Invalid notification, 'request' could not be located",
      ],
      [
        data({ event: 'foo', request: DISSEMINATION }),
        'Invalid notification, foo could not be located in the schema',
      ],
      [{ ...dissemination(), specversion: '2.0' }, 'Found invalid specversion 2.0'],
      [dissemination({ foo: '1' }), 'Key foo is not allowed'],
      [dissemination({ event: 'mars' }), 'Key event is not allowed'],
      [dissemination({}, { payload: 'x' }), 'Key payload is not allowed'],
      [dissemination({ step: undefined }), 'Wrong parameters: step required'],
      [dissemination({ date: '2019-08-10' }), 'Value 2019-08-10 is not valid for key date'],
      [dissemination({ class: 'zz' }), 'Value zz is not valid for key class'],
    ]
    for (const [body, message] of cases) {
      const answer = await refuse(body)
      assert.deepEqual([answer.status, answer.body['message']], [400, message])
    }
    assert.equal((await refuse(dissemination({ class: 'zz' }))).body['field'], 'class')
    assert.equal((await refuse(dissemination({ class: 'zz' }))).body['code'], 'ERR_INVALID_NOTIFICATION')
  })

  it('refuses every value that is not one, and every key that would not be one', async () => {
    const { refuse } = setUp()
    const impossible = [
      '20250230',
      '99999999',
      '2025-1-1',
      '20190810Z',
      'x',
      '',
      null,
      ['20190810'],
      { gte: 1 },
    ]
    for (const date of impossible)
      assert.equal((await refuse(dissemination({ date }))).status, 400, JSON.stringify(date))
    const destinations = ['', '.', '..', 'A/B', 'A\0B', 'A\nB', 'A/../B', 'x'.repeat(129), null, ['A'], {}]
    for (const destination of destinations) {
      assert.equal((await refuse(dissemination({ destination }))).status, 400, JSON.stringify(destination))
    }
    for (const step of ['100001', -1, 'x', null, ['1', '2'], true]) await refuse(dissemination({ step }))
    for (const time of ['5', '24']) await refuse(dissemination({ time }))
  })

  it('refuses envelopes of the wrong types', async () => {
    const { refuse } = setUp()
    const attributes = [
      { id: {} },
      { id: 'x'.repeat(257) },
      { id: 'a\nb' },
      { source: ['x'] },
      { source: `/${'x'.repeat(5000)}` },
      { type: {} },
    ]
    for (const bad of [...attributes, { specversion: 1 }, { specversion: {} }, { data_base64: 'e30=' }]) {
      if ('type' in bad) continue
      assert.equal(
        (await refuse({ ...dissemination(), ...bad })).status,
        400,
        JSON.stringify(bad).slice(0, 50),
      )
    }
    for (const data of ['text', 1, ['x'], true]) assert.equal((await refuse(cloudEvent(data))).status, 400)
    for (const request of ['text', 1, ['x'], true]) await refuse(cloudEvent({ event: 'mars', request }))
    for (const event of [1, ['mars'], {}, '__proto__', 'toString'])
      await refuse(cloudEvent({ event, request: MARS }))
    for (const base64 of ['e30', 'e3 0=', '!', 7, '_w==', 'AAAA'])
      await refuse(cloudEvent(undefined, { data_base64: base64 }))
    const headers = { 'ce-source': '/s', 'ce-type': 'aviso', 'ce-specversion': '1.0' }
    await refuse({ event: 'mars', request: MARS }, { ...headers, 'ce-id': '%E0%A4%A' })
    await refuse({ event: 'mars', request: MARS }, headers)
  })

  it('refuses what is not one strict JSON document', async () => {
    const { refuse } = setUp()
    const valid = JSON.stringify(dissemination())
    const texts = [
      '{',
      'x',
      `${valid}{}`,
      `${valid.slice(0, -1)},}`,
      valid.replace('"step":"1"', '"step":"1","step":"2"'),
      valid.replace('"step":"1"', String.raw`"step":"1","st\u0065p":"2"`),
      valid.replace('"location":', '"__proto__":{},"location":'),
      valid.replace('"s3://bucket/xyz"', '['.repeat(20) + ']'.repeat(20)),
      valid.replace('"s3://bucket/xyz"', '1e400'),
      valid.replace('s3:', String.raw`\ud800`),
      '['.repeat(100_000),
      `\ufeff${valid}`,
    ]
    for (const text of texts) {
      const answer = await refuse(text)
      assert.deepEqual([answer.status, answer.body['code']], [400, 'INVALID_JSON'], text.slice(0, 60))
    }
    const utf16 = new Uint8Array(
      new Uint16Array(Array.from(valid).map((character) => character.charCodeAt(0))).buffer,
    )
    assert.equal((await refuse(utf16)).status, 400)
    const broken = new TextEncoder()
      .encode(valid.replace('xyz', 'x?z'))
      .map((byte) => (byte === 0x3f ? 0xff : byte))
    assert.equal((await refuse(broken)).body['code'], 'INVALID_JSON')
    for (const text of ['"x"', '0', 'true', '[]']) assert.equal((await refuse(text)).status, 400)
  })

  it('bounds the body and the stored value', async () => {
    const { refuse, post } = setUp()
    const most = 256 * 1024
    const sized = (bytes: number): object => dissemination({}, { location: 'x'.repeat(bytes) })
    const longest = 272 * 1024
    const padded = (bytes: number): string => JSON.stringify(dissemination()).padEnd(bytes)
    assert.equal((await post(sized(most))).status, 200)
    assert.equal((await refuse(sized(most + 1))).status, 413)
    assert.equal((await post(padded(longest))).status, 200)
    assert.equal((await refuse(padded(longest + 1))).status, 413)
    const batch = { 'content-type': 'application/cloudevents-batch+json' }
    assert.equal((await post([sized(most)], batch)).status, 200)
    for (const location of ['x'.repeat(most + 1), 'é'.repeat(most / 2 + 1)]) {
      const answer = await refuse([dissemination({}, { location })], batch)
      assert.match(answer.text, /The location must not be larger than 262144 bytes/)
    }
    assert.equal((await refuse(dissemination(), { 'content-encoding': 'gzip' })).status, 415)
  })

  it('refuses a browser that another site has sent', async () => {
    const { refuse, post } = setUp()
    assert.equal((await refuse(dissemination(), { 'sec-fetch-site': 'cross-site' })).status, 403)
    assert.equal((await post(dissemination(), { 'sec-fetch-site': 'same-origin' })).status, 200)
  })
})
