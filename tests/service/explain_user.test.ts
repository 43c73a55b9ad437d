/**
 * What an administrator asks about others: `GET /api/v1/admin/access`.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { configOf, JOE_TOKEN, OPERATOR_TOKEN } from '../support/auth_servers_system.ts'
import { withSystem } from './auth_fixture.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'

const ACCESS = '/api/v1/admin/access'

interface Answer {
  readonly user: Readonly<Record<string, unknown>> | null
  readonly rights: readonly Readonly<Record<string, unknown>>[]
  readonly administer: object
  readonly unmet: readonly object[]
  readonly field?: string
}

describe('GET /api/v1/admin/access', () => {
  let test: IdentitySystem
  before(async () => {
    test = await startIdentitySystem()
  })
  after(() => test.close())

  const read = async (path: string, token: string): Promise<{ status: number; body: Answer }> => {
    const response = await test.call(path, { headers: bearer(token) })
    return { status: response.status, body: (await response.json()) as Answer }
  }

  it('says of a user what the service says to the user, destinations of ECPDS too', async () => {
    const { body: me } = await read('/api/v1/me', JOE_TOKEN)
    const { status, body } = await read(`${ACCESS}?user=joe&realm=ecmwf&role=reader`, OPERATOR_TOKEN)
    assert.equal(status, 200)
    assert.deepEqual(body.rights, me.rights)
    assert.ok(body.rights.some(({ by }) => by === 'vars.policy.destinations'))
    assert.deepEqual(body.user, { username: 'joe', realm: 'ecmwf', roles: ['reader'], claims: {} })
    assert.deepEqual(body.administer, { allowed: false, by: [] })
    assert.deepEqual(body.unmet.at(-1), { by: 'vars.policy.rules.2', reason: 'realm is not "local"' })
  })

  it('takes realm and roles of a token from the configuration, and asks for what it does not know', async () => {
    const { body } = await read(`${ACCESS}?user=operator`, OPERATOR_TOKEN)
    assert.deepEqual(body.administer, { allowed: true, by: ['vars.policy.rules.2.admin'] })
    const { body: without } = await read(ACCESS, OPERATOR_TOKEN)
    assert.equal(without.user, null)
    for (const [query, field] of [
      ['user=', 'user'],
      ['realm=local', 'user'],
      ['user=joe', 'realm'],
      ['user=operator&claim=team', 'claim'],
      ['usr=joe', 'usr'],
      ['user=a&user=b', 'user'],
    ] as const) {
      const refused = await read(`${ACCESS}?${query}`, OPERATOR_TOKEN)
      assert.deepEqual([refused.status, refused.body.field], [400, field], query)
    }
  })

  it('answers administrators alone', async () => {
    assert.equal((await read(`${ACCESS}?user=joe&realm=ecmwf`, JOE_TOKEN)).status, 403)
    assert.equal((await test.call(ACCESS)).status, 401)
  })

  it('counts the policy of now', async () => {
    const { policy } = configOf(test.standIns.vars).vars
    const rules = [...policy.rules, { realm: 'ecmwf', users: ['joe'], admin: true }]
    test.system.replacePolicy({ ...policy, rules })
    const { body } = await read(`${ACCESS}?user=joe&realm=ecmwf`, OPERATOR_TOKEN)
    assert.deepEqual(body.administer, {
      allowed: true,
      by: [`vars.policy.rules.${policy.rules.length}.admin`],
    })
  })
})

describe('GET /api/v1/admin/access without identities', () => {
  it('says that everything is allowed, and why', () =>
    withSystem(async (system) => {
      const body = (await (await system.call(`${ACCESS}?user=joe`)).json()) as Answer
      assert.deepEqual([body.user, body.unmet], [null, []])
      assert.ok(body.rights.length > 0 && body.rights.every(({ by }) => by === 'vars.identity'))
    }))
})
