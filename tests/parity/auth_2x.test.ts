/**
 * Aviso 2.x's authentication and its ECPDS plug-in, by the numbers of its conformance cases H and I, as far as they are seen from outside.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { JOE_TOKEN, OPERATOR_TOKEN, PROVIDER_TOKEN } from '../support/auth_servers_system.ts'
import { CANARY, claimsOf, secondsAt, signToken } from '../support/tokens.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from '../service/identity_fixture.ts'
import { dissemination } from '../support/notifications.ts'

const FLIGHT = { country: 'Italy', airport: 'fco', date: '20260810', number: 'AZ1' }

describe('aviso 2.x, authentication', () => {
  let test: IdentitySystem

  before(async () => {
    test = await startIdentitySystem()
    await test.publish('SCL', 1)
  })
  after(() => test.close())

  type Headers_ = Readonly<Record<string, string>>

  async function watch(event: string, identifier: object, headers: Headers_ = {}): Promise<Response> {
    const response = await test.post('/api/v1/watch', { event_type: event, identifier }, headers)
    if (response.status === 200) await response.body?.cancel()
    return response
  }
  const listens = async (headers?: Headers_, destination = 'SCL'): Promise<number> =>
    (await watch('dissemination', { destination }, headers)).status
  const notifies = async (event: string, identifier: object, headers: Headers_ = {}): Promise<number> =>
    (await test.post('/api/v1/notification', { event_type: event, identifier, payload: 'x' }, headers)).status

  it('H1: a protected stream without credentials', async () => {
    const response = await watch('dissemination', { destination: 'SCL' })
    const body = (await response.json()) as { code: string; error: string }
    assert.deepEqual([response.status, body.code, body.error], [401, 'UNAUTHORIZED', 'unauthorized'])
    const challenge = response.headers.get('www-authenticate') ?? ''
    assert.match(challenge, /Bearer realm=/)
    assert.match(challenge, /Basic realm=/)
  })

  it('H3, H5, I1: reading by right, live and from the past', async () => {
    assert.equal(await listens(bearer(JOE_TOKEN)), 200)
    const replay = { event_type: 'dissemination', identifier: { destination: 'SCL' }, from_id: '1' }
    const response = await test.post('/api/v1/replay', replay, bearer(JOE_TOKEN))
    assert.equal(response.status, 200)
    assert.match(await response.text(), /"destination":"SCL"/)
  })

  it('H4, I2: reading without the right', async () => {
    assert.equal(await listens(bearer(JOE_TOKEN), 'BAR'), 403)
    assert.equal(await listens(bearer(PROVIDER_TOKEN)), 403)
  })

  it('H6: a public event type, anonymous', async () => {
    assert.equal((await watch('flight', FLIGHT)).status, 200)
    assert.equal(await notifies('flight', FLIGHT), 200)
  })

  it('H7, H8: publishing', async () => {
    const own = dissemination('SCL', 2)
    assert.equal(await notifies('dissemination', own), 401)
    assert.equal(await notifies('dissemination', own, bearer(JOE_TOKEN)), 403)
    assert.equal(await notifies('dissemination', own, bearer(PROVIDER_TOKEN)), 200)
    assert.equal(await notifies('dissemination', dissemination('BAR', 2), bearer(PROVIDER_TOKEN)), 403)
    assert.equal(await notifies('dissemination', dissemination('BAR', 2), bearer(OPERATOR_TOKEN)), 200)
  })

  it('H9: Basic', async () => {
    assert.equal(await listens({ authorization: `Basic ${btoa(`joe:${CANARY}-joe-password`)}` }), 200)
    assert.equal(await listens({ authorization: `Basic ${btoa(`joe:${CANARY}-wrong`)}` }), 401)
  })

  it('H11, H18: tokens that do not hold, also on a public stream', async () => {
    const { issuerKey } = test.standIns
    const now = Date.now()
    const right = await signToken(issuerKey, claimsOf('olga', now, { destinations: ['SCL'] }))
    assert.equal(await listens(bearer(right)), 200)
    const wrong = [
      await signToken(issuerKey, claimsOf('olga', now, { exp: secondsAt(now) - 120 })),
      await signToken(issuerKey, claimsOf('olga', now, { aud: 'other' })),
      `${right.slice(0, -8)}AAAAAAAA`,
    ]
    for (const token of wrong) {
      assert.equal(await listens(bearer(token)), 401)
      assert.equal((await watch('flight', FLIGHT, bearer(token))).status, 401)
      assert.equal(await notifies('flight', FLIGHT, bearer(token)), 401)
    }
  })

  it('H12: the authentication server is down', async () => {
    await test.standIns.authOTron.misbehave('status_500')
    const response = await watch('flight', FLIGHT, bearer(`${CANARY}-unseen`))
    assert.equal(response.status, 503)
    assert.equal(((await response.json()) as { code: string }).code, 'SERVICE_UNAVAILABLE')
    assert.equal((await watch('flight', FLIGHT)).status, 200)
    await test.standIns.authOTron.misbehave(undefined)
  })

  it('H13: administering', async () => {
    const clean = (headers: Headers_ = {}): Promise<Response> =>
      test.post('/api/v1/admin/clean?dry_run=true', {}, headers)
    assert.equal((await clean()).status, 401)
    assert.equal((await clean(bearer(JOE_TOKEN))).status, 403)
    assert.equal((await clean(bearer(PROVIDER_TOKEN))).status, 403)
    const allowed = await clean(bearer(OPERATOR_TOKEN))
    assert.ok(![401, 403].includes(allowed.status), String(allowed.status))
    await allowed.body?.cancel()
  })

  it('H14: a malformed header', async () => {
    const malformed = { authorization: 'nonsense' }
    assert.equal((await watch('flight', FLIGHT, malformed)).status, 200)
    assert.equal((await test.post('/api/v1/admin/clean', {}, malformed)).status, 401)
    assert.equal((await test.call('/api/v1/schema', { headers: malformed })).status, 200)
    assert.equal(await listens(malformed), 401)
  })

  it('H16: the same role in another realm', async () => {
    const token = await signToken(
      test.standIns.issuerKey,
      claimsOf('eve', Date.now(), { roles: ['operator'] }),
    )
    assert.equal(await listens(bearer(token)), 403)
    assert.equal((await test.post('/api/v1/admin/clean', {}, bearer(token))).status, 403)
  })

  it('bad requests come before rights, wrong credentials before bad requests', async () => {
    assert.equal((await test.post('/api/v1/watch', '{', {})).status, 400)
    assert.equal((await test.post('/api/v1/watch', { event_type: 'nosuch', identifier: {} }, {})).status, 400)
    assert.equal((await test.post('/api/v1/watch', '{', bearer(`${CANARY}-wrong`))).status, 401)
    assert.equal((await test.post('/api/v1/notification', '{', bearer(`${CANARY}-wrong`))).status, 401)
  })

  it('I3: who may everything costs ECPDS nothing', async () => {
    const before = test.standIns.ecpds.seen.length
    assert.equal(await listens(bearer(OPERATOR_TOKEN), 'BAR'), 200)
    assert.equal(test.standIns.ecpds.seen.length, before)
  })

  it('I11: a destination that is not active', async () => {
    test.standIns.authOTron.users.set(`Bearer ${CANARY}-pat`, { username: 'pat' })
    test.standIns.ecpds.users.set('pat', [{ name: 'SCL', active: false }, { active: true }])
    assert.equal(await listens(bearer(`${CANARY}-pat`)), 403)
  })

  it('a batch is stored as a whole or not at all, whoever may publish some of it', async () => {
    const item = (destination: string): object => ({
      event_type: 'dissemination',
      identifier: dissemination(destination, 9),
      payload: 'x',
    })
    const headers = { ...bearer(PROVIDER_TOKEN), 'content-type': 'application/json' }
    const mixed = await test.post('/api/v1/notification', [item('SCL'), item('BAR')], headers)
    assert.equal(mixed.status, 403)
    const { results } = (await mixed.json()) as { results: readonly { index: number; status: number }[] }
    assert.deepEqual(
      results.map(({ index, status }) => [index, status]),
      [[1, 403]],
    )
    const lines = `${JSON.stringify(item('SCL'))}\n${JSON.stringify(item('BAR'))}\n`
    const stream = await test.post('/api/v1/notification', lines, {
      ...bearer(PROVIDER_TOKEN),
      'content-type': 'application/x-ndjson',
    })
    const statuses = (await stream.text())
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { status: number }).status)
    assert.deepEqual(statuses, [200, 403])
  })

  it('puts on record who opened, published, administered and was refused', async () => {
    await listens(bearer(JOE_TOKEN))
    const records = await test.audited()
    const has = (action: string, user: string | undefined): boolean =>
      records.some((record) => record['action'] === action && record['user'] === user)
    assert.ok(has('opened', 'joe') && has('closed', 'joe') && has('refused', 'joe'))
    assert.ok(has('published', 'provider') && has('published', 'operator') && has('published', undefined))
    assert.ok(has('administered', 'operator') && has('refused', undefined))
  })
})
