import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { loadContract } from '#services/system/contract.ts'
import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import { makeOpenApi, partsOf } from '#services/reference/openapi.ts'
import type { System } from '#services/system/system.ts'
import { ERRORS } from '#shared/errors.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'

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
