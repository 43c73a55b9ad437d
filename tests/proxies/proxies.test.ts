/** Two Avisos on etcd behind each real proxy, with the files of `scripts/deploy`: nothing is lost, doubled or held back. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Agent, fetch as undiciFetch } from 'undici'
import { createCredentials } from '#shared/client/credentials.ts'
import { followStream } from '#shared/client/stream.ts'
import { systemClock } from '#shared/time/clock.ts'
import config from '../../wrangler-like.config.json' with { type: 'json' }
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { flight } from '../support/notifications.ts'
import { proxiesMissing, startCaddy, startNginx, type Proxy, type ProxyOptions } from '../support/proxies.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually, within } from '../support/waiting.ts'

/** Notifications of a case in which something happens in between. */
const PUBLISHED = 60

const skip = (await etcdMissing()) || (await proxiesMissing())

for (const [name, start] of [
  ['Caddy', startCaddy],
  ['nginx', startNginx],
] as const) {
  describe(`two Avisos behind ${name}`, { skip }, () => behind(start))
}

function behind(start: (options: ProxyOptions) => Promise<Proxy>): void {
  let folder: string
  let etcd: EtcdCluster
  let proxy: Proxy
  let dispatcher: Agent
  const servers: TestServer[] = []
  const audits = (): string[] => [0, 1].map((index) => join(folder, `audit${index}.log`))

  const startOne = async (index: number, port = 0): Promise<TestServer> => {
    const file = join(folder, `config${index}.json`)
    return startServer({ arguments: ['--store', etcd.endpoints[0] ?? '', '--config', file], port })
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-proxies-'))
    etcd = await startTestEtcd({ members: 1 })
    for (const [index, audit] of audits().entries()) {
      const vars = { ...config.vars, quota: { trustedProxies: 1 }, audit: { file: audit } }
      const text = JSON.stringify({ ...config, $schema: undefined, vars })
      await writeFile(join(folder, `config${index}.json`), text)
    }
    servers.push(...(await Promise.all([startOne(0), startOne(1)])))
    const [one, other] = servers.map(({ url }) => new URL(url).host)
    const own = join(folder, 'proxy')
    await mkdir(own)
    proxy = await start({ upstreams: [one ?? '', other ?? ''], folder: own })
    dispatcher = new Agent({ connect: { ca: proxy.authority }, allowH2: true })
    await eventually('the Avisos have their store, and Caddy its certificate', async () => {
      const answer = await call('/readyz').catch(() => undefined)
      await answer?.body?.cancel()
      return answer?.status === 200
    })
  })
  after(async () => {
    await dispatcher?.destroy()
    await proxy?.stop()
    for (const server of servers) await server.stop()
    await etcd?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const call = (path: string, init: RequestInit = {}): Promise<Response> =>
    undiciFetch(proxy.url + path, { ...(init as object), dispatcher }) as unknown as Promise<Response>

  const body = (number: string): string =>
    JSON.stringify({
      specversion: '1.0',
      id: `id of ${number}`,
      source: '/tests',
      type: 'aviso',
      data: { event: 'flight', request: flight(number), payload: number },
    })
  /** Publishes as a provider does: again with the same id, until it is acknowledged. */
  const publish = async (number: string, headers: Record<string, string> = {}): Promise<void> => {
    const init = { method: 'POST', headers: { 'content-type': 'application/cloudevents+json', ...headers } }
    await eventually(`${number} is acknowledged`, async () => {
      const answer = await call('/api/v1/notification', { ...init, body: body(number) }).catch(
        () => undefined,
      )
      await answer?.body?.cancel()
      return answer?.status === 200
    })
  }

  /** What a listener with our client got, while it was connected again and again. */
  const listen = async (prefix: string) => {
    const stop = new AbortController()
    const got: string[] = []
    let connections = 0
    const messages = followStream({
      target: { baseUrl: proxy.url, event: 'flight', request: { country: ['Italy'] } },
      start: { kind: 'live' },
      onGap: 'stop',
      credentials: await createCredentials({ authType: 'none', keyFile: '' }, () =>
        Promise.resolve(undefined),
      ),
      fetch: (url, init) => call(url.slice(proxy.url.length), init),
      clock: systemClock,
      random: Math.random,
      output: { log: () => undefined },
      stop: stop.signal,
      retryDelayMs: 200,
    })
    const ended = (async () => {
      for await (const message of messages) {
        if (message.kind === 'connected') connections++
        const payload = message.kind === 'notification' ? message.event.payload : undefined
        if (typeof payload === 'string' && payload.startsWith(prefix)) got.push(payload)
      }
    })()
    await eventually('the listener is connected', () => connections > 0)
    return {
      got,
      connections: () => connections,
      end: async () => {
        stop.abort()
        await within('the end of the listener', ended)
      },
    }
  }

  /** Publishes and listens while something happens. @returns connections of the listener */
  const beside = async (prefix: string, happens: () => Promise<void>): Promise<number> => {
    const listener = await listen(prefix)
    const expected = Array.from({ length: PUBLISHED }, (_, index) => `${prefix}${index}`)
    let happening: Promise<void> | undefined
    for (const [index, number] of expected.entries()) {
      if (index === PUBLISHED / 3) happening = happens()
      await publish(number)
    }
    await happening
    // The listener is there again when it gets this one.
    expected.push(`${prefix}last`)
    await publish(`${prefix}last`)
    await eventually(`all of ${prefix} arrive`, () => listener.got.length >= expected.length)
    await listener.end()
    assert.deepEqual(listener.got, expected)
    return listener.connections()
  }

  it('speaks HTTP/2 to clients', async () => {
    const session = connect(proxy.url, { ca: proxy.authority })
    const stream = session.request({ ':path': '/readyz' })
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    assert.equal(headers[':status'], 200)
    session.destroy()
  })

  it('delivers each notification when it comes, and the history', async () => {
    const events = readEvents(await call('/api/v1/watch?event=flight&country=Italy'))
    await publish('live1')
    await events.next((event) => event.data.includes('live1'))
    await publish('live2')
    await events.next((event) => event.data.includes('live2'))
    await events.close()
    const history = readEvents(await call('/api/v1/watch?event=flight&country=Italy&from_id=1'))
    await history.next((event) => event.data.includes('live1'))
    await history.next((event) => event.data.includes('live2'))
    await history.close()
  })

  it('passes a 1.x watch and range', async () => {
    const key = Buffer.from('/tmp/aviso/flight/').toString('base64')
    const end = Buffer.from('/tmp/aviso/flight0').toString('base64')
    const range = await call('/v3/kv/range', {
      method: 'POST',
      body: JSON.stringify({ key, range_end: end }),
    })
    assert.equal(range.status, 200)
    assert.ok(Number(((await range.json()) as { count: string }).count) >= 2)
  })

  it('keeps what is for the inside from clients', async () => {
    for (const path of ['/metrics', '/api/v1/monitoring/status', '/api/v1/telemetry']) {
      const answer = await call(path)
      await answer.body?.cancel()
      assert.equal(answer.status, 404, path)
      assert.notEqual(answer.headers.get('content-type'), 'text/plain; version=0.0.4', path)
    }
  })

  it('tells the address of the client, and not the one that the client claims', async () => {
    await publish('address', { 'x-forwarded-for': '192.0.2.7' })
    let written = ''
    await eventually('the audit log has it', async () => {
      written = (await Promise.all(audits().map((file) => readFile(file, 'utf8')))).join('')
      return written.includes('"published"')
    })
    const published = written.split('\n').filter((line) => line.includes('"published"'))
    assert.ok(
      published.every((line) => line.includes('"address":"127.0.0.1"')),
      written,
    )
    assert.ok(!written.includes('192.0.2.7'), written)
  })

  it('loses and doubles nothing when the proxy reads its file again in mid-stream', async () => {
    await beside('reload', () => proxy.reload())
  })

  it('loses and doubles nothing when an Aviso is stopped and started', async () => {
    await beside('rotate', async () => {
      const port = Number(new URL(servers[0]?.url ?? '').port)
      await servers[0]?.stop()
      servers[0] = await startOne(0, port)
    })
  })

  it('loses and doubles nothing when an Aviso is killed', async () => {
    // One after the other, so that the one that the listener is on is among them.
    const connections = await beside('kill', async () => {
      for (const index of [0, 1]) {
        const port = Number(new URL(servers[index]?.url ?? '').port)
        await servers[index]?.stop('SIGKILL')
        const restarted = (servers[index] = await startOne(index, port))
        await eventually('it has its store', async () => {
          const answer = await fetch(`${restarted.url}/readyz`)
          await answer.body?.cancel()
          return answer.status === 200
        })
      }
    })
    assert.ok(connections >= 2, `${connections} connections`)
  })
}
