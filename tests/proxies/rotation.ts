/**
 * A rotation that listeners hardly see: of two Avisos on etcd, one is stopped and started under listeners and steady publishing.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { describe, it } from 'node:test'
import { Agent, fetch as undiciFetch } from 'undici'
import { createCredentials } from '#shared/client/credentials.ts'
import { followStream } from '#shared/client/stream.ts'
import { systemClock } from '#shared/time/clock.ts'
import config from '../../wrangler-like.config.json' with { type: 'json' }
import { etcdMissing, startTestEtcd } from '../support/etcd.ts'
import { flight } from '../support/notifications.ts'
import { proxiesMissing, startCaddy, startNginx, type Proxy, type ProxyOptions } from '../support/proxies.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { eventually, within } from '../support/waiting.ts'

/** How much goes on during the rotation. */
export interface RotationLoad {
  readonly listeners: number
  readonly perSecond: number
  readonly drainSeconds: number
  /** Each notification goes to the listeners of one group. */
  readonly groups: number
}

/** Promise 10: no delivery is later, counted from the acknowledgement. */
const MOST_LATE_MS = 5000
/** Publishing before and after the rotation. */
const AROUND_MS = 1500

type Fetch = (path: string, init: RequestInit) => Promise<Response>

/** The way to the Avisos. */
interface Way {
  readonly call: Fetch
  close(): Promise<void>
}

/** Registers the rotation directly and through each proxy. */
export async function rotationCases(load: RotationLoad): Promise<void> {
  const skip = (await etcdMissing()) || (await proxiesMissing())
  const { listeners, perSecond } = load
  const ways: readonly (readonly [name: string, open: (options: ProxyOptions) => Promise<Way>])[] = [
    ['directly', openDirectly],
    ['through Caddy', (options) => openProxy(startCaddy, options)],
    ['through nginx', (options) => openProxy(startNginx, options)],
  ]
  describe(`a rotation under ${listeners} listeners and ${perSecond}/s`, { skip, timeout: 290_000 }, () => {
    for (const [name, open] of ways) {
      it(`loses and doubles nothing, and holds nothing back, ${name}`, (context) =>
        rotate(open, load, (text) => context.diagnostic(text)))
    }
  })
}

async function rotate(
  open: (options: ProxyOptions) => Promise<Way>,
  load: RotationLoad,
  tell: (text: string) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-rotation-'))
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  try {
    const etcd = await startTestEtcd({ members: 1 })
    closers.push(() => etcd.close())
    const file = join(folder, 'config.json')
    const vars = { ...config.vars, quota: { trustedProxies: 1 } }
    const dev = { drainSeconds: load.drainSeconds }
    await writeFile(file, JSON.stringify({ ...config, $schema: undefined, vars, dev }))
    const startOne = (port = 0): Promise<TestServer> =>
      startServer({ arguments: ['--store', etcd.endpoints[0] ?? '', '--config', file], port })
    const servers = [await startOne(), await startOne()]
    closers.push(() => Promise.all(servers.map((server) => server.stop('SIGKILL'))))
    const [first, second] = servers.map(({ url }) => new URL(url).host)
    await mkdir(join(folder, 'proxy'))
    const way = await open({ upstreams: [first ?? '', second ?? ''], folder: join(folder, 'proxy') })
    closers.push(way.close)
    await eventually('the Avisos have their store', async () => (await statusOf(way, '/readyz')) === 200)

    const listeners = await startListeners(way, load)
    closers.push(listeners.stop)
    const publishing = publishSteadily(way, load)
    // How late this process itself is: 1,000 listeners here take more than a service needs for them.
    const ownDelay = monitorEventLoopDelay()
    ownDelay.enable()
    await systemClock.sleep(AROUND_MS)
    const { connections } = listeners
    const before = connections()
    assert.equal(await servers[0]?.stop(), 0, servers[0]?.output())
    servers[0] = await startOne(Number(new URL(servers[0]?.url ?? '').port))
    await systemClock.sleep(AROUND_MS)
    const acknowledged = await publishing.end()
    const delays = await listeners.lateness(acknowledged)
    const late = delays.at(-1) ?? 0
    const [half, most] = [0.5, 0.99].map((share) =>
      Math.round(delays[Math.floor(delays.length * share)] ?? 0),
    )
    tell(
      `${acknowledged.size} notifications, ${connections() - before} listeners came back; from acknowledgement to delivery ${half} ms (median), ${most} ms (p99), ${Math.round(late)} ms (most); this process was late itself by up to ${Math.round(ownDelay.max / 1e6)} ms`,
    )
    assert.ok(connections() > before, 'no listener had to come back')
    assert.ok(late <= MOST_LATE_MS, `a delivery came ${late} ms after its acknowledgement`)
  } finally {
    for (const close of closers.toReversed()) await close()
  }
}

interface Delivery {
  readonly payload: string
  readonly sequence: number
  readonly at: number
}

/** Listeners with our client. Those of a group get what names their group. */
async function startListeners(way: Way, { listeners, groups }: RotationLoad) {
  const stop = new AbortController()
  const credentials = await createCredentials({ authType: 'none', keyFile: '' }, async () => undefined)
  const got: Delivery[][] = []
  let connections = 0
  const follow = async (index: number): Promise<void> => {
    const deliveries: Delivery[] = []
    got.push(deliveries)
    const messages = followStream({
      target: { baseUrl: '', event: 'flight', request: { airport: [airportOf(index % groups)] } },
      start: { kind: 'live' },
      onGap: 'stop',
      credentials,
      fetch: way.call,
      clock: systemClock,
      random: Math.random,
      output: { log: () => undefined },
      stop: stop.signal,
    })
    for await (const message of messages) {
      if (message.kind === 'connected') connections++
      if (message.kind !== 'notification') continue
      const { id, payload } = message.event
      deliveries.push({
        payload: typeof payload === 'string' ? payload : '',
        sequence: Number(id.split('@')[1]),
        at: performance.now(),
      })
    }
  }
  const following = Array.from({ length: listeners }, (_, index) => follow(index))
  await eventually('all listeners are connected', () => connections >= listeners)
  return {
    connections: () => connections,
    stop: async () => {
      stop.abort()
      await within('the end of the listeners', Promise.all(following))
    },
    /** Waits for everything, and checks it. @returns the milliseconds from acknowledgements to deliveries, sorted */
    lateness: async (acknowledged: ReadonlyMap<string, number>): Promise<Float64Array> => {
      const expected = Array.from({ length: groups }, (_, group) =>
        [...acknowledged.keys()].filter((payload) => groupOf(payload, groups) === group).toSorted(),
      )
      const dueOf = (index: number): readonly string[] => expected[index % groups] ?? []
      await eventually('everything arrives', () =>
        got.every((deliveries, index) => deliveries.length >= dueOf(index).length),
      )
      const delays: number[] = []
      for (const [index, deliveries] of got.entries()) {
        assert.deepEqual(deliveries.map(({ payload }) => payload).toSorted(), dueOf(index))
        const sequences = deliveries.map(({ sequence }) => sequence)
        assert.deepEqual(
          sequences,
          sequences.toSorted((a, b) => a - b),
        )
        for (const { payload, at } of deliveries) delays.push(at - (acknowledged.get(payload) ?? at))
      }
      return Float64Array.from(delays).sort()
    },
  }
}

/** Publishes at a rate, as providers do: each again with the same id, until it is acknowledged. */
function publishSteadily(way: Way, { perSecond, groups }: RotationLoad) {
  const acknowledged = new Map<string, number>()
  const pending: Promise<void>[] = []
  let count = 0
  const publishOne = async (payload: string): Promise<void> => {
    const request = { ...flight(payload), airport: airportOf(groupOf(payload, groups)) }
    const body = JSON.stringify({
      specversion: '1.0',
      id: payload,
      source: '/tests',
      type: 'aviso',
      data: { event: 'flight', request, payload },
    })
    const headers = { 'content-type': 'application/cloudevents+json' }
    await eventually(
      `${payload} is acknowledged`,
      async () => (await statusOf(way, '/api/v1/notification', { method: 'POST', headers, body })) === 200,
      50,
    )
    acknowledged.set(payload, performance.now())
  }
  // On a busy machine a timer is late: what is due by then is published together.
  const begin = performance.now()
  const stop = systemClock.every(1000 / perSecond, () => {
    const due = ((performance.now() - begin) * perSecond) / 1000
    while (count < due) pending.push(publishOne(`P${count++}`))
  })
  return {
    end: async (): Promise<ReadonlyMap<string, number>> => {
      stop()
      await Promise.all(pending)
      return acknowledged
    },
  }
}

/** An airport code of three letters for each group. */
function airportOf(group: number): string {
  return String.fromCharCode(65 + Math.floor(group / 26), 65 + (group % 26), 65)
}

function groupOf(payload: string, groups: number): number {
  return Number(payload.slice(1)) % groups
}

/** The status; 0 where there is no answer. */
async function statusOf({ call }: Way, path: string, init: RequestInit = {}): Promise<number> {
  const answer = await call(path, init).catch(() => undefined)
  await answer?.body?.cancel().catch(() => undefined)
  return answer?.status ?? 0
}

/** Two addresses, as a name in the DNS may have: one is taken by chance, and the other where nobody listens. */
async function openDirectly({ upstreams }: ProxyOptions): Promise<Way> {
  const dispatcher = new Agent()
  const ask = (host: string, path: string, init: RequestInit): Promise<Response> =>
    undiciFetch(`http://${host}${path}`, { ...(init as object), dispatcher }) as unknown as Promise<Response>
  return {
    call: async (path, init) => {
      const [one, other] = Math.random() < 0.5 ? upstreams : [upstreams[1], upstreams[0]]
      return ask(one, path, init).catch((error: unknown) => {
        if (init.signal?.aborted === true) throw error
        return ask(other, path, init)
      })
    },
    close: () => dispatcher.destroy(),
  }
}

async function openProxy(
  start: (options: ProxyOptions) => Promise<Proxy>,
  options: ProxyOptions,
): Promise<Way> {
  const proxy = await start(options)
  const dispatcher = new Agent({ connect: { ca: proxy.authority } })
  return {
    call: (path, init) =>
      undiciFetch(proxy.url + path, { ...(init as object), dispatcher }) as unknown as Promise<Response>,
    close: async () => {
      await dispatcher.destroy()
      await proxy.stop()
    },
  }
}
