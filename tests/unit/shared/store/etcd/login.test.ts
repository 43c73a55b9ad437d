import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createSecret, createSecretReader } from '#shared/secret.ts'
import type { Store } from '#shared/store/store.ts'
import { createSkippingClock } from '../../../../support/clock.ts'
import { rejects } from '../../../../contract/store_support.ts'
import { openStore, startFixture, type Fixture } from './gateway_fixture.ts'

const key = toBytes('a')
const LOGIN = '/v3/auth/authenticate'
const PASSWORD = 'right'
const auth = { name: 'aviso', password: createSecret(PASSWORD) }

const open: { close(): Promise<void> }[] = []
after(async () => {
  for (const one of open) await one.close()
})

/** A server that gives out tokens 1, 2, … and takes only the last one. */
async function startSecured(): Promise<Fixture & { expire(): void }> {
  let issued = 0
  let valid: string | undefined
  const server = await startFixture(({ path, body, headers }, reply) => {
    if (path === LOGIN) {
      const { password } = JSON.parse(body) as { password: string }
      if (password !== PASSWORD) {
        const message = 'etcdserver: authentication failed, invalid user ID or password'
        return reply.json(400, { error: message, message, code: 3 })
      }
      valid = `token.${++issued}`
      return reply.json(200, { header: {}, token: valid })
    }
    const token = headers.authorization
    if (token === undefined) return reply.json(400, { code: 3, message: 'etcdserver: user name is empty' })
    if (token !== valid) return reply.json(401, { code: 16, message: 'etcdserver: invalid auth token' })
    return false
  })
  open.push(server)
  return { ...server, expire: () => (valid = undefined) }
}

async function storeOf(server: Fixture, credentials = auth): Promise<Store> {
  const store = await openStore([server.url], { auth: credentials, clock: createSkippingClock() })
  open.push(store)
  return store
}

describe('createLogin()', () => {
  it('looks the password up at each login, as it may be replaced', async () => {
    const server = await startSecured()
    const environment = { PASSWORD }
    const password = createSecretReader(environment)('PASSWORD')
    const store = await storeOf(server, { name: auth.name, password })
    await store.range({ key })
    server.expire()
    environment.PASSWORD = 'no longer right'
    await rejects(store.range({ key }), 'ERR_STORE_UNAVAILABLE')
  })

  it('logs in when it is asked to, and sends the token as it is', async () => {
    const server = await startSecured()
    const store = await storeOf(server)
    assert.equal((await store.range({ key })).revision, 7n)
    await store.txn({ compare: [], success: [{ kind: 'put', key, value: key }] })
    assert.equal(server.count(LOGIN), 1)
    assert.equal(server.received.at(-1)?.headers.authorization, 'token.1')
    assert.equal(server.received.find(({ path }) => path === LOGIN)?.headers.authorization, undefined)
  })

  it('logs in once for many calls when the token has ended, and repeats each of them once', async () => {
    const server = await startSecured()
    const store = await storeOf(server)
    await store.range({ key })
    server.expire()
    await Promise.all(Array.from({ length: 20 }, () => store.range({ key })))
    assert.equal(server.count(LOGIN), 2)
    assert.ok(server.count('/v3/kv/range') <= 2 + 40)
  })

  it('does not go on with a wrong password', async () => {
    const server = await startSecured()
    const store = await storeOf(server, { name: 'aviso', password: createSecret('wrong') })
    await rejects(store.range({ key }), 'ERR_STORE_UNAVAILABLE')
    await Promise.all(
      Array.from({ length: 10 }, () => rejects(store.range({ key }), 'ERR_STORE_UNAVAILABLE')),
    )
    // The pause of 5 s passes in 1 s here.
    assert.ok(server.count(LOGIN) <= 2, `${server.count(LOGIN)} logins`)
  })

  it('does not go on with a token that is refused as soon as it is given', async () => {
    const server = await startFixture(({ path }, reply) => {
      if (path === LOGIN) return reply.json(200, { token: 'x' })
      return reply.json(401, { code: 16, message: 'etcdserver: invalid auth token' })
    })
    open.push(server)
    const store = await storeOf(server)
    await rejects(store.range({ key }), 'ERR_STORE_UNAVAILABLE')
    assert.deepEqual([server.count(LOGIN), server.count('/v3/kv/range')], [1, 2])
  })

  it('never logs in where nobody asks for it', async () => {
    const server = await startFixture(() => false)
    open.push(server)
    await (await storeOf(server)).range({ key })
    assert.equal(server.count(LOGIN), 0)
    const secured = await startSecured()
    const store = await openStore([secured.url])
    open.push(store)
    await rejects(store.range({ key }), 'ERR_STORE_UNAVAILABLE')
    assert.equal(secured.count(LOGIN), 0)
  })

  it('goes on without a token where users were switched off', async () => {
    let on = true
    const server = await startFixture(({ path, headers }, reply) => {
      if (path === LOGIN) {
        if (on) return reply.json(200, { token: 'x' })
        return reply.json(412, { error: 'etcdserver: authentication is not enabled', code: 9 })
      }
      if (on && headers.authorization !== 'x')
        return reply.json(400, { code: 3, message: 'etcdserver: user name is empty' })
      if (!on && headers.authorization !== undefined)
        return reply.json(401, { code: 16, message: 'etcdserver: invalid auth token' })
      return false
    })
    open.push(server)
    const store = await storeOf(server)
    await store.range({ key })
    on = false
    assert.equal((await store.range({ key })).revision, 7n)
  })
})
