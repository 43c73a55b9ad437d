/**
 * Web pages and other readers of HTTP in front of the whole system: which pages may read what, on every route; methods, `Accept`, problem
 * details and what is left of quotas. `tests/flow/browser.test.ts` asks with a real browser.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig } from '#services/system/settings.ts'
import { OPERATOR_TOKEN } from '../support/auth_servers_system.ts'
import { b64 } from '../support/etcd_wire.ts'
import { flight } from '../support/notifications.ts'
import { startTestSystem } from '../support/system.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'

type Headers = Readonly<Record<string, string>>

const PAGE = 'https://pages.example.org'
const OTHER = 'https://evil.example'
const ORIGIN = 'access-control-allow-origin'

/** A path of each service and of the routes that every process has, with what it says without a credential. */
const ROUTES = [
  ['GET', '/', 200],
  ['POST', '/api/v1/notification', 400],
  ['GET', '/api/v1/watch?event=dissemination&destination=SCL', 401],
  ['POST', '/api/v1/watch', 400],
  ['POST', '/api/v1/replay', 400],
  ['POST', '/api/v1/tickets', 401],
  ['GET', '/api/v1/schema', 200],
  ['GET', '/api/v1/schema/nope', 404],
  ['GET', '/api/v1/notifications/flight@1/trace', 404],
  ['POST', '/v3/kv/range', 400],
  ['POST', '/v3/watch', 400],
  ['PUT', '/v3/watch', 405],
  ['GET', '/api/v1/admin/status', 401],
  ['GET', '/metrics', 200],
  ['GET', '/health', 200],
  ['GET', '/readyz', 200],
  ['GET', '/no/such/path', 404],
] as const

async function startWith(allowedOrigins?: readonly string[]): Promise<IdentitySystem> {
  return startIdentitySystem({ vars: allowedOrigins === undefined ? {} : { allowedOrigins } })
}

async function ask(
  { call }: IdentitySystem,
  method: string,
  path: string,
  headers: Headers = {},
): Promise<Response> {
  const response = await call(path, { method, headers, body: method === 'POST' ? '{}' : null })
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) await response.body?.cancel()
  return response
}

describe('a system that pages of one origin may read', () => {
  let test: IdentitySystem
  before(async () => {
    test = await startWith([PAGE])
  })
  after(() => test.close())

  it('lets them read every answer and every refusal', async () => {
    for (const [method, path, status] of ROUTES) {
      const answered = await ask(test, method, path, { origin: PAGE })
      assert.equal(answered.status, status, `${method} ${path}`)
      assert.equal(answered.headers.get(ORIGIN), PAGE, `${method} ${path}`)
      assert.match(answered.headers.get('vary') ?? '', /Origin/, `${method} ${path}`)
    }
  })

  it('lets no other page read anything', async () => {
    for (const [method, path] of [...ROUTES, ['GET', '/api/v1/watch?event=flight']] as const) {
      const answered = await ask(test, method, path, { origin: OTHER })
      assert.equal(answered.headers.get(ORIGIN), null, `${method} ${path}`)
      assert.match(answered.headers.get('vary') ?? '', /Origin/, `${method} ${path}`)
    }
  })

  it('answers their preflight on every route, with the methods of the path', async () => {
    const preflight = {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    }
    for (const [, path] of ROUTES) {
      const answered = await ask(test, 'OPTIONS', path, { origin: PAGE, ...preflight })
      assert.equal(answered.status, 204, path)
      assert.match(
        answered.headers.get('access-control-allow-headers') ?? '',
        /Authorization.*Last-Event-ID/,
        path,
      )
      assert.equal(await answered.text(), '')
    }
    const { headers } = await ask(test, 'OPTIONS', '/api/v1/watch', { origin: PAGE, ...preflight })
    assert.equal(headers.get('access-control-allow-methods'), 'POST, GET, HEAD, OPTIONS')
    const other = await ask(test, 'OPTIONS', '/api/v1/watch', { origin: OTHER, ...preflight })
    assert.equal(other.headers.get('access-control-allow-headers'), null)
  })

  it('lets them publish, and no other page of another site', async () => {
    const body = { event_type: 'flight', identifier: flight('AZ1') }
    const post = async (origin: string): Promise<number> => {
      const headers = { origin, 'sec-fetch-site': 'cross-site' }
      return (await test.post('/api/v1/notification', body, headers)).status
    }
    assert.deepEqual([await post(PAGE), await post(OTHER), await post('null')], [200, 403, 403])
  })

  it('keeps them out of the admin service', async () => {
    const headers = { origin: PAGE, 'sec-fetch-site': 'cross-site', ...bearer(OPERATOR_TOKEN) }
    assert.equal((await ask(test, 'GET', '/api/v1/admin/status', headers)).status, 403)
  })
})

describe('a system with other origins', () => {
  it('lets every page read where any is allowed, and none publish', async () => {
    const test = await startWith(['*'])
    try {
      const read = await ask(test, 'GET', '/api/v1/schema', { origin: OTHER })
      assert.equal(read.headers.get(ORIGIN), '*')
      const body = { event_type: 'flight', identifier: flight('AZ1') }
      const headers = { origin: OTHER, 'sec-fetch-site': 'cross-site' }
      assert.equal((await test.post('/api/v1/notification', body, headers)).status, 403)
    } finally {
      await test.close()
    }
  })

  it('lets pages read public streams alone where none is configured, as in 2.x', async () => {
    const test = await startWith()
    try {
      assert.equal((await ask(test, 'GET', '/api/v1/schema', { origin: PAGE })).headers.get(ORIGIN), null)
      const stream = await ask(test, 'GET', '/api/v1/watch?event=flight', { origin: PAGE })
      assert.equal(stream.headers.get(ORIGIN), '*')
    } finally {
      await test.close()
    }
  })

  it('is not configured without identities, or with what is no origin', () => {
    const load = (allowedOrigins: readonly string[], identity?: object): unknown =>
      loadConfig(
        JSON.stringify({
          ...configFile,
          vars: { ...configFile.vars, allowedOrigins, ...(identity && { identity }) },
        }),
        'test',
      )
    const token = { username: 'a', realm: 'a', secretEnv: 'A' }
    const identity = { providers: [{ kind: 'tokens', tokens: [token] }] }
    load([PAGE, 'http://127.0.0.1:3000', '*'], identity)
    assert.throws(() => load([PAGE]), /vars\.allowedOrigins.*vars\.identity/)
    for (const origin of [
      `${PAGE}/`,
      `${PAGE}/app`,
      'pages.example.org',
      'null',
      'https://*.example.org',
      'ftp://a',
    ])
      assert.throws(() => load([origin], identity), /vars\.allowedOrigins\.0.*An origin is/, origin)
  })
})

describe('every route', () => {
  let test: IdentitySystem
  before(async () => {
    test = await startWith()
  })
  after(() => test.close())

  it('answers OPTIONS with Allow', async () => {
    for (const [, path, status] of ROUTES) {
      const answered = await ask(test, 'OPTIONS', path)
      const isThere = !path.startsWith('/no/')
      assert.equal(answered.status, isThere ? 204 : 404, path)
      if (isThere)
        assert.match(answered.headers.get('allow') ?? '', /(?:GET, HEAD|POST).*OPTIONS$/, `${path} ${status}`)
    }
  })

  it('answers HEAD as GET, without a body', async () => {
    const paths = ROUTES.flatMap(([method, path]) => (method === 'GET' ? [path] : []))
    for (const path of [...paths, '/api/v1/watch?event=flight']) {
      const [head, got] = [await ask(test, 'HEAD', path), await ask(test, 'GET', path)]
      assert.deepEqual(
        [head.status, head.headers.get('content-type')],
        [got.status, got.headers.get('content-type')],
        path,
      )
      assert.equal(await head.text(), '', path)
    }
  })

  it('judges Accept where it reads, by quality', async () => {
    const accepting = async (accept: string, path: string): Promise<number> =>
      (await ask(test, 'GET', path, { accept, ...bearer(OPERATOR_TOKEN) })).status
    for (const path of ['/api/v1/schema', '/api/v1/schema/flight', '/api/v1/admin/status']) {
      assert.equal(await accepting('text/html, application/json;q=0.1', path), 200, path)
      assert.equal(await accepting('*/*;q=0.1', path), 200, path)
      assert.equal(await accepting('text/html', path), 406, path)
      assert.equal(
        await accepting('application/json;q=0, */*', path),
        200,
        `${path}: problem details are left`,
      )
    }
    assert.deepEqual([await accepting('text/*', '/'), await accepting('application/json', '/')], [200, 406])
    assert.equal(await accepting('text/plain', '/health'), 200, 'a probe is never refused for it')
  })

  it('gives problem details to who prefers them, whoever refuses', async () => {
    const accept = { accept: 'application/problem+json' }
    for (const [method, path, status] of ROUTES) {
      if (status < 400) continue
      const answered = await ask(test, method, path, accept)
      // The wire of etcd has its own form.
      const type = path.startsWith('/v3/') ? 'application/json' : 'application/problem+json'
      assert.equal(answered.headers.get('content-type'), type, `${method} ${path}`)
      if (path.startsWith('/v3/')) continue
      const problem = (await answered.json()) as Readonly<Record<string, unknown>>
      assert.deepEqual([problem['status'], problem['message']], [status, undefined], path)
      const texts = Object.values(problem).filter((value) => value === problem['detail'])
      assert.equal(texts.length, 1, `${path}: the text stands once`)
    }
  })

  it('says what is left where it counts', async () => {
    const body = { event_type: 'flight', identifier: flight('AZ2') }
    for (const [what, response] of [
      ['publishing', await test.post('/api/v1/notification', body, bearer(OPERATOR_TOKEN))],
      ['a batch', await test.post('/api/v1/notification', [body], bearer(OPERATOR_TOKEN))],
      [
        'a stream of lines',
        await test.post('/api/v1/notification', JSON.stringify(body), {
          'content-type': 'application/x-ndjson',
          ...bearer(OPERATOR_TOKEN),
        }),
      ],
      [
        'a read of etcd',
        await test.post('/v3/kv/range', { key: b64('/tmp/aviso/') }, bearer(OPERATOR_TOKEN)),
      ],
      [
        'a watch of etcd',
        await test.post(
          '/v3/watch',
          { create_request: { key: b64('/tmp/aviso/flight/'), range_end: b64('/tmp/aviso/flight0') } },
          bearer(OPERATOR_TOKEN),
        ),
      ],
      ['a stream', await test.call('/api/v1/watch?event=flight', { headers: bearer(OPERATOR_TOKEN) })],
      [
        'a trace',
        await test.call('/api/v1/notifications/flight@1/trace', { headers: bearer(OPERATOR_TOKEN) }),
      ],
    ] as const) {
      assert.equal(response.status, 200, what)
      assert.match(response.headers.get('ratelimit-policy') ?? '', /^"quota";q=\d+;w=\d+$/, what)
      assert.match(response.headers.get('ratelimit') ?? '', /^"quota";r=\d+;t=\d+$/, what)
      await response.body?.cancel()
    }
  })
})

describe('a refusal before the routes', () => {
  it('is problem details to who prefers them', async () => {
    const system = startTestSystem({
      config: loadConfig(JSON.stringify(configFile), 'test'),
      services: ['rest'],
    })
    try {
      for (const accept of ['application/json', 'application/problem+json']) {
        const headers = { host: 'evil.example', accept }
        const answered = await system.fetch(new Request('http://evil.example/health', { headers }))
        assert.deepEqual([answered.status, answered.headers.get('content-type')], [421, accept])
      }
    } finally {
      await system.close()
    }
  })
})
