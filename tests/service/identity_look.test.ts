/**
 * What people can look at is what they may listen to, and nothing else.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { ANN_TOKEN, JOE_TOKEN, OPERATOR_TOKEN } from '../support/auth_servers_system.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'

describe('looking', () => {
  let test: IdentitySystem
  before(async () => {
    test = await startIdentitySystem()
    await test.publish('FOO', 1)
    await test.publish('BAR', 2)
    await test.publish('FOO', 3)
  })
  after(() => test.close())

  /** Status and body of what somebody asks for. */
  async function look(
    path: string,
    token: string,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await test.call(path, { headers: bearer(token) })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  it('pages of history: only what the listener may see, and 403 for the rest', async () => {
    const page = '/api/v1/notifications?event=dissemination&destination='
    const own = await look(`${page}FOO`, JOE_TOKEN)
    const { notifications } = own.body as { readonly notifications: readonly { readonly id: string }[] }
    assert.deepEqual(
      notifications.map(({ id }) => id),
      ['dissemination@3', 'dissemination@1'],
    )
    assert.equal((await look(`${page}BAR`, JOE_TOKEN)).status, 403)
    assert.equal((await look(`${page}FOO&destination=BAR`, JOE_TOKEN)).status, 403)
    assert.equal((await look('/api/v1/notifications?event=dissemination', JOE_TOKEN)).status, 400)
    assert.equal((await test.call(`${page}FOO`)).status, 401)
  })

  it('one notification: what the listener may not see is not there', async () => {
    const one = '/api/v1/notifications/dissemination@'
    assert.equal((await look(`${one}1`, JOE_TOKEN)).status, 200)
    assert.equal((await look(`${one}2`, JOE_TOKEN)).status, 404)
    assert.equal((await look(`${one}9`, JOE_TOKEN)).status, 404)
    assert.equal((await look(`${one}2`, ANN_TOKEN)).status, 200)
    assert.equal((await look(`${one}2`, OPERATOR_TOKEN)).status, 200)
  })

  it('event types: only those the listener may see, and of them only its part', async () => {
    const joe = await look('/api/v1/events', JOE_TOKEN)
    const { events } = joe.body as { readonly events: readonly Described[] }
    const [dissemination, ...others] = events.filter(({ event_type: event }) => event === 'dissemination')
    assert.ok(dissemination !== undefined && others.length === 0)
    assert.deepEqual(
      [dissemination.whole, dissemination.last?.id, dissemination.looked],
      [false, 'dissemination@3', 2],
    )
    assert.deepEqual(dissemination.fields['destination']?.values, [{ value: 'FOO', count: 2 }])
    const ann = await look('/api/v1/events?event=dissemination', ANN_TOKEN)
    assert.match(JSON.stringify(ann.body), /"id":"dissemination@2"/)
    assert.doesNotMatch(JSON.stringify(ann.body), /FOO/)
    const nobody = await test.call('/api/v1/events?event=dissemination')
    assert.deepEqual(((await nobody.json()) as { readonly events: unknown }).events, [])
  })

  it('who somebody is, what they may do, and by which rule', async () => {
    const { body } = await look('/api/v1/me', JOE_TOKEN)
    assert.deepEqual(body['user'], { username: 'joe', realm: 'ecmwf', roles: ['reader'] })
    const rights = body['rights'] as readonly { readonly keys: unknown; readonly by: string }[]
    assert.deepEqual(
      rights.filter(({ by }) => by === 'vars.policy.destinations').map(({ keys }) => keys),
      [['/ec/diss/FOO/', '/ec/diss/SCL/']],
    )
    assert.deepEqual(body['administer'], { allowed: false, by: [] })
    const operator = await look('/api/v1/me', OPERATOR_TOKEN)
    assert.equal((operator.body['administer'] as { readonly allowed: boolean }).allowed, true)
    const nobody = await test.call('/api/v1/me')
    assert.equal(((await nobody.json()) as { readonly user: unknown }).user, null)
    assert.equal((await look('/api/v1/me', 'nonsense')).status, 401)
    for (const authorization of ['Token abc', JOE_TOKEN, 'Bearer'])
      assert.equal((await test.call('/api/v1/me', { headers: { authorization } })).status, 401, authorization)
  })

  it('explain: counts what the listener may see alone, and says what policy cuts', async () => {
    const ask = async (destination: string): Promise<Record<string, unknown>> => {
      const body = { event_type: 'dissemination', identifier: { destination: [destination, 'BAR'] } }
      const response = await test.post('/api/v1/explain', body, bearer(JOE_TOKEN))
      const { listeners } = (await response.json()) as {
        readonly listeners: readonly Record<string, unknown>[]
      }
      return listeners[0] ?? {}
    }
    const part = await ask('FOO')
    assert.deepEqual(part['policy'], { visible: 'part', cut: ['/ec/diss/BAR/'] })
    assert.equal(part['matched'], 2)
    const none = await ask('BAR')
    assert.deepEqual([none['policy'], none['matched']], [{ visible: 'none', cut: ['/ec/diss/BAR/'] }, 0])
    assert.doesNotMatch(JSON.stringify([part, none]), /dissemination@2/)
  })

  it('streams: for operators alone', async () => {
    const watch = await test.call('/api/v1/watch?event=dissemination&destination=FOO', {
      headers: bearer(JOE_TOKEN),
    })
    const { body } = await look('/api/v1/admin/streams?who=joe', OPERATOR_TOKEN)
    const [stream, ...others] = body['streams'] as readonly { readonly id: string; readonly who: string }[]
    assert.deepEqual([stream?.who, others.length], ['joe', 0])
    const path = `/api/v1/admin/streams/${stream?.id}`
    assert.equal((await look('/api/v1/admin/streams', JOE_TOKEN)).status, 403)
    assert.equal((await test.call(path, { method: 'DELETE', headers: bearer(JOE_TOKEN) })).status, 403)
    assert.equal((await test.call(path, { method: 'DELETE' })).status, 401)
    const ended = await test.call(path, { method: 'DELETE', headers: bearer(OPERATOR_TOKEN) })
    assert.equal(ended.status, 200)
    await watch.body?.cancel()
  })
})

describe('looking, where things fail', () => {
  it('says that rights may be missing while the list of destinations cannot be had', async () => {
    const test = await startIdentitySystem()
    try {
      await test.standIns.ecpds.misbehave('status_500')
      const response = await test.call('/api/v1/me', { headers: bearer(JOE_TOKEN) })
      const me = (await response.json()) as { readonly incomplete?: boolean; readonly user: object | null }
      assert.deepEqual([response.status, me.incomplete, me.user === null], [200, true, false])
      // Nothing is shown on no verdict.
      const events = await test.call('/api/v1/events?event=dissemination', { headers: bearer(JOE_TOKEN) })
      assert.equal(events.status, 503)
    } finally {
      await test.close()
    }
  })

  it('counts what pages read in the quota', async () => {
    const readsPerPrincipal = { perSecond: 0.01, burst: 2 }
    const test = await startIdentitySystem({ vars: { quota: { readsPerPrincipal } } })
    try {
      for (let step = 1; step <= 30; step++) await test.publish('FOO', step)
      const page = '/api/v1/notifications?event=dissemination&destination=FOO'
      const first = await test.call(page, { headers: bearer(JOE_TOKEN) })
      assert.deepEqual([first.status, first.headers.has('ratelimit')], [200, true])
      assert.equal((await test.call(page, { headers: bearer(JOE_TOKEN) })).status, 429)
      assert.equal((await test.call('/api/v1/events', { headers: bearer(JOE_TOKEN) })).status, 429)
    } finally {
      await test.close()
    }
  })
})

/** A member of `events`. */
interface Described {
  readonly event_type: string
  readonly whole: boolean
  readonly last: { readonly id: string } | null
  readonly looked: number
  readonly fields: Readonly<Record<string, { readonly values: readonly { value: string; count: number }[] }>>
}
