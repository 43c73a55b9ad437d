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
    for (const name of ['nope', 'Flight', '%E0%A4%A', 'constructor', 'fli%67ht%2F']) {
      const { status, body } = await get(`/api/v1/schema/${name}`)
      assert.equal(status, 404, name)
      assert.deepEqual(
        [body.status, body['available_types'], body['code'], body['request_id']],
        ['error', ['dissemination', 'flight', 'mars', 'measure'], 'NOT_FOUND', 'request-1'],
      )
    }
    assert.equal((await get('/api/v1/schema/fli%67ht')).status, 200)
  })
})
