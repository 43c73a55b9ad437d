import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createDispatcher, type Readiness } from '#services/system/routes.ts'
import { loadConfig } from '#services/system/settings.ts'
import { toFetchHandler, type Answer } from '#shared/handler.ts'
import { silentLogger } from '#shared/logger.ts'

const service = (routes: readonly string[]) => ({ name: 'n', main: 'm', routes })
const config = loadConfig(
  JSON.stringify({
    name: 'test',
    services: { rest: service(['/', '/a/b', '/a/*']), auth: service(['/a/b/*', '/v3/*']) },
  }),
  'test',
)

const answerOf = (body: string): Answer => ({ status: 200, headers: {}, body })

function dispatcher(readiness: Readiness, services: readonly ('rest' | 'auth')[] = ['rest', 'auth']) {
  const handler = createDispatcher(config, services, {
    dispatch: (name) => () => Promise.resolve(answerOf(name)),
    readiness: () => Promise.resolve(readiness),
    instruments: {
      handler: (_service, _route, handler) => handler,
      route: { method: 'GET', path: '/metrics', doc: 'metrics', handle: () => answerOf('metrics') },
    },
    everywhere: [],
    random: () => 'id',
    logger: silentLogger,
  })
  return toFetchHandler(handler)
}

const ready: Readiness = { connected: true, streams: 3 }

async function answers(handler: ReturnType<typeof dispatcher>, path: string): Promise<string> {
  const response = await handler(new Request(`http://host${path}`))
  return response.status === 200 ? response.text() : String(response.status)
}

describe('createDispatcher()', () => {
  it('gives a path to the service with the longest route', async () => {
    const handler = dispatcher(ready)
    const rows = {
      '/': 'rest',
      '/?x=/v3/': 'rest',
      '/a/b': 'rest',
      '/a/': 'rest',
      '/a/b/c': 'auth',
      '/v3/kv/range': 'auth',
      '/v3': '404',
      '/A/b': '404',
      '//a/b': '404',
      '/%61/b': '404',
      '/x': '404',
    }
    for (const [path, expected] of Object.entries(rows))
      assert.equal(await answers(handler, path), expected, path)
    assert.equal(await answers(dispatcher(ready, ['rest']), '/v3/kv/range'), '404')
  })

  it('answers health itself, HEAD too', async () => {
    const handler = dispatcher(ready)
    assert.equal(await answers(handler, '/health'), '{"status":"ok"}')
    assert.equal(await answers(handler, '/livez'), '{"status":"ok"}')
    const ok = '{"status":"ready","backend_connected":true,"streams":3}'
    assert.deepEqual([await answers(handler, '/ready'), await answers(handler, '/readyz?verbose')], [ok, ok])
    const head = await handler(new Request('http://host/ready', { method: 'HEAD' }))
    assert.deepEqual([head.status, await head.text(), head.headers.get('x-request-id')], [200, '', 'id'])
    const posted = await handler(new Request('http://host/health', { method: 'POST' }))
    assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD, OPTIONS'])
  })

  it('is not ready while it is being stopped, though the store answers', async () => {
    const response = await dispatcher({ ...ready, isStopping: true })(new Request('http://host/readyz'))
    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), {
      status: 'not_ready',
      backend_connected: true,
      streams: 3,
      reason: 'This service is being stopped',
    })
  })

  it('is not ready without a store, and alive all the same', async () => {
    const handler = dispatcher({ connected: false, streams: 0 })
    const response = await handler(new Request('http://host/ready'))
    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), { status: 'not_ready', backend_connected: false, streams: 0 })
    assert.equal(await answers(handler, '/health'), '{"status":"ok"}')
  })
})
