import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { doc as adminDoc } from '#services/admin/doc.ts'
import { loadContract } from '#services/system/contract.ts'
import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import { makeOpenApi, partsOf } from '#services/reference/openapi.ts'
import type { System } from '#services/system/system.ts'
import { ERRORS } from '#shared/errors.ts'
import { requireNamed } from '../support/contract.ts'
import { flight } from '../support/notifications.ts'
import { readLines } from '../support/streams.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'
import { withSystem } from './auth_fixture.ts'

const FLIGHT = flight('AZ1')

async function withWhole(use: (system: System) => Promise<void>): Promise<void> {
  const config = loadConfig(JSON.stringify(configFile), 'test')
  const system = startTestSystem({ config, services: SERVICE_NAMES })
  try {
    await system.ready
    await use(system)
  } finally {
    await system.close()
  }
}

const get = async (system: System, path: string): Promise<Response> =>
  system.fetch(new Request(BASE_URL + path))

describe('loadContract()', () => {
  it('has an entry for every route, under the name that the route gives, and no other', async () => {
    const rooms = await loadContract()
    const entries = rooms.flatMap(({ operations }) =>
      Object.entries(operations).map(([name, { route }]) => `${route} ${name}`),
    )
    await withWhole(async (system) => {
      const routes = system.routes().map(({ method, path, doc }) => `${method} ${path} ${doc}`)
      assert.deepEqual(entries.toSorted(), routes.toSorted())
    })
  })

  it('names only schemas that there are, each once', async () => {
    const rooms = await loadContract()
    const names = rooms.flatMap(({ schemas = {} }) => Object.keys(schemas))
    assert.equal(new Set(names).size, names.length)
    const document = makeOpenApi(rooms, { version: '1' })
    const text = JSON.stringify(document)
    for (const [, name = ''] of text.matchAll(/#\/components\/schemas\/(\w+)/g))
      assert.ok(Object.hasOwn(document.components.schemas, name), name)
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    )
    assert.equal(new Set(ids).size, ids.length)
  })

  it('describes the parts of each path', async () => {
    for (const { operations } of await loadContract())
      for (const operation of Object.values(operations)) {
        const { path } = partsOf(operation)
        const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
        assert.deepEqual(Object.keys(operation.path ?? {}), parts, operation.route)
      }
  })
})

describe('doc of the admin service', () => {
  it('has the options that each route takes, and no other', async () => {
    await withWhole(async (system) => {
      let routes = 0
      for (const { route, body } of Object.values(adminDoc.operations)) {
        const [method = '', path = ''] = route.split(' ')
        if (method === 'GET') continue
        routes++
        const address = BASE_URL + path.replace(':id', 'flight@1')
        const answer = await system.fetch(new Request(address, { method, body: '{"none":1}' }))
        const { message } = (await answer.json()) as { readonly message: string }
        const [, taken = ''] = /this path takes (.+)$/.exec(message) ?? []
        const { properties = {} } = (body?.content?.['application/json'] ?? {}) as { properties?: object }
        assert.deepEqual(
          taken === 'no options' ? [] : taken.split(', ').toSorted(),
          Object.keys(properties).toSorted(),
          route,
        )
      }
      assert.ok(routes >= 11)
    })
  })
})

describe('frames of streams', () => {
  it('are as the document says: events and lines, named and as messages, live and from history', async () => {
    const seen = new Set<string>()
    await withSystem(
      async ({ publish, call, post }) => {
        await publish('AZ1', { on: 'time' })
        await publish('AZ2')
        const body = { event_type: 'flight', identifier: {}, from_id: '1' }
        const lines = { accept: 'application/x-ndjson' }
        const from = '/api/v1/watch?event=flight&from_id=1'
        const answers = [
          call('/api/v1/watch?event=flight'),
          call(from),
          call(`${from}&events=message`),
          call(from, { headers: lines }),
          post('/api/v1/watch', body),
          post('/api/v1/replay', body),
          post('/api/v1/replay', body, lines),
        ]
        const read = answers.map(async (answer) => {
          const response = await answer
          return {
            isEvents: response.headers.get('content-type') === 'text/event-stream',
            text: await response.text(),
          }
        })
        await publish('AZ3')
        for (const { isEvents, text } of await Promise.all(read)) {
          for (const frame of isEvents ? eventsIn(text) : linesIn(text)) {
            seen.add(frame.event)
            requireNamed('StreamLine', frame)
          }
        }
      },
      { vars: { streamMaxAgeSeconds: 1, heartbeatSeconds: 1 } },
    )
    const names = ['connection-closing', 'live-notification', 'message', 'replay', 'replay-control']
    assert.deepEqual([...seen].filter((name) => name !== 'heartbeat').toSorted(), names)
  })

  it('of the dashboard, and messages for the clients of etcd, too', async () => {
    await withWhole(async (system) => {
      const live = await system.fetch(
        new Request(`${BASE_URL}/api/v1/admin/live`, { headers: { accept: 'application/x-ndjson' } }),
      )
      const body = JSON.stringify({
        create_request: { key: btoa('/tmp/aviso/'), range_end: btoa('/tmp/aviso0') },
      })
      const watch = await system.fetch(new Request(`${BASE_URL}/v3/watch`, { method: 'POST', body }))
      const notification = { event_type: 'flight', identifier: FLIGHT, payload: 'Landed' }
      await system.fetch(
        new Request(`${BASE_URL}/api/v1/notification`, {
          method: 'POST',
          body: JSON.stringify(notification),
        }),
      )
      await requireFirstLines(live, 'LiveFrame', 1)
      await requireFirstLines(watch, 'EtcdWatchMessage', 2)
    })
  })
})

async function requireFirstLines(response: Response, name: string, count: number): Promise<void> {
  const lines = readLines(response)
  for (let index = 0; index < count; index++) requireNamed(name, JSON.parse(await lines.next()))
  await lines.close()
}

/** A frame of either form. */
interface Frame {
  readonly event: string
  readonly id?: string
  readonly data: unknown
}

function eventsIn(text: string): readonly Frame[] {
  return text
    .split('\n\n')
    .filter((part) => part !== '')
    .map((part) => {
      const value = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1]
      const id = value('id')
      return {
        event: value('event') ?? 'message',
        ...(id !== undefined && { id }),
        data: JSON.parse(value('data') ?? ''),
      }
    })
}

function linesIn(text: string): readonly Frame[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Frame)
}

describe('GET /openapi.json', () => {
  it('has every code of an error that reaches clients', async () => {
    await withWhole(async (system) => {
      const text = await (await get(system, '/openapi.json')).text()
      for (const code of Object.keys(ERRORS))
        assert.equal(text.includes(`"const":"${code}"`), code !== 'ERR_CONFIG', code)
    })
  })

  it('describes what streams consist of, for readers of 3.1 and of 3.2', async () => {
    await withWhole(async (system) => {
      const v31 = await (await get(system, '/openapi.json')).text()
      const v32 = await (await get(system, '/api-docs/openapi.json?version=3.2')).text()
      assert.deepEqual([v31.slice(0, 19), v32.slice(0, 19)], ['{"openapi":"3.1.1",', '{"openapi":"3.2.0",'])
      assert.ok(v31.includes('"x-itemSchema"') && !v31.includes('"itemSchema"'))
      assert.ok(v32.includes('"itemSchema"') && !v32.includes('"x-itemSchema"'))
      const wrong = await get(system, '/openapi.json?version=2')
      assert.equal(wrong.status, 400)
      assert.equal(((await wrong.json()) as { field: string }).field, 'version')
    })
  })

  it('is answered 304 to a client that has it', async () => {
    await withWhole(async (system) => {
      const etag = (await get(system, '/openapi.json')).headers.get('etag') ?? ''
      const headers = { 'if-none-match': etag }
      const again = await system.fetch(new Request(`${BASE_URL}/openapi.json`, { headers }))
      assert.deepEqual([again.status, await again.text()], [304, ''])
    })
  })
})

describe('GET /swagger-ui/', () => {
  it('is a page with every route, which loads nothing but its style', async () => {
    await withWhole(async (system) => {
      for (const path of ['/swagger-ui', '/swagger-ui/', '/swagger-ui/index.html']) {
        const response = await get(system, path)
        assert.equal(response.status, 200, path)
        const policy = response.headers.get('content-security-policy') ?? ''
        assert.ok(policy.startsWith("default-src 'none'; style-src 'self';"), policy)
        const text = await response.text()
        for (const { doc } of system.routes()) assert.ok(text.includes(`id="${doc}"`), doc)
        const loaded = [...text.matchAll(/(?:src|href)="([^"#]*)/g)].map(([, address = '']) => address)
        const known = ['', 'data:,', '/docs/style.css', '/docs', '/openapi.json', '/openapi.json?version=3.2']
        assert.deepEqual(
          [...new Set(loaded)].filter((address) => !known.includes(address)),
          [],
        )
        assert.ok(!text.includes('<script') && !text.includes(' style='))
      }
    })
  })
})
