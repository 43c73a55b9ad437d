import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toResponse } from '#shared/handler.ts'
import { AvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { errorResponse, jsonResponse, requestIdOf, retryAfterOf } from '#shared/http/respond.ts'
import type { ErrorContext } from '#shared/http/respond.ts'
import { silentLogger } from '#shared/logger.ts'
import type { LogFields } from '#shared/logger.ts'

const context: ErrorContext = { requestId: 'r-1', logger: silentLogger }

const responseTo = (error: unknown, given: ErrorContext): Response => toResponse(errorResponse(error, given))

async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>
}

describe('errorResponse()', () => {
  it('carries what its generation reads, and no text for the other', async () => {
    const error = new AvisoError('ERR_INVALID_NOTIFICATION', 'Value zz is not valid for key class', {
      details: { field: 'class' },
    })
    const first = responseTo(error, context)
    assert.equal(first.status, 400)
    assert.equal(first.headers.get('content-type'), 'application/json')
    assert.equal(first.headers.get('cache-control'), 'no-store')
    assert.equal(first.headers.get('x-request-id'), 'r-1')
    const common = {
      message: error.message,
      field: 'class',
      request_id: 'r-1',
    }
    assert.deepEqual(await bodyOf(first), {
      ...common,
      detail: error.message,
      code: 'ERR_INVALID_NOTIFICATION',
      error: 'ERR_INVALID_NOTIFICATION',
    })
    assert.deepEqual(await bodyOf(responseTo(error, { ...context, generation: 2 })), {
      ...common,
      details: error.message,
      code: 'INVALID_NOTIFICATION_REQUEST',
      error: 'Invalid Notification Request',
    })
  })

  it('names the codes of 2.x, by table and by detail', async () => {
    const code = async (error: AvisoError): Promise<unknown> =>
      (await bodyOf(responseTo(error, { ...context, generation: 2 })))['code']
    assert.equal(await code(new AvisoError('ERR_INVALID_JSON', 'x')), 'INVALID_JSON')
    assert.equal(await code(new AvisoError('ERR_UNKNOWN_EVENT', 'x')), 'UNKNOWN_EVENT_TYPE')
    assert.equal(await code(new AvisoError('ERR_UNAUTHENTICATED', 'x')), 'UNAUTHORIZED')
    assert.equal(
      await code(new AvisoError('ERR_BAD_REQUEST', 'x', { details: { wire_code: 'UNKNOWN_FIELD' } })),
      'UNKNOWN_FIELD',
    )
    const body = await bodyOf(
      responseTo(new AvisoError('ERR_BAD_REQUEST', 'x', { details: { wire_code: 'A' } }), context),
    )
    assert.equal(body['wire_code'], undefined)
  })

  it('never shows an unknown error, and logs its name only', async () => {
    const records: [string, LogFields | undefined][] = []
    const logger: ErrorContext['logger'] = (_level, message, fields) => records.push([message, fields])
    const response = responseTo(new TypeError('secret token abc'), { ...context, logger })
    assert.equal(response.status, 500)
    const text = await response.text()
    assert.equal(text.includes('secret'), false)
    assert.match(text, /ERR_INTERNAL/)
    assert.equal(records[0]?.[1]?.['cause'], 'TypeError')
    assert.equal(JSON.stringify(records).includes('secret'), false)
    for (const thrown of ['text', undefined, null, { message: 'secret' }]) {
      assert.equal((await responseTo(thrown, context).text()).includes('secret'), false)
    }
  })

  it('says of a failed write whether it may be stored, and when to come back', async () => {
    const outcome = async (
      code: 'ERR_OUTCOME_UNKNOWN' | 'ERR_STORE_UNAVAILABLE' | 'ERR_STORE_FULL',
    ): Promise<unknown> => {
      const response = responseTo(new AvisoError(code, 'x'), { ...context, write: true })
      assert.equal(response.status, 503)
      assert.match(response.headers.get('retry-after') ?? '', /^\d+$/)
      return (await bodyOf(response))['outcome']
    }
    assert.equal(await outcome('ERR_OUTCOME_UNKNOWN'), 'unknown')
    assert.equal(await outcome('ERR_STORE_UNAVAILABLE'), 'none')
    assert.equal(await outcome('ERR_STORE_FULL'), 'none')
    const read = await bodyOf(responseTo(new AvisoError('ERR_STORE_UNAVAILABLE', 'x'), context))
    assert.equal('outcome' in read, false)
  })

  it('sends Allow, Retry-After and WWW-Authenticate where they belong', () => {
    const method = responseTo(
      new AvisoError('ERR_METHOD_NOT_ALLOWED', 'x', { details: { allow: 'POST' } }),
      context,
    )
    assert.deepEqual([method.status, method.headers.get('allow')], [405, 'POST'])
    const busy = responseTo(
      new AvisoError('ERR_TOO_MANY_REQUESTS', 'x', { details: { retry_after: 7 } }),
      context,
    )
    assert.deepEqual([busy.status, busy.headers.get('retry-after')], [429, '7'])
    assert.equal(busy.headers.get('ratelimit'), '"quota";r=0;t=7')
    assert.equal(method.headers.get('ratelimit'), null)
    const undecided = responseTo(new AvisoError('ERR_VERDICT_UNAVAILABLE', 'x'), context)
    assert.deepEqual([undecided.status, undecided.headers.get('retry-after')], [503, '30'])
    const unknown = new AvisoError('ERR_UNAUTHENTICATED', 'x')
    assert.equal(responseTo(unknown, context).headers.get('www-authenticate'), 'Bearer')
    const headers = { 'www-authenticate': 'Bearer realm="aviso"' }
    assert.equal(
      responseTo(unknown, { ...context, headers }).headers.get('www-authenticate'),
      'Bearer realm="aviso"',
    )
  })

  it('lets nothing replace its standard members', async () => {
    const error = new AvisoError('ERR_BAD_REQUEST', 'real', {
      details: { message: 'forged', request_id: 'forged' },
    })
    const body = await bodyOf(responseTo(error, { ...context, extra: { code: 'forged', more: [1] } }))
    assert.deepEqual(
      [body['message'], body['request_id'], body['code'], body['more']],
      ['real', 'r-1', 'ERR_BAD_REQUEST', [1]],
    )
  })
})

describe('retryAfterOf()', () => {
  it('takes what the error says before what its code means', () => {
    const of = (code: AvisoErrorCode, details = {}): string | undefined =>
      retryAfterOf(new AvisoError(code, 'x', { details }))
    assert.deepEqual(
      [of('ERR_TOO_MANY_REQUESTS'), of('ERR_TOO_MANY_REQUESTS', { retry_after: 7 })],
      ['1', '7'],
    )
    assert.deepEqual([of('ERR_STORE_FULL'), of('ERR_VERDICT_UNAVAILABLE')], ['60', '30'])
    assert.deepEqual([of('ERR_BAD_REQUEST'), of('ERR_INTERNAL')], [undefined, undefined])
  })

  it('is 30 s with every 503 for clients of 1.x', () => {
    for (const code of ['ERR_STORE_UNAVAILABLE', 'ERR_STORE_FULL', 'ERR_OVERLOADED'] as const)
      assert.equal(retryAfterOf(new AvisoError(code, 'x'), true), '30')
    assert.equal(retryAfterOf(new AvisoError('ERR_TOO_MANY_REQUESTS', 'x'), true), '1')
    assert.equal(retryAfterOf(new AvisoError('ERR_FORBIDDEN', 'x'), true), undefined)
  })
})

describe('jsonResponse()', () => {
  it('writes a bigint as decimal text', async () => {
    const response = toResponse(jsonResponse(200, { revision: 2n ** 63n - 1n, nested: [1n] }, { 'x-a': 'b' }))
    assert.equal(await response.text(), '{"revision":"9223372036854775807","nested":["1"]}')
    assert.equal(response.headers.get('x-a'), 'b')
  })
})

describe('requestIdOf()', () => {
  it('honours a harmless id only', () => {
    const of = (id: string): string =>
      requestIdOf(new Request('http://x/', { headers: { 'x-request-id': id } }), () => 'random')
    assert.equal(of('0c02fdc5-148c-43b5-b2fa-cb1f590369ff'), '0c02fdc5-148c-43b5-b2fa-cb1f590369ff')
    for (const id of ['a"b', 'a b', '', 'é', 'x'.repeat(129)]) assert.equal(of(id), 'random')
    assert.equal(
      requestIdOf(new Request('http://x/'), () => 'random'),
      'random',
    )
  })
})
