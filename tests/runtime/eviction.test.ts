/** The Durable Object that runs the services, when Cloudflare evicts it: by miniflare, which comes with wrangler and can do that. */

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'

import { withoutComments } from '#shared/config/jsonc.ts'
import { publishFlight, readLines } from '../flow/upgrade/ask.ts'
import { missing } from '../support/missing.ts'
import { findPackage } from '../../scripts/npm_package.ts'
import { temporaryFolder } from '../support/server.ts'
import { eventually, within } from '../support/waiting.ts'
import { buildWrangler } from './module_server.ts'

const skip = await missing(() => findPackage('wrangler'))
const WATCH = '/api/v1/watch?event=flight'

/** The object of the bundle, which can be asked to lose all that it has in memory, as Cloudflare makes it lose it. */
const EVICTABLE = `
import worker, { AvisoHost as Host } from './index.mjs'
export default worker
export class AvisoHost extends Host {
  #state
  constructor(state, env) {
    super(state, env)
    this.#state = state
  }
  fetch(request) {
    if (request.headers.has('x-evict')) this.#state.abort('evicted')
    return super.fetch(request)
  }
}
`

describe('an evicted Durable Object', { skip, timeout: 60_000 }, () => {
  it('keeps positions, numbers and ids, and ends its streams', async (context) => {
    const { url, evict } = await startMiniflare(context)
    for (let number = 1; number <= 3; number++)
      assert.equal(await publishFlight(url, number), `flight@${number}`)
    const before = await readLines(`${url}${WATCH}&from_id=1`)
    const open = await fetch(`${url}${WATCH}`)
    const ended = open.text().catch(() => 'broken')
    const instance = await instanceOf(url)
    await evict()
    await within('the end of the stream', ended)
    assert.notEqual(await instanceOf(url), instance)
    assert.deepEqual(await readLines(`${url}${WATCH}&from_id=1`), before)
    // A provider that had no answer sends it again.
    assert.equal(await publishFlight(url, 2), 'flight@2')
    assert.equal(await publishFlight(url, 4), 'flight@4')
    const [, second] = before
    const rest = await readLines(`${url}${WATCH}&from=${encodeURIComponent(second?.cursor ?? '')}`)
    assert.deepEqual(
      rest.map(({ id }) => id),
      ['flight@3', 'flight@4'],
    )
  })

  it('keeps all that it has acknowledged, once, while it is evicted again and again', async (context) => {
    const { url, evict } = await startMiniflare(context)
    const acknowledged = new Map<string, string>()
    const provide = async (provider: number): Promise<void> => {
      for (let number = provider * 100; number < provider * 100 + EACH; number++)
        await eventually('it is acknowledged', async () => {
          const id = await publishFlight(url, number).catch(() => undefined)
          if (id !== undefined) acknowledged.set(id, `IN${number}`)
          return id !== undefined
        })
    }
    let isOver = false
    const providing = Promise.all([1, 2, 3].map(provide)).finally(() => (isOver = true))
    let evictions = 0
    for (; !isOver; evictions++) await evict()
    await providing
    assert.ok(evictions > 1)
    const stored = await readLines(`${url}${WATCH}&from_id=1`)
    assert.equal(stored.length, 3 * EACH)
    assert.deepEqual(new Map(stored.map(({ id, payload }) => [id, payload])), acknowledged)
  })
})

/** Notifications of each provider. */
const EACH = 10

/** A text that is different for each process, or life of an object. */
async function instanceOf(url: string): Promise<string> {
  const answer = await fetch(`${url}/api/v1/admin/streams`)
  return ((await answer.json()) as { readonly instance: string }).instance
}

/** The part of miniflare that is used. */
interface Miniflare {
  readonly ready: Promise<URL>
  dispose(): Promise<void>
}

interface Deployed {
  readonly name: string
  readonly main: string
  readonly vars: Readonly<Record<string, unknown>>
  readonly compatibility_date: string
  readonly compatibility_flags: readonly string[]
}

async function startMiniflare(context: TestContext): Promise<{ url: string; evict: () => Promise<void> }> {
  const folder = await temporaryFolder(context)
  const { code, output } = await buildWrangler(folder, '--one')
  assert.equal(code, 0, output)
  const built = join(folder, 'aviso')
  const file = JSON.parse(withoutComments(await readFile(join(built, 'wrangler.jsonc'), 'utf8'))) as Deployed
  const path = createRequire(join(await findPackage('wrangler'), 'package.json')).resolve('miniflare')
  const entry = join(built, 'evictable.mjs')
  await writeFile(entry, EVICTABLE)
  const { Miniflare: Server, convertV4MiniflareOptions: toOptions } = (await import(
    pathToFileURL(path).href
  )) as {
    readonly Miniflare: new (options: object) => Miniflare
    readonly convertV4MiniflareOptions: (options: object) => object
  }
  const options = toOptions({
    name: file.name,
    modulesRoot: built,
    modules: [entry, join(built, file.main)].map((path) => ({ type: 'ESModule', path })),
    compatibilityDate: file.compatibility_date,
    compatibilityFlags: file.compatibility_flags,
    bindings: file.vars,
    durableObjects: { AVISO_HOST: { className: 'AvisoHost', useSQLite: true } },
    durableObjectsPersist: join(folder, 'state'),
    host: '127.0.0.1',
    port: 0,
  })
  const server = new Server(options)
  context.after(() => server.dispose())
  const url = (await server.ready).origin
  await eventually('ready', async () => (await fetch(`${url}/ready`)).status === 200)
  return { url, evict: () => evictAt(url) }
}

/** Evicts the object, and waits until another one answers. */
async function evictAt(url: string): Promise<undefined> {
  await fetch(url, { headers: { 'x-evict': '1' } }).catch(() => undefined)
  await eventually('ready', async () => (await fetch(`${url}/ready`)).status === 200)
}
