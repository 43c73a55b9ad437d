import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'

import type { IdentityProvider, Verdict } from '#shared/access/identity/identity.ts'
import { createWhoAmI } from '#shared/access/identity/who_am_i.ts'
import { MISBEHAVIOURS, startWhoAmI, type WhoAmIStandIn } from '../../../../support/auth_servers.ts'
import { CANARY } from '../../../../support/tokens.ts'
import { credentialOf, realParts, whileMisbehaving } from './support.ts'

const KEY = `${CANARY}-key`

describe('createWhoAmI()', () => {
  let server: WhoAmIStandIn
  let parts: ReturnType<typeof realParts>
  let provider: IdentityProvider

  beforeEach(async () => {
    server = await startWhoAmI({ [KEY]: { uid: 'joe', email: 'Joe@X.int' } })
    parts = realParts()
    const url = `${server.url}/v1/who-am-i`
    provider = createWhoAmI({ ...parts, name: 'who-am-i', url, realm: 'ecmwf', limits: { timeoutMs: 2_000 } })
  })
  afterEach(() => server.close())

  const present = async (authorization: string, authType: string | null = null): Promise<Verdict> =>
    provider.identify(credentialOf(authorization, authType))

  it('says whose key it is, whatever the case of the address, and shows the server the key alone', async () => {
    const verdict = await present(`EmailKey joe@x.INT:${KEY}`)
    assert.ok(verdict.kind === 'identified')
    const { provider: name, realm, username, roles } = verdict.identity
    assert.deepEqual(
      { name, realm, username, roles },
      { name: 'who-am-i', realm: 'ecmwf', username: 'joe', roles: [] },
    )
    assert.equal(server.seen[0]?.headers.get('x-ecmwf-key'), KEY)
    assert.equal(server.seen[0]?.headers.get('authorization'), undefined)
    await present(`EmailKey joe@x.INT:${KEY}`)
    assert.equal(server.seen.length, 1)
  })

  it('takes Bearer where the client says that it is such a key, and leaves everything else to others', async () => {
    assert.equal((await present(`Bearer ${KEY}`, 'ecmwf')).kind, 'identified')
    assert.equal((await present(`Bearer ${KEY}`)).kind, 'not_mine')
    assert.equal((await present(`Bearer ${KEY}`, 'openid')).kind, 'not_mine')
    assert.equal((await present(`Basic ${btoa(`joe:${KEY}`)}`)).kind, 'not_mine')
    assert.equal(server.seen.length, 1)
  })

  it('refuses an unknown key and the address of somebody else', async () => {
    assert.equal((await present('EmailKey joe@x.int:unknown')).kind, 'refused')
    await present('EmailKey joe@x.int:unknown')
    assert.equal(server.seen.length, 1)
    const stolen = await present(`EmailKey ann@x.int:${KEY}`)
    assert.equal(stolen.kind, 'refused')
    await present(`EmailKey ann@x.int:${KEY}`)
    assert.equal(server.seen.length, 3, 'a mix-up of the server is not remembered')
  })

  it('has no verdict from an answer without a user or an address', async () => {
    const owners = [
      {},
      { uid: '', email: 'joe@x.int' },
      { uid: 7, email: 'joe@x.int' },
      { uid: 'joe' },
      { uid: 'joe', email: null },
    ]
    for (const owner of [...owners, { uid: 'a\u0000b', email: 'joe@x.int' }]) {
      server.keys.set(KEY, owner)
      await assert.rejects(
        present(`EmailKey joe@x.int:${KEY}`),
        { code: 'ERR_VERDICT_UNAVAILABLE' },
        JSON.stringify(owner),
      )
    }
  })

  it('has no verdict from a server that misbehaves in any way, within its time, and remembers none', async () => {
    for (const how of MISBEHAVIOURS) {
      await whileMisbehaving(server, { how, clock: parts.clock, limitMs: 2_000 }, () =>
        assert.rejects(present(`EmailKey joe@x.int:${KEY}`), { code: 'ERR_VERDICT_UNAVAILABLE' }, how),
      )
    }
    assert.equal((await present(`EmailKey joe@x.int:${KEY}`)).kind, 'identified')
    assert.doesNotMatch(parts.lines.join(), new RegExp(`${CANARY}|127\\.0\\.0\\.1|joe`))
  })
})
