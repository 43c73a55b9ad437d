/**
 * Aviso 1.x's listening service, by the numbers of its conformance cases 30 to 57: identities by auth-o-tron, destinations by ECPDS. Where we
 * differ on purpose, the row says so.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'

import { toBytes } from '#shared/bytes/bytes.ts'
import { AUTH_O_TRON_CHALLENGE } from '../support/auth_servers.ts'
import { JOE_TOKEN } from '../support/auth_servers_system.ts'
import { CANARY } from '../support/tokens.ts'
import { startIdentitySystem, type IdentitySystem } from '../service/identity_fixture.ts'
import { b64 } from '../support/etcd_wire.ts'

const EMAIL_KEY = { authorization: `EmailKey joe@x.int:${JOE_TOKEN}` }
/** Every token that the stand-in does not know yet is one that nothing is remembered of. */
let fresh = 0

/** The range that 1.x clients make of a prefix: its last byte counted up. */
function prefixOf(key: string): { key: string; range_end: string } {
  const end = toBytes(key)
  const last = end.length - 1
  end[last] = (end[last] ?? 0) + 1
  return { key: b64(key), range_end: b64(new TextDecoder().decode(end)) }
}

describe('aviso 1.x, listening', () => {
  let test: IdentitySystem

  before(async () => {
    test = await startIdentitySystem()
    await test.publish('SCL', 1)
    await test.publish('BAR', 1)
  })
  after(() => test.close())
  beforeEach(() => {
    test.standIns.authOTron.seen.length = 0
    test.standIns.ecpds.seen.length = 0
  })

  const range = (body: unknown, headers: Readonly<Record<string, string>> = EMAIL_KEY): Promise<Response> =>
    test.post('/v3/kv/range', body, headers)
  const statusOf = async (key: string, headers?: Readonly<Record<string, string>>): Promise<number> =>
    (await range(prefixOf(key), headers)).status

  /** A token of joe's that has not been seen before. */
  function newToken(): string {
    const token = `${CANARY}-fresh-${++fresh}`
    test.standIns.authOTron.users.set(`Bearer ${token}`, { username: 'joe' })
    return token
  }

  async function messageOf(response: Response): Promise<string> {
    return ((await response.json()) as { message: string }).message
  }

  it('30: EmailKey, a destination of the user: served; the servers behind see what they know', async () => {
    const token = newToken()
    const response = await range(prefixOf('/ec/diss/SCL'), { authorization: `EmailKey joe@x.int:${token}` })
    const body = (await response.json()) as { header: { revision: string }; kvs: readonly { key: string }[] }
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'application/json')
    assert.match(body.header.revision, /^\d+$/)
    assert.equal(body.kvs.length, 2)
    assert.ok(body.kvs.every(({ key }) => atob(key).startsWith('/ec/diss/SCL/')))
    assert.equal(test.standIns.authOTron.seen[0]?.headers.get('authorization'), `Bearer ${token}`)
    assert.equal(test.standIns.ecpds.seen[0]?.target, '/ecpds/v1/destination/list?id=joe')
  })

  it('31: no Authorization', async () => {
    const response = await range(prefixOf('/ec/diss/SCL'), {})
    assert.equal(response.status, 401)
    assert.match(response.headers.get('www-authenticate') ?? '', /Bearer realm="auth-o-tron"/)
    assert.equal(await messageOf(response), 'Missing Authorization header')
  })

  it('32, 33: values that are none', async () => {
    for (const authorization of [JOE_TOKEN, `EmailKey joe@x.int-${JOE_TOKEN}`, 'EmailKey', 'Bearer']) {
      const response = await range(prefixOf('/ec/diss/SCL'), { authorization })
      assert.equal(response.status, 401, authorization)
      assert.notEqual(response.headers.get('www-authenticate'), null)
    }
    assert.equal(test.standIns.authOTron.seen.length, 0)
  })

  it('34: a token nobody knows: 401 with the challenge of the authentication server', async () => {
    const response = await range(prefixOf('/ec/diss/SCL'), { authorization: `Bearer ${CANARY}-unknown` })
    assert.equal(response.status, 401)
    const challenge = response.headers.get('www-authenticate') ?? ''
    assert.equal(challenge.replace(', error="invalid_token"', ''), AUTH_O_TRON_CHALLENGE)
    assert.match(await messageOf(response), /^Invalid credentials or unauthorized token/)
  })

  it('35, 36, 38: other destinations and other keys', async () => {
    for (const key of [
      '/ec/diss/SCL2',
      '/ec/diss/SC',
      '/ec/diss/BAR',
      '/ec2/diss/SCL',
      '/ec/any',
      '/',
      '/ec/diss/',
    ]) {
      const response = await range(prefixOf(key))
      assert.equal(response.status, 403, key)
      assert.equal(await messageOf(response), 'User not allowed to access the resource')
    }
  })

  it('37: open keys, without asking for destinations', async () => {
    assert.equal(await statusOf('/ec/mars/any'), 200)
    assert.equal(await statusOf('/ec/config/aviso/v1/'), 200)
    assert.equal(await statusOf('/ec/mars'), 200)
    assert.equal(test.standIns.ecpds.seen.length, 0)
    // Prefixes end at a slash; in 1.x this was open.
    assert.equal(await statusOf('/ec/marsupial'), 403)
  })

  it('39: no destination at all (1.x: 500)', async () => {
    assert.equal(await statusOf('/ec/diss'), 403)
  })

  it('40, 41: no body, no key', async () => {
    const empty = await range('')
    assert.equal(empty.status, 400)
    assert.equal(await messageOf(empty), 'Invalid request, data cannot be empty')
    assert.equal((await range({ keyyy: b64('/ec/diss/SCL') })).status, 400)
  })

  it('42, 43: other paths', async () => {
    const paths = [
      '/v3/kv/ra',
      '/v3/kv/put',
      '/v3/kv/txn',
      '/v3/lease/grant',
      '/v3/kv/deleterange',
      '/v3beta/kv/range',
    ]
    for (const path of paths) {
      assert.equal((await test.post(path, prefixOf('/ec/diss/SCL'), EMAIL_KEY)).status, 404, path)
    }
  })

  it('44: a user whom ECPDS does not know has no destinations (1.x: 404, which its clients repeat for ever)', async () => {
    const token = `${CANARY}-nosuch`
    test.standIns.authOTron.users.set(`Bearer ${token}`, { username: 'nosuch' })
    assert.equal(await statusOf('/ec/diss/SCL', { authorization: `Bearer ${token}` }), 403)
    assert.equal(await statusOf('/ec/mars/', { authorization: `Bearer ${token}` }), 200)
  })

  it('45, 47: the servers behind are down', async () => {
    const unavailable = async (authorization: string): Promise<void> => {
      const response = await range(prefixOf('/ec/diss/SCL'), { authorization })
      assert.equal(response.status, 503)
      assert.equal(response.headers.get('retry-after'), '30')
      assert.equal(await messageOf(response), 'Service currently unavailable, please try again later')
    }
    const { authOTron, ecpds } = test.standIns
    for (const how of ['status_500', 'refuse'] as const) {
      await authOTron.misbehave(how)
      await unavailable(`Bearer ${newToken()}`)
      await authOTron.misbehave(undefined)
      ecpds.users.set('sam', [{ name: 'SCL', active: true }])
      const token = newToken()
      authOTron.users.set(`Bearer ${token}`, { username: `sam-${how}` })
      await ecpds.misbehave(how)
      await unavailable(`Bearer ${token}`)
      await ecpds.misbehave(undefined)
    }
  })

  it('49: fields that are none (1.x: 500)', async () => {
    for (const field of [{ limit: 'aa' }, { sort_target: 'KEYY' }, { revision: 10_000_000_000 }]) {
      assert.equal(
        (await range({ ...prefixOf('/ec/diss/SCL'), ...field })).status,
        400,
        JSON.stringify(field),
      )
    }
  })

  it('50, 51, 52: windows of revisions, and what is not there', async () => {
    const window = { min_mod_revision: 1, max_mod_revision: 100_000_000_000 }
    const inside = (await (await range({ ...prefixOf('/ec/diss/SCL'), ...window })).json()) as {
      kvs?: unknown[]
    }
    assert.equal(inside.kvs?.length, 2)
    const future = { min_mod_revision: 1_000_000, max_mod_revision: 2_000_000 }
    for (const body of [{ ...prefixOf('/ec/diss/SCL'), ...future }, prefixOf('/ec/diss/SCL/nothing')]) {
      const answer = (await (await range(body)).json()) as { header: unknown; kvs?: unknown[] }
      assert.notEqual(answer.header, undefined)
      assert.equal(answer.kvs, undefined)
    }
  })

  it('53: X-Auth-Type (where it is missing, the form decides; 1.x: 401)', async () => {
    const authorization = `Bearer ${JOE_TOKEN}`
    const rows: readonly (readonly [string | undefined, number, string])[] = [
      ['ecmwf', 200, ''],
      ['openid', 200, ''],
      [undefined, 200, ''],
      ['plain', 401, 'Unsupported authorization scheme'],
      ['foo', 401, 'Unknown auth type: foo'],
    ]
    for (const [type, status, message] of rows) {
      const headers = type === undefined ? { authorization } : { authorization, 'x-auth-type': type }
      const response = await range(prefixOf('/ec/diss/SCL'), headers)
      assert.equal(response.status, status, type)
      if (status !== 200) assert.equal(await messageOf(response), message)
    }
  })

  it('54: Basic', async () => {
    const authorization = `Basic ${btoa(`joe:${CANARY}-joe-password`)}`
    assert.equal(await statusOf('/ec/diss/SCL', { authorization, 'x-auth-type': 'plain' }), 200)
    assert.equal(test.standIns.authOTron.seen[0]?.headers.get('authorization'), authorization)
  })

  it('55: the same token twice is one question', async () => {
    const headers = { authorization: `Bearer ${newToken()}` }
    assert.deepEqual(
      [await statusOf('/ec/diss/SCL', headers), await statusOf('/ec/diss/SCL', headers)],
      [200, 200],
    )
    assert.equal(test.standIns.authOTron.seen.length, 1)
  })

  it('56: a range_end beyond the prefix (1.x: served, the hole of that service)', async () => {
    for (const end of ['/zz', '\0', '/ec/diss/SCM0', '/ed']) {
      assert.equal((await range({ key: b64('/ec/diss/SCL'), range_end: b64(end) })).status, 403, end)
    }
    for (const end of ['/zz', '\0', '/ed']) {
      assert.equal((await range({ key: b64('/ec/mars/'), range_end: b64(end) })).status, 403, end)
    }
  })

  it('57: the body of ecFlow', async () => {
    const response = await range({ ...prefixOf('/ec/diss/SCL'), min_mod_revision: 1 })
    const body = (await response.json()) as {
      header: { revision: string }
      kvs: readonly { value?: string }[]
    }
    assert.match(body.header.revision, /^\d+$/)
    assert.ok(body.kvs.every(({ value }) => value !== undefined))
  })
})
