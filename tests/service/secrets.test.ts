import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { loadConfig, type ServiceName } from '#services/system/settings.ts'
import { readStoreCredentials } from '#services/system/store_credentials.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { silentLogger } from '#shared/logger.ts'
import type { FetchLike } from '#shared/runtime/fetch_like.ts'
import { createSecretReader, type ReadSecret } from '#shared/secret.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { createRelayedStore } from '#shared/store/etcd/relayed_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createSecretFiles } from '../../scripts/serve/secret_files.ts'
import { createManualClock, type ManualClock } from '../support/clock.ts'
import { flightBody } from './metrics_fixture.ts'
import { eventually } from '../support/waiting.ts'
import { startTestSystem } from '../support/system.ts'

const MINUTE_MS = 60_000
const [OLD, NEW] = ['the-old-secret-of-this-test', 'the-new-secret-of-this-test']

/** A secret `NAME` in a file, as the launcher reads it. */
async function secretInFile(): Promise<{ readonly readSecret: ReadSecret; replace(): Promise<void> }> {
  let content = OLD
  const files = createSecretFiles({ NAME_FILE: '/run/secrets/name' }, () => Promise.resolve(`${content}\n`))
  await files.read(['NAME'])
  return {
    readSecret: createSecretReader(files.environment),
    async replace() {
      content = NEW
      assert.deepEqual(await files.readAgain([], assert.fail), ['NAME'])
    },
  }
}

/** What was sent to another server: its path, and the secret as it was sent. */
interface Sent {
  readonly path: string
  readonly secret: string
}

interface Scene {
  readonly clock: ManualClock
  readonly sent: Sent[]
  readonly replace: () => Promise<void>
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Response>
}

/** Runs services whose secret is in a file, with other servers that take note of what they are sent. */
async function withServices(
  names: readonly ServiceName[],
  { vars = {}, monitoring = {} }: { readonly vars?: object; readonly monitoring?: object },
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const service = (routes: readonly string[], own: object = {}): object => ({
    name: 'n',
    main: 'm',
    routes,
    vars: own,
  })
  const services = {
    rest: service(['/api/v1/notification']),
    auth: service([]),
    monitoring: service(['/api/v1/telemetry'], monitoring),
  }
  const sent: Sent[] = []
  const clock = createManualClock()
  const { readSecret, replace } = await secretInFile()
  const system = startTestSystem({
    config: loadConfig(JSON.stringify({ name: 'test', vars, services }), 'test'),
    services: names,
    store: createMemoryStore({ clock: systemClock }),
    clock,
    readSecret,
    fetch: async (url, init) => {
      const { pathname } = new URL(url)
      const login = pathname.endsWith('/login') && typeof init.body === 'string' ? init.body : '{}'
      const { password } = JSON.parse(login) as { password?: string }
      sent.push({ path: pathname, secret: password ?? new Headers(init.headers).get('authorization') ?? '' })
      // A session of Opsview is over at once, so that each report logs in.
      return password === undefined ? new Response(null, { status: 401 }) : Response.json({ token: 't' })
    },
  })
  try {
    await system.ready
    await use({
      clock,
      sent,
      replace,
      post: (path, body, headers = {}) =>
        system.fetch(
          new Request(`http://aviso.test${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
        ),
    })
  } finally {
    // Telemetry gives its last messages two seconds.
    const closing = system.close()
    await clock.advance(MINUTE_MS)
    await closing
  }
}

/** Moves on until something more was sent. */
async function nextSent({ clock, sent }: Scene, everyMs: number): Promise<Sent | undefined> {
  sent.length = 0
  await clock.advance(everyMs)
  await eventually('it is sent', () => Promise.resolve(sent.length > 0))
  return sent.at(-1)
}

describe('a secret in a file that is replaced', () => {
  it('counts from then on for telemetry by HTTP', async () => {
    const telemetry = { http: { url: 'http://other.test/telemetry', tokenEnv: 'NAME' }, everySeconds: 10 }
    await withServices(['rest'], { vars: { telemetry } }, async (scene) => {
      const publish = async (): Promise<void> =>
        void (await scene.post('/api/v1/notification', flightBody('1')))
      await publish()
      assert.deepEqual(await nextSent(scene, 10_000), { path: '/telemetry', secret: `Bearer ${OLD}` })
      await scene.replace()
      await publish()
      assert.deepEqual(await nextSent(scene, 10_000), { path: '/telemetry', secret: `Bearer ${NEW}` })
    })
  })

  it('counts from then on for the pods', async () => {
    const pods = { url: 'http://other.test', tokenEnv: 'NAME' }
    await withServices(['monitoring'], { monitoring: { pods } }, async (scene) => {
      assert.deepEqual(await nextSent(scene, MINUTE_MS), { path: '/metrics', secret: `Bearer ${OLD}` })
      await scene.replace()
      assert.deepEqual(await nextSent(scene, MINUTE_MS), { path: '/metrics', secret: `Bearer ${NEW}` })
    })
  })

  it('counts for Opsview with the next login', async () => {
    const opsview = [
      {
        url: 'http://other.test/rest',
        username: 'u',
        passwordEnv: 'NAME',
        serviceHost: 'h',
        everyMinutes: 1,
      },
    ]
    await withServices(['monitoring'], { monitoring: { opsview } }, async (scene) => {
      const logins = (): readonly string[] =>
        scene.sent.filter(({ path }) => path === '/rest/login').map(({ secret }) => secret)
      await nextSent(scene, MINUTE_MS)
      await eventually('it logs in', () => Promise.resolve(logins().length > 0))
      assert.deepEqual([...new Set(logins())], [OLD])
      await scene.replace()
      await nextSent(scene, MINUTE_MS)
      await eventually('it logs in again', () => Promise.resolve(logins().length > 0))
      assert.equal(logins().at(-1), NEW)
    })
  })

  it('counts from then on for telemetry that is received', async () => {
    await withServices(['monitoring'], { monitoring: { telemetryTokenEnv: 'NAME' } }, async (scene) => {
      const send = async (token: string): Promise<number> =>
        (await scene.post('/api/v1/telemetry', '', { authorization: `Bearer ${token}` })).status
      assert.deepEqual([await send(OLD), await send(NEW)], [200, 401])
      await scene.replace()
      assert.deepEqual([await send(OLD), await send(NEW)], [401, 200])
    })
  })

  it('counts from then on for a store that is another Aviso', async () => {
    const { readSecret, replace } = await secretInFile()
    const text = JSON.stringify({
      name: 'test',
      vars: { storeTokenEnv: 'NAME' },
      services: { rest: SERVICE, auth: SERVICE },
    })
    const { bearer } = readStoreCredentials(loadConfig(text, 'test').vars, readSecret)
    assert.ok(bearer !== undefined)
    const sent: string[] = []
    const fetch: FetchLike = (_url, { headers }) => {
      sent.push(headers['Authorization'] ?? '')
      const pieces = [toBytes('{"header":{"revision":"1"},"count":"0"}')]
      return Promise.resolve({
        status: 200,
        read: () => Promise.resolve(pieces.pop()),
        cancel: () => undefined,
      })
    }
    const store = createRelayedStore({
      endpoints: ['http://other.test'],
      fetch,
      watchFetch: fetch,
      clock: systemClock,
      random: () => 'random',
      logger: silentLogger,
      bearer,
    })
    await store.range({ key: toBytes('a') })
    await replace()
    await store.range({ key: toBytes('a') })
    await store.close()
    assert.deepEqual(sent, [`Bearer ${OLD}`, `Bearer ${NEW}`])
  })
})

const SERVICE = { name: 'n', main: 'm', routes: [] }
