/**
 * ECPDS with a configuration of aviso-server 2.x as it is: several event types, several servers, and every outcome. By the numbers of the
 * conformance cases (I, K5).
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'

import {
  active,
  ECPDS_ACCOUNT,
  ECPDS_PASSWORD,
  startEcpds,
  type EcpdsStandIn,
} from '../support/auth_servers.ts'
import { createScaledClock } from '../support/clock.ts'
import {
  proxyToken,
  TRUSTED_PROXY,
  withImported,
  type Claims2x,
  type ImportedSystem,
} from '../support/imported_2x.ts'

const FIELD = '{ type: StringHandler, required: true }'

/** Three event types with destinations: the destination first in keys, elsewhere, and besides roles. */
const SCHEMA = `
notification_schema:
  diss:
    topic: { base: diss, key_order: [destination, class] }
    identifier: { destination: ${FIELD}, class: { type: StringHandler, required: false } }
    auth: { required: true, plugins: [ecpds], write_roles: { localrealm: [producer] } }
  late:
    topic: { base: late, key_order: [class, destination] }
    identifier: { destination: ${FIELD}, class: { type: StringHandler, required: false } }
    auth: { required: true, plugins: [ecpds], write_roles: { localrealm: [producer] } }
  roles:
    topic: { base: roles, key_order: [destination] }
    identifier: { destination: ${FIELD} }
    auth: { required: true, plugins: [ecpds], read_roles: { localrealm: [reader] } }
`

function configOf(servers: readonly string[], more = ''): string {
  return `
application: { host: 127.0.0.1, port: 8000 }
notification_backend: { kind: in_memory }${TRUSTED_PROXY}
ecpds:
  username: ${ECPDS_ACCOUNT}
  password: ${ECPDS_PASSWORD}
  servers: ${JSON.stringify(servers)}
  match_key: destination
${more}${SCHEMA}`
}

describe('ECPDS of 2.x', () => {
  let one: EcpdsStandIn
  let two: EcpdsStandIn

  before(async () => {
    one = await startEcpds({ joe: active('FOO', '1.2.3'), 'u+s er&name': active('FOO'), none: [] })
    two = await startEcpds({ joe: active('FOO', 'BAR') })
  })
  after(() => Promise.all([one.close(), two.close()]))
  beforeEach(async () => {
    for (const server of [one, two]) {
      server.seen.length = 0
      server.raw = undefined
      await server.misbehave(undefined)
    }
  })

  const JOE: Claims2x = { username: 'joe' }
  const READER: Claims2x = { username: 'joe', roles: ['reader'] }
  const ADMIN: Claims2x = { username: 'admin', roles: ['admin'] }

  /** Status of a watch and of a replay, which are the same. */
  async function listens(
    { post }: ImportedSystem,
    who: Claims2x | undefined,
    event_type: string,
    identifier: object = { destination: 'FOO' },
  ): Promise<number> {
    const headers = who === undefined ? {} : await proxyToken(who)
    const ask = async (path: string, more: object): Promise<number> => {
      const response = await post(path, { event_type, identifier, ...more }, headers)
      await response.body?.cancel()
      return response.status
    }
    const [watch, replay] = [await ask('/api/v1/watch', {}), await ask('/api/v1/replay', { from_id: '0' })]
    assert.equal(watch, replay)
    return watch
  }

  /** What the page of metrics says of an outcome. */
  async function counted({ metrics }: ImportedSystem, metric: string, outcome?: string): Promise<number> {
    const label = outcome === undefined ? '' : `\\{outcome="${outcome}"\\}`
    return Number(new RegExp(`^${metric}_total${label} (\\d+)`, 'm').exec(await metrics())?.[1] ?? Number.NaN)
  }

  it('I1, I2, I4: by destination, for each event type that has the plugin', () =>
    withImported(configOf([one.url]), async (system) => {
      for (const event of ['diss', 'late']) {
        assert.equal(await listens(system, JOE, event), 200, event)
        assert.equal(await listens(system, JOE, event, { destination: '1.2.3' }), 200, event)
        assert.equal(await listens(system, JOE, event, { destination: 'FOO', class: 'od' }), 200, event)
        assert.equal(await listens(system, JOE, event, { destination: 'FO' }), 403, event)
        assert.equal(await listens(system, JOE, event, { destination: 'BAR' }), 403, event)
        assert.equal(await listens(system, JOE, event, { destination: '*' }), 403, event)
        assert.equal(await listens(system, { username: 'none' }, event), 403, event)
        assert.equal(await listens(system, undefined, event), 401, event)
      }
      assert.equal(await counted(system, 'aviso_ecpds_access_decisions', 'allow'), 12)
      assert.equal(await counted(system, 'aviso_ecpds_access_decisions', 'deny_destination'), 16)
    }))

  it('asks roles and destinations where the schema asks for both', () =>
    withImported(configOf([one.url]), async (system) => {
      assert.equal(await listens(system, READER, 'roles'), 200)
      assert.equal(await listens(system, READER, 'roles', { destination: 'BAR' }), 403)
      const asked = one.seen.length
      assert.equal(await listens(system, JOE, 'roles'), 403)
      assert.equal(await listens(system, { ...READER, realm: 'other' }, 'roles'), 403)
      assert.equal(one.seen.length, asked, 'a user without the role is not asked about')
    }))

  it('delivers of an event type whose key began with another field what it did before', () =>
    withImported(configOf([one.url]), async (system) => {
      const identifier = { destination: 'FOO', class: 'od' }
      const producer = await proxyToken({ username: 'p', roles: ['producer'] })
      const body = { event_type: 'late', identifier, payload: 1 }
      assert.equal((await system.post('/api/v1/notification', body, producer)).status, 200)
      const asked = { event_type: 'late', identifier: { destination: 'FOO' }, from_id: '0' }
      const text = await (await system.post('/api/v1/replay', asked, await proxyToken(JOE))).text()
      const [, event = '{}'] = /^event: replay\ndata: (.*)$/m.exec(text) ?? []
      const { data } = JSON.parse(event) as { data: { identifier: object } }
      assert.deepEqual(data.identifier, identifier)
    }))

  it('I3, I8: administrators and providers cost ECPDS nothing', () =>
    withImported(configOf([one.url]), async (system) => {
      assert.equal(await listens(system, ADMIN, 'diss', { destination: 'BAR' }), 200)
      for (const who of [ADMIN, { username: 'p', roles: ['producer'] }]) {
        const body = { event_type: 'diss', identifier: { destination: 'X', class: 'od' } }
        const { status } = await system.post('/api/v1/notification', body, await proxyToken(who))
        assert.equal(status, 200)
      }
      assert.equal(one.seen.length, 0)
    }))

  it('I5: no user is let in while all servers fail, and that is not remembered', () =>
    withImported(configOf([one.url, two.url]), async (system) => {
      for (const server of [one, two]) await server.misbehave('status_500')
      assert.equal(await listens(system, JOE, 'diss'), 503)
      assert.equal(await counted(system, 'aviso_ecpds_access_decisions', 'unavailable'), 2)
      for (const server of [one, two]) await server.misbehave(undefined)
      assert.equal(await listens(system, JOE, 'diss'), 200)
    }))

  it('I6: asks once for three requests in turn, and for ten at once', () =>
    withImported(configOf([one.url]), async (system) => {
      const headers = await proxyToken(JOE)
      const body = { event_type: 'diss', identifier: { destination: 'FOO' } }
      const ask = async (): Promise<void> => {
        await (await system.post('/api/v1/watch', body, headers)).body?.cancel()
      }
      await Promise.all(Array.from({ length: 10 }, ask))
      for (let count = 0; count < 3; count++) await ask()
      assert.equal(one.seen.length, 1)
      assert.equal(await counted(system, 'aviso_ecpds_fetch', 'success'), 1)
      assert.match(await system.metrics(), /^aviso_ecpds_cache_size 1(?:\.0)?$/m)
    }))

  it('I7, I13: asks the address of 2.x, below a prefix and with or without a slash at its end', async () => {
    for (const suffix of ['', '/', '/some/prefix', '/some/prefix/'])
      await withImported(configOf([`${one.url}${suffix}`]), async (system) => {
        one.seen.length = 0
        await listens(system, { username: 'u+s er&name' }, 'diss')
        const path = `${suffix.replace(/\/$/, '')}/ecpds/v1/destination/list`
        assert.equal(one.seen[0]?.target, `${path}?id=u%2Bs%20er%26name`)
      })
  })

  it('I9, I10: asks all servers; one that fails counts as the policy of outages says', async () => {
    const rows = [
      ['', 503],
      ['  partial_outage_policy: strict\n', 503],
      ['  partial_outage_policy: any_success\n', 200],
    ] as const
    for (const [policy, status] of rows)
      await withImported(configOf([one.url, two.url], policy), async (system) => {
        assert.equal(await listens(system, JOE, 'diss', { destination: 'BAR' }), 200)
        one.seen.length = 0
        await one.misbehave('status_503')
        two.raw = '{"success":"no"}'
        assert.equal(await listens(system, { username: 'x' }, 'diss'), 503)
        assert.equal(await counted(system, 'aviso_ecpds_fetch', 'invalid_response'), 2, 'the worst')
        two.raw = undefined
        two.users.set('ann', active('FOO'))
        two.seen.length = 0
        assert.equal(await listens(system, { username: 'ann' }, 'diss'), status)
        assert.ok(one.seen.length > 0 && two.seen.length > 0)
        await one.misbehave(undefined)
      })
  })

  it('I11: takes active destinations alone, by the field that is configured', async () => {
    const records = [
      { id: 'FOO', name: 'BAR', active: true },
      { id: 'OFF', name: 'OFF', active: false },
      { active: true },
    ]
    one.raw = JSON.stringify({ destinationList: records, success: 'yes' })
    await withImported(configOf([one.url], '  target_field: id\n'), async (system) => {
      assert.equal(await listens(system, JOE, 'diss', { destination: 'FOO' }), 200)
      for (const destination of ['BAR', 'OFF'])
        assert.equal(await listens(system, JOE, 'diss', { destination }), 403)
    })
  })

  it('I12: names each failure as 2.x does', async () => {
    const clock = createScaledClock(20)
    const rows: readonly (readonly [spoil: () => Promise<void>, outcome: string])[] = [
      [() => Promise.resolve(void (one.raw = '{"success":"no"}')), 'invalid_response'],
      [() => Promise.resolve(void (one.raw = 'not JSON')), 'invalid_response'],
      [() => one.misbehave('status_429'), 'http_4xx'],
      [() => one.misbehave('status_404'), 'http_4xx'],
      [() => one.misbehave('status_500'), 'http_5xx'],
      [() => one.misbehave('refuse'), 'unreachable'],
    ]
    for (const [spoil, outcome] of rows) {
      one.raw = undefined
      await one.misbehave(undefined)
      await spoil()
      await withImported(
        configOf([one.url]),
        async (system) => {
          assert.equal(await listens(system, JOE, 'diss'), 503, outcome)
          assert.ok((await counted(system, 'aviso_ecpds_fetch', outcome)) >= 1, outcome)
        },
        { clock },
      )
    }
    await one.misbehave(undefined)
    one.raw = undefined
    await withImported(configOf([one.url]).replace(ECPDS_PASSWORD, 'wrong'), async (system) => {
      assert.equal(await listens(system, JOE, 'diss'), 503)
      assert.equal(await counted(system, 'aviso_ecpds_fetch', 'http_401'), 2)
    })
  })
})
