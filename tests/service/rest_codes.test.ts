/**
 * One code per fault: the same notification alone, in a batch and in a stream, in the forms of 1.x and 2.x.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import type { Access } from '#shared/access/access.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { flight } from '../support/notifications.ts'
import { setUp } from './rest_fixture.ts'

const LINES = { 'content-type': 'application/x-ndjson' }

/** A notification of 2.x. */
const second = (more: object = {}, identifier: object = flight('AZ1')): object => ({
  event_type: 'flight',
  identifier,
  payload: 'Landed',
  ...more,
})
/** A notification of 1.x. */
const first = (data: object = {}, more: object = {}): object => ({
  specversion: '1.0',
  id: 'an-id',
  source: '/tests',
  type: 'aviso',
  data: { event: 'flight', request: flight('AZ1'), ...data },
  ...more,
})
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
const large = 'x'.repeat(256 * 1024 + 1)

/** JSON text of a notification, and the code of every answer. */
const REFUSED: readonly (readonly [fault: string, json: string, code: string])[] = [
  ['no JSON', '{"event_type":', 'INVALID_JSON'],
  ['a name twice', '{"event_type":"flight","event_type":"flight"}', 'INVALID_JSON'],
  ['too deep', JSON.stringify(second({ payload: nested(16) })), 'INVALID_JSON'],
  ['a number too long', `{"event_type":${'1'.repeat(70)}}`, 'INVALID_JSON'],
  ['no object', '5', 'INVALID_NOTIFICATION_REQUEST'],
  ['text', '"x"', 'INVALID_NOTIFICATION_REQUEST'],
  ['null', 'null', 'INVALID_NOTIFICATION_REQUEST'],
  ['an empty object', '{}', 'INVALID_NOTIFICATION_REQUEST'],
  ['2.x: an unknown event type', JSON.stringify(second({ event_type: 'nope' })), 'UNKNOWN_EVENT_TYPE'],
  ['1.x: an unknown event type', JSON.stringify(first({ event: 'nope' })), 'ERR_UNKNOWN_EVENT'],
  ['2.x: an unknown member', JSON.stringify(second({ more: 1 })), 'UNKNOWN_FIELD'],
  ['2.x: no identifier', JSON.stringify({ event_type: 'flight' }), 'INVALID_REQUEST_SHAPE'],
  ['2.x: a missing field', JSON.stringify(second({}, { country: 'Italy' })), 'INVALID_NOTIFICATION_REQUEST'],
  [
    '1.x: a missing field',
    JSON.stringify(first({ request: { country: 'Italy' } })),
    'ERR_INVALID_NOTIFICATION',
  ],
  [
    '2.x: a wrong value',
    JSON.stringify(second({}, { ...flight('AZ1'), date: 'x' })),
    'INVALID_NOTIFICATION_REQUEST',
  ],
  [
    '1.x: a wrong value',
    JSON.stringify(first({ request: { ...flight('AZ1'), date: 'x' } })),
    'ERR_INVALID_NOTIFICATION',
  ],
  ['1.x: no id', JSON.stringify(first({}, { id: null })), 'ERR_INVALID_NOTIFICATION'],
  ['1.x: another specversion', JSON.stringify(first({}, { specversion: '2.0' })), 'ERR_INVALID_NOTIFICATION'],
  ['1.x: no data', JSON.stringify(first({}, { data: null })), 'ERR_INVALID_NOTIFICATION'],
  ['2.x: a payload too large', JSON.stringify(second({ payload: large })), 'TOO_LARGE'],
  ['1.x: a payload too large', JSON.stringify(first({ payload: large })), 'ERR_TOO_LARGE'],
]

/** What the store says, and the codes of 1.x and 2.x. */
const FAILED: readonly (readonly [AvisoErrorCode, string])[] = [
  ['ERR_STORE_UNAVAILABLE', 'SERVICE_UNAVAILABLE'],
  ['ERR_STORE_FULL', 'SERVICE_UNAVAILABLE'],
  ['ERR_OUTCOME_UNKNOWN', 'SERVICE_UNAVAILABLE'],
  ['ERR_ID_REUSED', 'ID_REUSED'],
  ['ERR_OVERLOADED', 'SERVICE_UNAVAILABLE'],
  ['ERR_INTERNAL', 'INTERNAL_ERROR'],
]

/** What the door of each kind says about one notification: its code, the message, and the status. */
async function askEach(
  json: string,
  options: Parameters<typeof setUp>[0] = {},
): Promise<Readonly<Record<'single' | 'batch' | 'item' | 'stream', readonly unknown[]>>> {
  const { post } = setUp(options)
  const single = await post(json)
  const batch = await post(`[${json}]`)
  const [item = {}] = (batch.body['results'] ?? []) as Record<string, unknown>[]
  const stream = await post(`${json}\n`, LINES)
  const line = JSON.parse(stream.text) as Record<string, unknown>
  const shown = ({ code, message, status }: Readonly<Record<string, unknown>>): readonly unknown[] => [
    code,
    message,
    status,
  ]
  return {
    single: shown({ ...single.body, status: single.status }),
    batch: shown({ ...batch.body, status: batch.status }),
    // A body that is no JSON has no items.
    item: shown(batch.body['results'] === undefined ? { ...batch.body, status: batch.status } : item),
    stream: shown(line),
  }
}

describe('POST /api/v1/notification', () => {
  for (const [fault, json, code] of REFUSED) {
    it(`has one code for ${fault}, through every door`, async () => {
      const { single, batch, item, stream } = await askEach(json)
      const [, , status] = single
      assert.equal(single[0], code)
      assert.deepEqual([batch[0], batch[2]], [code, status], 'the batch')
      assert.deepEqual([item[0], item[2]], [code, status], 'the result in the batch')
      assert.deepEqual([stream[0], stream[2]], [code, status], 'the line of the stream')
    })
  }

  for (const [thrown, ofSecond] of FAILED) {
    for (const [generation, json, code] of [
      ['1.x', JSON.stringify(first()), thrown],
      ['2.x', JSON.stringify(second()), ofSecond],
    ]) {
      it(`has one code and one text for ${thrown} in the form of ${generation}`, async () => {
        const publisher = {
          publish: (items: readonly unknown[]) =>
            Promise.resolve(
              items.map(() => ({ ok: false, error: new AvisoError(thrown, 'it failed') }) as const),
            ),
          close: () => Promise.resolve(),
        }
        const { single, batch, item, stream } = await askEach(json ?? '', { publisher })
        assert.deepEqual(single.slice(0, 2), [code, 'it failed'])
        assert.equal(batch[0], code)
        assert.deepEqual([item, stream], [single, single])
      })
    }
  }

  it('has one code for what the provider may not publish', async () => {
    const open = createOpenAccess()
    const access: Pick<Access, 'forPublishing'> = {
      forPublishing: async (request, requestId) => ({
        ...(await open.forPublishing(request, requestId)),
        requirePublish: () => {
          throw new AvisoError('ERR_FORBIDDEN', 'not you')
        },
      }),
    }
    for (const [json, code] of [
      [JSON.stringify(first()), 'ERR_FORBIDDEN'],
      [JSON.stringify(second()), 'FORBIDDEN'],
    ]) {
      const { single, batch, item, stream } = await askEach(json ?? '', { access })
      assert.deepEqual(single, [code, 'not you', 403])
      assert.deepEqual([batch[0], batch[2]], [code, 403])
      assert.deepEqual([item, stream], [single, single])
    }
  })

  it('says what was probably meant, through every door', async () => {
    const { post } = setUp()
    assert.match(String((await post('@flight.json')).body['hint']), /--data-binary @FILE/)
    assert.match(String((await post('event=flight&country=Italy')).body['hint']), /encoded form/)
    assert.match(String((await post("'[1]'")).body['hint']), /Windows/)
    const joined = JSON.stringify(second()) + JSON.stringify(second())
    const line = JSON.parse((await post(joined, LINES)).text) as { readonly hint?: string }
    assert.match(line.hint ?? '', /curl -d takes line ends away/)
  })

  it('takes what is one level from too deep, through every door', async () => {
    const { single, batch, stream } = await askEach(JSON.stringify(second({ payload: nested(15) })))
    assert.deepEqual([single[2], batch[2], stream[2]], [200, 200, 200])
  })
})
