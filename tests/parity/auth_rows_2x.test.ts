/**
 * Authentication behind a proxy and without any, with configurations of aviso-server 2.x as they are, by the numbers of its conformance
 * cases (H, L11, J14).
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createLogger } from '#shared/logger.ts'
import { createScaledClock } from '../support/clock.ts'
import {
  importText,
  proxyToken,
  TRUSTED_PROXY,
  whyRefused,
  withImported,
  type ImportedSystem,
} from '../support/imported_2x.ts'
import { eventually } from '../support/waiting.ts'
import { readAsClient } from './stream_client.ts'
import { secondsAt, SHARED_SECRET } from '../support/tokens.ts'

const HEAD = `
application: { host: 127.0.0.1, port: 8000 }
notification_backend: { kind: in_memory }`
const typeOf = (name: string, auth: string): string => `
  ${name}:
    topic: { base: ${name}, key_order: [x] }
    identifier: { x: { type: StringHandler } }
    auth: ${auth}`
const SERVER = `${HEAD}${TRUSTED_PROXY}
notification_schema:
  public:
    topic: { base: public, key_order: [x] }
    identifier: { x: { type: StringHandler } }${typeOf('any', '{ required: true }')}${typeOf(
      'whole_realm',
      '{ required: true, read_roles: { localrealm: ["*"] } }',
    )}${typeOf('roles', '{ required: true, read_roles: { localrealm: [reader] }, write_roles: { localrealm: [producer] } }')}
`

type Headers_ = Readonly<Record<string, string>>

async function watch(
  { post }: ImportedSystem,
  event_type: string,
  headers: Headers_ = {},
): Promise<Response> {
  const response = await post('/api/v1/watch', { event_type, identifier: {} }, headers)
  if (response.status === 200) await response.body?.cancel()
  return response
}

describe('behind a proxy that makes tokens', () => {
  it('H2 H10 L11: asks for a bearer token alone, and takes no password', () =>
    withImported(SERVER, async (system) => {
      for (const headers of [{}, { authorization: `Basic ${btoa('joe:secret')}` }]) {
        const response = await watch(system, 'any', headers)
        assert.equal(response.status, 401)
        const challenge = response.headers.get('www-authenticate') ?? ''
        assert.match(challenge, /^Bearer /)
        assert.doesNotMatch(challenge, /Basic/)
        const body = (await response.json()) as Readonly<Record<string, unknown>>
        assert.deepEqual([body['code'], body['error']], ['UNAUTHORIZED', 'unauthorized'])
      }
      assert.equal((await watch(system, 'roles', await proxyToken({ username: 'joe' }))).status, 403)
    }))

  it('H3 H4 H5 H7 H8 H16: judges by realm and role', () =>
    withImported(SERVER, async (system) => {
      const joe = await proxyToken({ username: 'joe' })
      const reader = await proxyToken({ username: 'r', roles: ['reader'] })
      const producer = await proxyToken({ username: 'p', roles: ['producer'] })
      const admin = await proxyToken({ username: 'a', roles: ['admin'] })
      const stranger = await proxyToken({
        username: 'r',
        roles: ['reader', 'producer', 'admin'],
        realm: 'far',
      })
      const notify = async (event_type: string, headers: Headers_): Promise<number> =>
        (await system.post('/api/v1/notification', { event_type, identifier: { x: 'a' } }, headers)).status
      const rows: readonly (readonly [event: string, headers: Headers_, listen: number, publish: number])[] =
        [
          ['any', joe, 200, 403],
          ['any', admin, 200, 200],
          ['any', stranger, 200, 403],
          ['roles', joe, 403, 403],
          ['roles', reader, 200, 403],
          ['roles', producer, 403, 200],
          ['roles', admin, 200, 200],
          ['roles', stranger, 403, 403],
          ['public', {}, 200, 200],
        ]
      for (const [event, headers, listens, publishes] of rows)
        assert.deepEqual(
          [(await watch(system, event, headers)).status, await notify(event, headers)],
          [listens, publishes],
          event,
        )
    }))

  it('H15: "*" is every user of the realm, and none of another', () =>
    withImported(SERVER, async (system) => {
      assert.equal((await watch(system, 'whole_realm', await proxyToken({ username: 'joe' }))).status, 200)
      const other = await proxyToken({ username: 'joe', realm: 'other' })
      assert.equal((await watch(system, 'whole_realm', other)).status, 403)
      assert.equal((await watch(system, 'whole_realm')).status, 401)
    }))

  it('H11 H18: refuses what is expired, signed by others, or not signed', () =>
    withImported(SERVER, async (system) => {
      const now = secondsAt(Date.now())
      const right = (await proxyToken({ username: 'joe' }))['authorization'] ?? ''
      const [, payload = ''] = right.split('.')
      const none = btoa('{"alg":"none","typ":"JWT"}').replaceAll('=', '')
      for (const headers of [
        await proxyToken({ username: 'joe', exp: now - 120 }),
        await proxyToken({ username: 'joe' }, `${SHARED_SECRET}-of-others`),
        { authorization: `Bearer ${none}.${payload}.` },
        { authorization: `${right.slice(0, -4)}AAAA` },
      ]) {
        assert.equal((await watch(system, 'any', headers)).status, 401)
        assert.equal((await watch(system, 'public', headers)).status, 401)
      }
    }))

  it('H19: a stream ends with its token, with a reason that the official client knows', async () => {
    const clock = createScaledClock(60)
    await withImported(
      SERVER,
      async (system) => {
        const headers = await proxyToken({ username: 'joe', exp: secondsAt(clock.now()) + 5 })
        const response = await system.post('/api/v1/watch', { event_type: 'any', identifier: {} }, headers)
        const request = { event: 'any', mode: 'watch', hasStart: false, hasFilter: false } as const
        assert.equal((await readAsClient(response, request)).closed, 'max_duration_reached')
        await eventually(
          'the token has ended',
          async () => (await watch(system, 'any', headers)).status === 401,
        )
      },
      { clock },
    )
  })
})

describe('without identities', () => {
  const delete_ = (system: ImportedSystem, path: string, headers: Headers_ = {}): Promise<Response> =>
    system.call(`/api/v1/admin/${path}`, {
      method: 'DELETE',
      headers: { 'content-type': 'application/json', ...headers },
      ...(path.startsWith('wipe/stream') && { body: JSON.stringify({ stream_name: 'any' }) }),
    })

  it('H20: everybody listens and publishes, and only the token of the operator deletes and wipes', async () => {
    const open = `${HEAD.replace('127.0.0.1', '0.0.0.0')}
notification_schema:
  any:
    topic: { base: any, key_order: [x] }
    identifier: { x: { type: StringHandler } }
`
    const token = 'the-token-of-the-administrator'
    const { createSecretReader } = await import('#shared/secret.ts')
    await withImported(
      open,
      async (system) => {
        assert.equal((await watch(system, 'any')).status, 200)
        const body = { event_type: 'any', identifier: { x: 'a' } }
        assert.equal((await system.post('/api/v1/notification', body)).status, 200)
        for (const path of ['wipe/all', 'wipe/stream', 'notification/any%401'])
          assert.equal((await delete_(system, path)).status, 401, path)
        const headers = { authorization: `Bearer ${token}` }
        for (const path of ['notification/any%401', 'wipe/stream', 'wipe/all'])
          assert.equal((await delete_(system, path, headers)).status, 200, path)
      },
      { readSecret: createSecretReader({ AVISO_ADMIN_TOKEN: token }) },
    )
  })
})

describe('secrets', () => {
  it('J14: are neither in our configuration, nor in what is told, nor in the log', async () => {
    const lines: string[] = []
    const secret = SHARED_SECRET
    await withImported(
      SERVER,
      async (system) => {
        await watch(system, 'any', await proxyToken({ username: 'joe' }, `${secret}-of-others`))
        await watch(system, 'any', { authorization: `Bearer ${secret}` })
      },
      { logger: createLogger((line) => lines.push(line), Date.now, 'debug') },
    )
    const { config, notes } = importText(SERVER)
    const refused = whyRefused(SERVER.replace('trusted_proxy', 'trusted_porxy'))
    assert.ok(lines.length > 0 && refused.length > 0)
    for (const text of [JSON.stringify(config), ...notes, ...refused, ...lines])
      assert.ok(!text.includes(secret), text)
  })
})
