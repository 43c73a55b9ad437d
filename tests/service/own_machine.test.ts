/**
 * A system without identities is for this machine: what browsers send for pages of other origins, asked of every service.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import { flight } from '../support/notifications.ts'
import { startTestSystem } from '../support/system.ts'

type Headers = Readonly<Record<string, string>>

/** A path of each service, and of the routes that every process has. */
const ROUTES = [
  ['GET', '/'],
  ['POST', '/api/v1/notification'],
  ['GET', '/api/v1/watch?event=flight'],
  ['POST', '/api/v1/watch'],
  ['POST', '/api/v1/replay'],
  ['GET', '/api/v1/schema'],
  ['GET', '/api/v1/notifications/flight@1/trace'],
  ['POST', '/v3/kv/range'],
  ['POST', '/v3/watch'],
  ['GET', '/api/v1/admin/status'],
  ['POST', '/api/v1/admin/clean'],
  ['DELETE', '/api/v1/admin/wipe/all'],
  ['GET', '/api/v1/monitoring/status'],
  ['GET', '/metrics'],
  ['GET', '/health'],
  ['GET', '/readyz'],
  ['GET', '/no/such/path'],
] as const
const WRITES = ROUTES.filter(([method]) => method !== 'GET')

/** What Chrome 130, Firefox 132 and Safari 18 send with `fetch` from a page, as far as it matters here. */
const pageOf = (origin: string, site: string): Headers => ({
  origin,
  'sec-fetch-site': site,
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0',
})

/** Requests that may change nothing. */
const FOREIGN: Readonly<Record<string, Headers>> = {
  'a page of another site': pageOf('https://evil.example', 'cross-site'),
  'a page of another port of this machine': pageOf('http://127.0.0.1:3000', 'same-site'),
  'a form of another site': {
    origin: 'https://evil.example',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'content-type': 'text/plain',
  },
  'a sandboxed frame or a page that hides its referrer': pageOf('null', 'cross-site'),
  'a browser that has no Sec-Fetch-Site (Safari before 16.4)': { origin: 'https://evil.example' },
  'the same from another port': { origin: 'http://127.0.0.1:3000' },
  'a page of another scheme and port': { origin: 'https://127.0.0.1' },
  'an image or a script of another site, which has no origin': { 'sec-fetch-site': 'cross-site' },
}

/** Requests of this machine. */
const OWN: Readonly<Record<string, Headers>> = {
  curl: { 'user-agent': 'curl/8.5.0', accept: '*/*' },
  'fetch of Node': { 'sec-fetch-mode': 'cors', 'user-agent': 'node' },
  'a page of our own': pageOf('http://127.0.0.1:8080', 'same-origin'),
  'an address that was typed': { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' },
}

describe('a system without identities', () => {
  let system: System

  before(async () => {
    system = startTestSystem({
      config: loadConfig(JSON.stringify(configFile), 'test'),
      services: SERVICE_NAMES,
      baseUrl: () => 'http://aviso.test:8080',
    })
    await system.ready
  })
  after(() => system.close())

  async function ask(
    method: string,
    path: string,
    headers: Headers = {},
    host = '127.0.0.1:8080',
  ): Promise<Response> {
    const body = method === 'POST' ? '{}' : null
    const request = new Request(`http://${host}${path}`, { method, headers: { host, ...headers }, body })
    const response = await system.fetch(request)
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response
    await response.body?.cancel()
    return response
  }

  for (const host of [
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    'evil.localhost.example',
    '127.0.0.1.evil.example',
    '128.0.0.1',
    '0.0.0.0:8080',
    '192.168.0.7:8080',
    '[::2]:8080',
    'aviso.test',
    'aviso.test:9090',
  ]) {
    it(`answers 421 on every route to the name ${host}, which a page may have bound to this machine`, async () => {
      for (const [method, path] of ROUTES)
        assert.equal((await ask(method, path, {}, host)).status, 421, `${method} ${path}`)
    })
  }

  it('answers to the names of this machine and to its own address', async () => {
    for (const host of [
      'localhost',
      'LOCALHOST:8080',
      '127.0.0.1',
      '127.8.9.10:80',
      '[::1]',
      '[::1]:65535',
      'aviso.test:8080',
    ])
      assert.equal((await ask('GET', '/health', {}, host)).status, 200, host)
  })

  it('answers 421 where the header names another host than the address', async () => {
    const request = new Request('http://127.0.0.1/health', { headers: { host: 'evil.example' } })
    assert.equal((await system.fetch(request)).status, 421)
  })

  for (const [what, headers] of Object.entries(FOREIGN)) {
    it(`lets ${what} change nothing on any route`, async () => {
      for (const [method, path] of WRITES) {
        const response = await ask(method, path, headers)
        assert.equal(response.status, 403, `${method} ${path}`)
        assert.match(await response.text(), /Web pages of other origins cannot change anything here/)
      }
    })
  }

  for (const [what, headers] of Object.entries(OWN)) {
    it(`lets ${what} in`, async () => {
      for (const [method, path] of ROUTES) {
        const { status } = await ask(method, path, headers)
        assert.ok(status !== 403 && status !== 421, `${method} ${path}: ${status}`)
      }
      const body = { event_type: 'flight', identifier: flight('AZ1'), payload: 'Landed' }
      const init = {
        method: 'POST',
        headers: { host: '127.0.0.1:8080', ...headers },
        body: JSON.stringify(body),
      }
      const stored = await system.fetch(new Request('http://127.0.0.1:8080/api/v1/notification', init))
      assert.equal(stored.status, 200, await stored.text())
    })
  }

  it('lets no page of another origin read an answer, and answers no preflight', async () => {
    const headers = pageOf('https://evil.example', 'cross-site')
    for (const [method, path] of ROUTES) {
      const own = await ask(method, path, pageOf('http://127.0.0.1:8080', 'same-origin'))
      const foreign = await ask(method, path, headers)
      const preflight = await ask('OPTIONS', path, { ...headers, 'access-control-request-method': method })
      for (const response of [own, foreign, preflight])
        assert.equal(response.headers.get('access-control-allow-origin'), null, `${method} ${path}`)
    }
  })

  it('has the same door before a service that has a port of its own', async () => {
    for (const service of SERVICE_NAMES) {
      const request = new Request('http://127.0.0.1/metrics', { headers: { host: 'evil.example' } })
      assert.equal((await system.only(service)(request)).status, 421, service)
    }
  })

  it('counts whom it did not let in', async () => {
    const before = await countsOf()
    await ask('GET', '/health', {}, 'evil.example')
    await ask('POST', '/v3/kv/range', { origin: 'null' })
    const counts = await countsOf()
    assert.deepEqual([counts.host - before.host, counts.page - before.page], [1, 1])
  })

  async function countsOf(): Promise<{ host: number; page: number }> {
    const text = await (await ask('GET', '/metrics')).text()
    const count = (event: string): number =>
      Number(new RegExp(`aviso_access_events_total\\{event="${event}"\\} (\\d+)`).exec(text)?.[1])
    return { host: count('foreign_host_refused'), page: count('foreign_page_refused') }
  }
})
