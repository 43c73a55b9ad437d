import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { toFetchHandler, type Answer } from '#shared/handler.ts'
import { createRouter, OFFERS_JSON, rawPath } from '#shared/http/route.ts'
import { silentLogger } from '#shared/logger.ts'

const text = (body: string, headers = {}): Answer => ({ status: 200, headers, body })

const handler = createRouter(
  [
    {
      method: 'GET',
      path: '/a',
      doc: 'test',
      handle: (_request, { requestId }) => text(`a ${requestId}`, { 'x-a': '1' }),
    },
    { method: 'POST', path: '/a', doc: 'test', handle: () => text('posted') },
    {
      method: 'GET',
      path: '/a/:name',
      doc: 'test',
      handle: (_request, { params }) => text(params['name'] ?? ''),
    },
    { method: 'POST', path: '/slash', doc: 'test', trailingSlash: true, handle: () => text('slash') },
    {
      method: 'POST',
      path: '/fail',
      doc: 'test',
      generation: 2,
      handle: () => {
        throw new AvisoError('ERR_UNKNOWN_EVENT', 'no')
      },
    },
    { method: 'POST', path: '/crash', doc: 'test', handle: () => Promise.reject(new Error('secret')) },
  ],
  { random: () => 'id', logger: silentLogger },
)

const call = (method: string, path: string): Promise<Response> =>
  toFetchHandler(handler)(new Request(`http://host${path}`, { method }))

describe('createRouter()', () => {
  it('answers what is in the table, query or not', async () => {
    const answered = await call('GET', '/a')
    assert.deepEqual([await answered.text(), answered.headers.get('x-request-id')], ['a id', 'id'])
    assert.equal(await (await call('POST', '/a?x=1&x=2')).text(), 'posted')
    assert.equal(await (await call('GET', '/a/b%2Fc')).text(), 'b%2Fc')
  })

  it('answers HEAD as GET without a body', async () => {
    const response = await call('HEAD', '/a')
    assert.deepEqual([response.status, response.headers.get('x-a'), await response.text()], [200, '1', ''])
    const missing = await call('HEAD', '/none')
    assert.deepEqual([missing.status, await missing.text()], [404, ''])
  })

  it('answers 405 with Allow for another method', async () => {
    const response = await call('DELETE', '/a')
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, HEAD, POST, OPTIONS'])
    assert.equal((await call('HEAD', '/fail')).headers.get('allow'), 'POST, OPTIONS')
  })

  it('answers OPTIONS on every path that there is, with Allow', async () => {
    const response = await call('OPTIONS', '/a')
    assert.deepEqual(
      [response.status, response.headers.get('allow'), await response.text()],
      [204, 'GET, HEAD, POST, OPTIONS', ''],
    )
    assert.equal((await call('OPTIONS', '/slash/')).headers.get('allow'), 'POST, OPTIONS')
    assert.equal((await call('OPTIONS', '/none')).status, 404)
    const root = createRouter([{ method: 'GET', path: '/', doc: 'test', handle: () => text('') }], {
      random: () => 'id',
      logger: silentLogger,
    })
    assert.equal((await toFetchHandler(root)(new Request('http://host/', { method: 'PUT' }))).status, 405)
  })

  it('judges Accept of a GET by quality, and leaves a write alone', async () => {
    const ask = async (accept: string, method = 'GET'): Promise<number> => {
      const offering = createRouter(
        [
          { method: 'GET', path: '/a', doc: 'test', offers: OFFERS_JSON, handle: () => text('{}') },
          { method: 'POST', path: '/a', doc: 'test', offers: OFFERS_JSON, handle: () => text('{}') },
        ],
        { random: () => 'id', logger: silentLogger },
      )
      const request = new Request('http://host/a', { method, headers: { accept } })
      return (await toFetchHandler(offering)(request)).status
    }
    for (const accept of ['*/*', 'application/*;q=0.1', 'text/html, application/json;q=0.5', 'nonsense'])
      assert.equal(await ask(accept), 200, accept)
    for (const accept of ['text/html', 'application/json;q=0', '*/*;q=0', 'application/*;q=0, text/plain'])
      assert.equal(await ask(accept), 406, accept)
    assert.equal(await ask('text/html', 'HEAD'), 406)
    assert.equal(await ask('text/html', 'POST'), 200)
  })

  it('answers 404 for every path that only looks like one of the table', async () => {
    const paths = [
      '/',
      '/b',
      '/A',
      '/a/',
      '/a//',
      '//a',
      '/a;x=1',
      '/%61',
      '/a%00',
      '/a%2f',
      '/a/b/c',
      '/slash//',
      '/xa',
    ]
    for (const path of paths) {
      const response = await call('GET', path)
      assert.equal(response.status, 404, path)
      assert.equal(response.headers.get('x-request-id'), 'id')
    }
  })

  it('takes one trailing slash where a route says so', async () => {
    assert.equal((await call('POST', '/slash/')).status, 200)
    assert.equal((await call('GET', '/slash/')).status, 405)
    assert.equal((await call('POST', '/slash///')).status, 404)
  })

  it('turns thrown errors into answers of the route’s generation', async () => {
    const failed = await call('POST', '/fail')
    assert.equal(((await failed.json()) as Record<string, unknown>)['code'], 'UNKNOWN_EVENT_TYPE')
    const crashed = await call('POST', '/crash')
    assert.equal(crashed.status, 500)
    assert.equal((await crashed.text()).includes('secret'), false)
  })
})

describe('rawPath()', () => {
  it('takes the path as it was sent', () => {
    assert.equal(rawPath('http://host:80/a%2Fb?x=/y'), '/a%2Fb')
    assert.equal(rawPath('http://host'), '/')
    assert.equal(rawPath('http://host?x=/y'), '/')
    assert.equal(rawPath('http://host/a#/b?c'), '/a')
  })
})

describe('problem details (RFC 9457)', () => {
  const refused = async (path: string, accept?: string): Promise<Response> =>
    toFetchHandler(handler)(
      new Request(`http://host${path}`, { method: 'POST', headers: accept === undefined ? {} : { accept } }),
    )

  it('go to clients that prefer them, with our own members', async () => {
    const response = await refused('/fail', 'application/problem+json')
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const body = (await response.json()) as Record<string, unknown>
    assert.deepEqual(
      [body['type'], body['title'], body['status'], body['detail'], body['code'], body['message']],
      ['about:blank', 'Bad Request', 400, 'no', 'UNKNOWN_EVENT_TYPE', undefined],
    )
    assert.equal(
      (await refused('/none', 'application/problem+json, */*;q=0.1')).headers.get('vary'),
      'Accept',
    )
  })

  it('do not go to others, nor replace what succeeds', async () => {
    for (const accept of [
      undefined,
      '*/*',
      'application/json',
      'application/json, application/problem+json;q=0.5',
      'application/problem+json;q=0',
    ])
      assert.equal((await refused('/fail', accept)).headers.get('content-type'), 'application/json', accept)
    assert.equal(await (await refused('/slash', 'application/problem+json')).text(), 'slash')
  })
})
