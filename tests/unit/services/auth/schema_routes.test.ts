import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createFixture } from './support.ts'
import { BASE_URL } from '../../../support/system.ts'

interface Answer {
  readonly status: number
  readonly body: {
    readonly status: string
    readonly schema: Readonly<Record<string, unknown>>
    readonly [name: string]: unknown
  }
}

async function get(path: string): Promise<Answer> {
  const response = await createFixture().handler(new Request(BASE_URL + path))
  assert.equal(response.headers.get('x-request-id'), 'request-1')
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

describe('GET /api/v1/schema', () => {
  it('lists every event type', async () => {
    const { status, body } = await get('/api/v1/schema')
    assert.equal(status, 200)
    assert.deepEqual(
      [body.status, body['event_types'], body['total_schemas'], Object.keys(body.schema)],
      [
        'success',
        ['dissemination', 'flight', 'mars', 'measure'],
        4,
        ['dissemination', 'flight', 'mars', 'measure'],
      ],
    )
  })
})

describe('GET /api/v1/schema/{event}', () => {
  it('describes the fields of a notification, and nothing of its keys or policies', async () => {
    const { status, body } = await get('/api/v1/schema/measure')
    assert.equal(status, 200)
    assert.deepEqual(body, {
      status: 'success',
      event_type: 'measure',
      schema: {
        payload: { required: false, name: 'payload' },
        identifier: {
          region: { type: 'EnumHandler', values: ['north', 'south'], required: false },
          severity: { type: 'IntHandler', range: [1, 7], required: false },
          anomaly: { type: 'FloatHandler', range: [0, 200], required: false },
          day: { type: 'DateHandler', canonic: '%Y%m%d', required: false },
        },
      },
    })
  })

  it('requires what a listener must give', async () => {
    const { body } = await get('/api/v1/schema/dissemination')
    const { identifier, payload } = body.schema as {
      identifier: Record<string, { required: boolean }>
      payload: { name: string }
    }
    const required = Object.keys(identifier).filter((name) => identifier[name]?.required)
    assert.deepEqual([required, payload.name], [['destination'], 'location'])
  })

  it('answers 404 with the types there are', async () => {
    for (const name of ['nope', 'Flight', 'constructor', 'fli%67ht%2F']) {
      const { status, body } = await get(`/api/v1/schema/${name}`)
      assert.equal(status, 404, name)
      assert.deepEqual(
        [body.status, body['available_types'], body['code'], body['request_id']],
        ['error', ['dissemination', 'flight', 'mars', 'measure'], 'NOT_FOUND', 'request-1'],
      )
    }
    assert.equal((await get('/api/v1/schema/%E0%A4%A')).status, 400)
    assert.equal((await get('/api/v1/schema/fli%67ht')).status, 200)
  })
})

describe('conditional requests for schemas (RFC 9110 §13.1.2)', () => {
  const ask = (path: string, known?: string, method = 'GET'): Promise<Response> =>
    createFixture().handler(
      new Request(BASE_URL + path, {
        method,
        headers: known === undefined ? {} : { 'if-none-match': known },
      }),
    )

  for (const path of ['/api/v1/schema', '/api/v1/schema/flight']) {
    it(`answers 304 to who has ${path} already`, async () => {
      const first = await ask(path)
      const tag = first.headers.get('etag') ?? ''
      assert.match(tag, /^"[0-9a-f]{24}"$/)
      assert.equal(first.headers.get('cache-control'), 'no-cache')
      for (const known of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
        const again = await ask(path, known)
        assert.deepEqual([again.status, await again.text(), again.headers.get('etag')], [304, '', tag], known)
      }
      assert.equal((await ask(path, tag, 'HEAD')).status, 304)
      for (const known of ['"x"', tag.slice(1, -1), ''])
        assert.equal((await ask(path, known)).status, 200, known)
    })
  }

  it('gives other documents other tags', async () => {
    const tags = ['flight', 'mars'].map(async (event) =>
      (await ask(`/api/v1/schema/${event}`)).headers.get('etag'),
    )
    assert.equal(new Set(await Promise.all(tags)).size, 2)
  })
})
