/**
 * Web pages of another origin, in a real browser, in front of the service as `npm start` runs it, with identities.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { browserMissing, startPageServer, type PageServer } from '../support/browser.ts'
import { flight } from '../support/notifications.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

const TOKEN = 'the-token-of-a-page-in-a-browser-0123456789'
const PAGE_FILES = new Map([
  ['/listen_in_page.mjs', '../../scripts/examples/listen_in_page.mjs'],
  ['/listen.mjs', '../../scripts/listen.mjs'],
  ['/page.html', '../../scripts/examples/page.html'],
])

/** Word that loads a module in a page. The check of imports reads this file, and these are none of it. */
const LOAD = 'import'

/** What a page does: the body of an async function with `service` and `token`, whose result is reported. */
const PAGES: Readonly<Record<string, string>> = {
  // Plain requests, and what a page may read of their answers.
  '/fetch': `
    const ask = async (path, init) => {
      try {
        const answer = await fetch(service + path, init)
        const body = answer.headers.get('content-type')?.includes('json') ? await answer.json() : {}
        return [answer.status, body.code ?? null, (answer.headers.get('x-request-id') ?? '').length > 0, answer.headers.get('ratelimit') !== null]
      } catch (error) {
        return String(error)
      }
    }
    const authorization = 'Bearer ' + token
    return {
      'schema, with a preflight': await ask('/api/v1/schema', { headers: { authorization } }),
      'no such path': await ask('/nope', { headers: { authorization } }),
      'a wrong token': await ask('/v3/kv/range', { method: 'POST', body: '{"key":"YQ=="}', headers: { authorization: 'Bearer x' } }),
      'no right': await ask('/api/v1/admin/status', { headers: { authorization } }),
      'a bad body': await ask('/api/v1/notification', { method: 'POST', body: '@file', headers: { authorization } }),
      'a position': await ask('/api/v1/watch?event=flight', { method: 'HEAD', headers: { authorization, 'last-event-id': 'flight@1' } }),
      'a ticket': await ask('/api/v1/tickets', { method: 'POST', headers: { authorization } }),
    }`,
  // The example, through an end of the connection: the service is started again in between.
  '/ticket': `
    const { listenInPage } = await ${LOAD}('/listen_in_page.mjs')
    const seen = []
    const problems = []
    await new Promise((done) => {
      const listener = listenInPage({
        service,
        token: () => token,
        query: { event: 'flight', from_id: 'flight@1' },
        onNotification: ({ id }) => {
          seen.push(id)
          if (seen.length === 3) { listener.close(); done() }
        },
        onProblem: (problem) => problems.push(problem),
      })
    })
    return { seen, problems }`,
  // The one-file listener, which sends headers.
  '/listen': `
    const { listen } = await ${LOAD}('/listen.mjs')
    const stop = new AbortController()
    const seen = []
    await listen(service + '/api/v1/watch?event=flight&from_id=1', ({ id }) => {
      seen.push(id)
      if (seen.length === 2) stop.abort()
    }, { token, signal: stop.signal })
    return seen.slice(0, 2)`,
  // The page beside the example, as a person fills it in.
  '/form': `
    const frame = document.createElement('iframe')
    frame.src = '/page.html'
    const loaded = new Promise((done) => { frame.onload = done })
    document.documentElement.append(frame)
    await loaded
    const page = frame.contentDocument
    page.querySelector('[name=service]').value = service
    page.querySelector('[name=token]').value = token
    page.querySelector('button').click()
    const list = page.querySelector('#seen')
    await new Promise((done) => new MutationObserver(() => { if (list.children.length === 2) done() }).observe(list, { childList: true }))
    return [...list.children].map(({ textContent }) => textContent)`,
  // A ticket that is used up: the browser does not come back for ever.
  '/used': `
    const authorization = 'Bearer ' + token
    const { ticket } = await (await fetch(service + '/api/v1/tickets', { method: 'POST', headers: { authorization } })).json()
    const address = service + '/api/v1/watch?event=flight&from_id=1&events=message&ticket=' + ticket
    const first = new EventSource(address)
    const message = await new Promise((found, failed) => { first.onmessage = found; first.onerror = () => failed(new Error('no stream')) })
    first.close()
    const again = new EventSource(address)
    await new Promise((done) => { again.onerror = done })
    const told = await fetch(address)
    return { id: JSON.parse(message.data).id, hasPosition: message.lastEventId !== '', state: again.readyState, code: (await told.json()).code }`,
}

const shell = (
  body: string,
  service: string,
): string => `<!doctype html><meta charset="utf-8"><script type="module">
const service = ${JSON.stringify(service)}
const token = ${JSON.stringify(TOKEN)}
const run = async () => {${body}}
const report = await run().catch((error) => ({ failed: String(error) }))
await fetch('/report', { method: 'POST', body: JSON.stringify(report) })
</script>`

describe('a page of another origin', { skip: await browserMissing(), timeout: 240_000 }, () => {
  let pages: PageServer
  let foreign: PageServer
  let server: TestServer
  let folder: string

  const answer = async (path: string): Promise<readonly [string, string] | undefined> => {
    const file = PAGE_FILES.get(path)
    if (file !== undefined) {
      const text = await readFile(fileURLToPath(new URL(file, import.meta.url)), 'utf8')
      return [path.endsWith('.html') ? 'text/html' : 'text/javascript', text]
    }
    const body = PAGES[path]
    return body === undefined ? undefined : ['text/html', shell(body, server.url)]
  }

  const start = (port = 0): Promise<TestServer> =>
    startServer({
      port,
      arguments: ['--config', join(folder, 'config.json'), '--data', join(folder, 'data')],
      environment: { PAGE_TOKEN: TOKEN },
    })

  async function publish(number: string): Promise<void> {
    const body = { event_type: 'flight', identifier: flight(number), payload: 'Landed' }
    const init = { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(body) }
    assert.equal((await fetch(`${server.url}/api/v1/notification`, init)).status, 200)
  }

  before(async () => {
    pages = await startPageServer(answer)
    foreign = await startPageServer(answer)
    folder = await mkdtemp(join(tmpdir(), 'aviso-pages-'))
    const vars = {
      ...configFile.vars,
      allowedOrigins: [pages.origin],
      identity: {
        providers: [
          { kind: 'tokens', tokens: [{ username: 'page', realm: 'local', secretEnv: 'PAGE_TOKEN' }] },
        ],
      },
      policy: { rules: [{ realm: 'local', listen: 'everything', publish: 'everything' }] },
    }
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...configFile, vars }))
    server = await start()
    await eventually('ready', async () => (await fetch(`${server.url}/readyz`)).status === 200)
    for (const number of ['AZ1', 'AZ2']) await publish(number)
  })
  after(async () => {
    await server.stop()
    await Promise.all([pages.close(), foreign.close()])
    await rm(folder, { recursive: true, force: true })
  })

  it('reads answers and refusals, if its origin is allowed', async () => {
    assert.deepEqual(await pages.open('/fetch'), {
      'schema, with a preflight': [200, null, true, false],
      'no such path': [404, 'ERR_NOT_FOUND', true, false],
      'a wrong token': [401, 16, true, false],
      'no right': [403, 'FORBIDDEN', true, false],
      'a bad body': [400, 'INVALID_JSON', true, false],
      'a position': [200, null, true, true],
      'a ticket': [200, null, true, true],
    })
  })

  it('reads nothing, if its origin is not allowed', async () => {
    const report = (await foreign.open('/fetch')) as Readonly<Record<string, unknown>>
    for (const [what, answered] of Object.entries(report))
      assert.match(String(answered), /TypeError: Failed to fetch/, what)
  })

  it('listens as the page of the example', async () => {
    assert.deepEqual(await pages.open('/form'), ['flight@1 AZ1 Landed', 'flight@2 AZ2 Landed'])
  })

  it('listens with EventSource and tickets, and goes on after the service was started again', async () => {
    const report = pages.open('/ticket')
    const { port } = new URL(server.url)
    await eventually('the page listens', async () => (await readyStreams(server)) === 1)
    await server.stop()
    server = await start(Number(port))
    await eventually('ready', async () => (await fetch(`${server.url}/readyz`)).status === 200)
    await publish('AZ3')
    const { seen, problems } = (await report) as { seen: string[]; problems: string[] }
    assert.deepEqual(seen, ['flight@1', 'flight@2', 'flight@3'])
    assert.ok(problems.length > 0, 'it told that the connection had ended')
  })

  it('listens with headers', async () => {
    assert.deepEqual(await pages.open('/listen'), ['flight@1', 'flight@2'])
  })

  it('learns that a ticket is used up, and its browser does not ask again', async () => {
    assert.deepEqual(await pages.open('/used'), {
      id: 'flight@1',
      hasPosition: true,
      state: 2,
      code: 'TICKET_ENDED',
    })
  })

  it('has its tickets in no log', () => {
    assert.doesNotMatch(server.output(), /ticket=|[0-9a-f]{64}/)
  })
})

async function readyStreams({ url }: TestServer): Promise<number> {
  return ((await (await fetch(`${url}/readyz`)).json()) as { streams: number }).streams
}
