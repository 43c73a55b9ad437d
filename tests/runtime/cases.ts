/**
 * What every runtime must do, as HTTP cases against a running server. The runners beside this file only start it.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import assets from '#services/console/assets.json' with { type: 'json' }
import { readEvents, readLines } from '../support/streams.ts'
import type { TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

/** What a server lacks that is no fault of ours. */
export interface ServerLimits {
  /** It sends the number of a status alone. */
  readonly hasNoReasons?: boolean
}

/** Registers the cases. `start` gives a server with nothing else talking to it. */
export function runtimeCases(
  name: string,
  start: () => Promise<TestServer>,
  { hasNoReasons = false }: ServerLimits = {},
): void {
  describe(`Aviso on ${name}`, { timeout: 120_000 }, () => {
    let server: TestServer
    before(async () => {
      server = await start()
      await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
    })
    after(async () => {
      assert.equal(await server.stop(), 0, server.output())
    })

    it('publishes, and a range reads it back', async () => {
      const { key, receipt } = await publish(server.url, '1')
      assert.equal(receipt.key, key)
      const read = await range(server.url, key)
      assert.equal(read.kvs?.[0]?.value, btoa('s3://bucket/1'))
      assert.equal(read.kvs[0].mod_revision, receipt.revision)
    })

    it('describes itself, and has its documents', async () => {
      const contract = (await (await fetch(`${server.url}/openapi.json`)).json()) as Readonly<
        Record<string, unknown>
      >
      assert.equal(contract['openapi'], '3.1.1')
      for (const [path, part] of [
        ['/swagger-ui/', '/api/v1/watch'],
        ['/docs', '<h1 id="aviso">'],
        ['/docs/shared/ERRORS.md', 'ERR_OUTCOME_UNKNOWN'],
      ] as const) {
        const page = await fetch(`${server.url}${path}`)
        assert.equal(page.status, 200, path)
        assert.ok((await page.text()).includes(part), path)
      }
    })

    const reasons = 'sends the reason phrase of the status, which is all that some clients show'
    it(reasons, { skip: hasNoReasons }, async () => {
      for (const [path, line] of [
        ['/health', '200 OK'],
        ['/nothing', '404 Not Found'],
        ['/api/v1/notification', '405 Method Not Allowed'],
      ] as const) {
        const { promise, resolve, reject } = Promise.withResolvers<string>()
        const asked = request(`${server.url}${path}`, (response) => {
          response.resume()
          resolve(`${response.statusCode} ${response.statusMessage}`)
        })
        asked.once('error', reject).end()
        assert.equal(await promise, line)
      }
    })

    it('refuses bad input with 400 and stores nothing', async () => {
      const before = await range(server.url, '/ec/mars/')
      const response = await post(
        `${server.url}/api/v1/notification`,
        cloudEvent('mars', { ...MARS, step: '1', date: '20250230' }, 'x'),
      )
      assert.equal(response.status, 400)
      const after = await range(server.url, '/ec/mars/')
      assert.equal(after.header.revision, before.header.revision)
    })

    it('watches live as server-sent events, in order', async () => {
      const stream = readEvents(
        await post(`${server.url}/api/v1/watch`, { event_type: 'mars', identifier: { stream: 'oper' } }),
      )
      const opening = await stream.next()
      assert.equal(opening.event, 'live-notification')
      for (const step of ['10', '11', '12']) await publish(server.url, step)
      for (const step of ['10', '11', '12']) {
        const event = await stream.next(({ event }) => event !== 'heartbeat')
        const data = JSON.parse(event.data) as { data: { identifier: { step: string } } }
        assert.equal(data.data.identifier.step, step)
      }
      await stream.close()
    })

    it('watches from a position: history first, then live, without gap or repeat', async () => {
      const first = await publish(server.url, '20')
      await publish(server.url, '21')
      const stream = readEvents(
        await post(`${server.url}/api/v1/watch`, {
          event_type: 'mars',
          identifier: {},
          from_id: first.receipt.sequence,
        }),
      )
      await stream.next(({ event }) => event === 'replay-control')
      const steps: string[] = []
      for (const step of ['20', '21']) {
        const { data } = await stream.next(({ event }) => event === 'replay')
        steps.push((JSON.parse(data) as { data: { identifier: { step: string } } }).data.identifier.step)
        assert.equal(steps.at(-1), step)
      }
      await stream.next(({ event, data }) => event === 'replay-control' && data.includes('replay_completed'))
      await publish(server.url, '22')
      const live = await stream.next(({ event }) => event === 'live-notification')
      assert.match(live.data, /"step":"22"/)
      await stream.close()
    })

    it("watches as etcd's gateway does, live and from a revision", async () => {
      const { receipt } = await publish(server.url, '30')
      const from = {
        create_request: {
          key: btoa('/ec/mars/'),
          range_end: btoa('/ec/mars0'),
          start_revision: receipt.revision,
        },
      }
      const stream = readLines(await post(`${server.url}/v3/watch`, from))
      assert.match(await stream.next(), /"created":true/)
      const history = await stream.next((line) => line.includes('"events"'))
      assert.ok(history.includes(`"mod_revision":"${receipt.revision}"`), history)
      const later = await publish(server.url, '31')
      const live = await stream.next((line) => line.includes('"events"'))
      assert.ok(live.includes(`"mod_revision":"${later.receipt.revision}"`), live)
      await stream.close()
    })

    it('is for this machine: no name that a page may have bound to it, and no write by a page of another origin', async () => {
      const before = await range(server.url, '/ec/mars/')
      const body = JSON.stringify(cloudEvent('mars', { ...MARS, step: '40' }, 'x'))
      const statusOf = (method: string, path: string, headers: Readonly<Record<string, string>>) =>
        statusOfRequest(`${server.url}${path}`, { method, headers, body: method === 'POST' ? body : '' })
      const { host } = new URL(server.url)
      const rebound = { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' }
      const foreign = { host, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
      const neighbour = { host, origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site' }
      assert.equal(await statusOf('GET', '/health', rebound), 421)
      assert.equal(await statusOf('DELETE', '/api/v1/admin/wipe/all', rebound), 421)
      for (const headers of [foreign, neighbour]) {
        assert.equal(await statusOf('POST', '/api/v1/notification', headers), 403)
        assert.equal(await statusOf('DELETE', '/api/v1/admin/wipe/all', headers), 403)
      }
      assert.equal(await statusOf('GET', '/health', { host }), 200)
      const after = await range(server.url, '/ec/mars/')
      assert.equal(after.header.revision, before.header.revision)
    })

    it('gives browsers the console, with files that arrive whole', async () => {
      const page = await (await fetch(`${server.url}/`, { headers: { accept: 'text/html' } })).text()
      const [, script = ''] = /src="(console\/app-[^"]+)"/.exec(page) ?? []
      const file = await fetch(`${server.url}/${script}`)
      assert.equal(file.status, 200)
      const text = await file.text()
      assert.equal(text, new Map(Object.entries(assets.files)).get(script.replace('console/', ''))?.text)
      const forPrograms = await (await fetch(`${server.url}/`)).text()
      assert.match(forPrograms, /This is the ingest/)
    })

    it('releases a stream when its listener leaves', async () => {
      await eventually('no stream is open', async () => (await streams(server.url)) === 0)
      const open = await Promise.all(
        Array.from({ length: 5 }, async () =>
          readEvents(await post(`${server.url}/api/v1/watch`, { event_type: 'mars', identifier: {} })),
        ),
      )
      await Promise.all(open.map((stream) => stream.next()))
      assert.equal(await streams(server.url), 5)
      await Promise.all(open.map((stream) => stream.close()))
      await eventually('streams are released', async () => (await streams(server.url)) === 0)
    })
  })
}

const MARS = { class: 'od', date: '20260810', domain: 'g', expver: '1', stream: 'oper', time: '0' }

interface Receipt {
  readonly key: string
  readonly revision: string
  readonly sequence: string
}

function cloudEvent(event: string, request: Record<string, string>, location: string): unknown {
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: '/tests',
    type: 'aviso',
    data: { event, request, location },
  }
}

async function publish(
  url: string,
  step: string,
): Promise<{ readonly key: string; readonly receipt: Receipt }> {
  const response = await post(
    `${url}/api/v1/notification`,
    cloudEvent('mars', { ...MARS, step }, `s3://bucket/${step}`),
  )
  const receipt = (await response.json()) as Receipt
  assert.equal(response.status, 200, JSON.stringify(receipt))
  return {
    key: `/ec/mars/date=20260810,class=od,expver=0001,domain=g,time=00,stream=oper,step=${step}`,
    receipt,
  }
}

interface RangeAnswer {
  readonly header: { readonly revision: string }
  readonly kvs?: readonly [{ readonly value: string; readonly mod_revision: string }]
}

async function range(url: string, key: string): Promise<RangeAnswer> {
  const response = await post(`${url}/v3/kv/range`, { key: btoa(key) })
  assert.equal(response.status, 200)
  return (await response.json()) as RangeAnswer
}

async function streams(url: string): Promise<number> {
  const answer = (await (await fetch(`${url}/ready`)).json()) as { readonly streams: number }
  return answer.streams
}

/** Asks with headers that `fetch` does not let a program choose. */
function statusOfRequest(
  url: string,
  { method, headers, body }: { method: string; headers: Readonly<Record<string, string>>; body: string },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode ?? 0))
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
}
