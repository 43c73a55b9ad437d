/**
 * The console as the system serves it: who gets the page, what protects it, and how large it is.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import assets from '#services/console/assets.json' with { type: 'json' }
import { loadConfig, SERVICE_NAMES, type ServiceName } from '#services/system/settings.ts'
import { startTestSystem } from '../support/system.ts'

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
/** All files together, as they are sent. */
const MOST_BYTES = 60_000
const LOCAL = 'http://127.0.0.1:8080'

interface Started {
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>
  readonly close: () => Promise<void>
}

async function start(
  vars: object,
  { baseUrl = LOCAL, services = SERVICE_NAMES }: { baseUrl?: string; services?: readonly ServiceName[] } = {},
): Promise<Started> {
  const text = JSON.stringify({
    ...configFile,
    vars: { ...configFile.vars, store: 'embedded:memory', ...vars },
  })
  const system = startTestSystem({ config: loadConfig(text, 'test'), services, baseUrl: () => baseUrl })
  await system.ready
  return {
    ask: (path, init) => system.fetch(new Request(`${baseUrl}${path}`, init)),
    close: () => system.close(),
  }
}

describe('GET /', () => {
  it('is the console for a browser, and the page of 1.x for a program', async () => {
    const { ask, close } = await start({})
    const page = await ask('/', { headers: BROWSER })
    assert.equal(page.status, 200)
    const text = await page.text()
    assert.match(text, /<div id="app">/)
    assert.match(text, /data-version="1\.2\.3"/)
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json, */*' }]) {
      const answer = await ask('/', { headers })
      assert.match(await answer.text(), /This is the ingest/)
    }
    const head = await ask('/', { method: 'HEAD', headers: BROWSER })
    assert.deepEqual([head.status, await head.text()], [200, ''])
    assert.equal((await ask('/', { method: 'POST', headers: BROWSER })).status, 405)
    await close()
  })

  it('lets nothing in that is not its own, and is in no frame', async () => {
    const { ask, close } = await start({})
    const { headers } = await ask('/', { headers: BROWSER })
    const policy = headers.get('content-security-policy') ?? ''
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "form-action 'none'",
      "base-uri 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ])
      assert.ok(policy.split('; ').includes(part), part)
    assert.doesNotMatch(policy, /unsafe|https?:|\*/)
    assert.equal(headers.get('x-frame-options'), 'DENY')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    await close()
  })

  it('is asked for again at each use, and not sent again', async () => {
    const { ask, close } = await start({})
    const first = await ask('/', { headers: BROWSER })
    assert.equal(first.headers.get('cache-control'), 'no-cache')
    const etag = first.headers.get('etag') ?? ''
    const again = await ask('/', { headers: { ...BROWSER, 'if-none-match': etag } })
    assert.equal(again.status, 304)
    await close()
  })
})

describe('GET /console/…', () => {
  it('has the files that the page names, for ever, and no others', async () => {
    const { ask, close } = await start({})
    const text = await (await ask('/', { headers: BROWSER })).text()
    const named = [...text.matchAll(/"(console\/[^"]+)"/g)].map(([, path]) => path ?? '')
    assert.equal(named.length, Object.keys(assets.files).length)
    for (const path of named) {
      const file = await ask(`/${path}`)
      assert.equal(file.status, 200, path)
      assert.match(file.headers.get('cache-control') ?? '', /immutable/)
      assert.ok((await file.text()).length > 100)
    }
    for (const path of ['/console/app.js', '/console/../package.json', '/console/assets.json', '/consoles'])
      assert.equal((await ask(path)).status, 404, path)
    const { status, headers } = await ask('/console', { redirect: 'manual' })
    assert.deepEqual([status, headers.get('location')], [302, 'console/'])
    await close()
  })

  it('has the page, too, for services on several addresses, with the same files', async () => {
    const { ask, close } = await start({})
    const below = await ask('/console/')
    assert.match(below.headers.get('content-security-policy') ?? '', /trusted-types 'none'/)
    const home = await (await ask('/', { headers: BROWSER })).text()
    assert.equal((await below.text()).replaceAll(/"(app|style|icon|licences)-/g, '"console/$1-'), home)
    await close()
  })

  it('is compressed where the client wants that, and at most 60 kB in all', async () => {
    const { ask, close } = await start({})
    let sum = 0
    for (const [name, { text }] of Object.entries(assets.files)) {
      const packed = await ask(`/console/${name}`, { headers: { 'accept-encoding': 'br, gzip' } })
      assert.equal(packed.headers.get('content-encoding'), 'gzip')
      const bytes = new Uint8Array(await packed.arrayBuffer())
      sum += bytes.byteLength
      const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
      assert.equal(await new Response(unpacked).text(), text)
      for (const header of ['', 'br', 'gzip;q=0']) {
        const plain = await ask(`/console/${name}`, { headers: { 'accept-encoding': header } })
        assert.equal(plain.headers.get('content-encoding'), null, header)
      }
    }
    sum += new TextEncoder().encode(assets.page).byteLength
    assert.ok(sum <= MOST_BYTES, `${sum} bytes`)
    await close()
  })
})

describe('vars.console', () => {
  const hasConsole = async (
    vars: object,
    more: { baseUrl?: string; services?: readonly ServiceName[] } = {},
  ): Promise<boolean> => {
    const { ask, close } = await start(vars, more)
    const text = await (await ask('/', { headers: BROWSER })).text()
    const icon = Object.keys(assets.files).find((name) => name.endsWith('.svg')) ?? ''
    const file = await ask(`/console/${icon}`)
    await close()
    const isThere = text.includes('id="app"')
    assert.equal(file.status === 200, isThere, 'the files go with the page')
    return isThere
  }

  it('decides; by default there is a console on loopback alone', async () => {
    for (const baseUrl of ['http://127.0.0.1:1', 'http://localhost:1', 'http://[::1]:1'])
      assert.equal(await hasConsole({}, { baseUrl }), true, baseUrl)
    const baseUrl = 'https://aviso.example.org'
    assert.equal(await hasConsole({}, { baseUrl }), false)
    assert.equal(await hasConsole({ console: true }, { baseUrl }), true)
    assert.equal(await hasConsole({ console: false }), false)
  })

  it('is not there without the listening service, whose API it shows', async () => {
    assert.equal(await hasConsole({ console: true }, { services: ['rest', 'admin'] }), false)
    assert.equal(await hasConsole({ console: true }, { services: ['auth'] }), true)
  })
})

describe('GET /docs and /swagger-ui/', () => {
  const PAGES = ['/docs', '/docs/none.md', '/swagger-ui/']

  it('lead to the console where there is one', async () => {
    const { ask, close } = await start({})
    for (const path of PAGES) assert.match(await (await ask(path)).text(), /href="\/console\/"/, path)
    assert.equal((await ask('/console/')).status, 200)
    await close()
  })

  it('lead to no console where there is none', async () => {
    for (const [vars, services] of [
      [{ console: false }, SERVICE_NAMES],
      [{}, ['rest']],
    ] as const) {
      const { ask, close } = await start(vars, { services })
      for (const path of PAGES)
        assert.doesNotMatch(await (await ask(path)).text(), /href="\/console\/"/, path)
      await close()
    }
  })
})
