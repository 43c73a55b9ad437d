/**
 * Who goes first where streams and reads are scarce, asked of a whole system.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { JOE_TOKEN, OPERATOR_TOKEN } from '../support/auth_servers_system.ts'
import { flight } from '../support/notifications.ts'
import { BASE_URL } from '../support/system.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'

const RULES = [
  { realm: 'local', roles: ['operator'], listen: 'everything', publish: 'everything', admin: true },
  { realm: 'ecmwf', listen: ['/tmp/aviso/flight/'] },
]
/** Flights are public. */
const POLICY = { public: { listen: ['flight'] }, rules: RULES }

async function withSystem(quota: object, use: (test: IdentitySystem) => Promise<void>): Promise<void> {
  const test = await startIdentitySystem({ vars: { policy: POLICY, quota }, maxStreams: 20 })
  try {
    await use(test)
  } finally {
    await test.close()
  }
}

/** Opens a stream from an address. */
async function statusFrom(
  { system }: IdentitySystem,
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const request = new Request(`${BASE_URL}/api/v1/watch?event=flight`, { headers })
  return (await system.handle(Object.assign(request, { peer: address }))).status
}

describe('the streams of a system with a public event type', () => {
  it('are not all taken by whoever has no identity: identities and administrators still get theirs', () =>
    withSystem({}, async (test) => {
      const statuses: number[] = []
      for (let stream = 0; stream < 12; stream++) statuses.push(await statusFrom(test, '192.0.2.1'))
      assert.deepEqual(statuses, [...Array.from({ length: 10 }, () => 200), 503, 503])
      for (let stream = 0; stream < 8; stream++)
        assert.equal(await statusFrom(test, '192.0.2.1', bearer(JOE_TOKEN)), 200)
      assert.equal(await statusFrom(test, '192.0.2.1', bearer(JOE_TOKEN)), 503)
      assert.equal(await statusFrom(test, '192.0.2.1', bearer(OPERATOR_TOKEN)), 200)
      const metrics = await (await test.call('/metrics')).text()
      assert.match(metrics, /aviso_access_events_total\{event="nameless_share_full"\} 2(?:\.0)?\n/)
      assert.match(metrics, /aviso_access_events_total\{event="identity_share_full"\} 1(?:\.0)?\n/)
    }))

  it('are shared among the nameless by address', () =>
    withSystem({ streamsPerAddress: 2 }, async (test) => {
      for (const [address, status] of [
        ['2001:db8::1', 200],
        ['2001:db8::2', 200],
        ['2001:db8::3', 429],
        ['192.0.2.1', 200],
      ] as const)
        assert.equal(await statusFrom(test, address), status, address)
    }))
})

describe('a stream of a system with identities', () => {
  it('may be read by pages of other origins, without credentials, as in 2.x', () =>
    withSystem({}, async (test) => {
      const stream = await test.call('/api/v1/watch?event=flight')
      assert.equal(stream.headers.get('access-control-allow-origin'), '*')
      await stream.body?.cancel()
    }))
})

describe('GET /api/v1/notifications/{id}/trace', () => {
  it('is inside the quota of reads by what it reads, found or not', () =>
    withSystem({ readsPerPrincipal: { perSecond: 0.01, burst: 3 } }, async (test) => {
      const body = { event_type: 'flight', identifier: flight('AZ1'), payload: 'Landed' }
      const { status } = await test.post('/api/v1/notification', body, bearer(OPERATOR_TOKEN))
      assert.equal(status, 200)
      const trace = async (id: string): Promise<number> =>
        (await test.call(`/api/v1/notifications/${id}/trace`, { headers: bearer(JOE_TOKEN) })).status
      const statuses: number[] = []
      for (let index = 0; index < 20; index++) statuses.push(await trace('flight@1'))
      const served = statuses.indexOf(429)
      // A tenth of a unit for each of the few reads: more than one trace for a unit, and less than ten.
      assert.ok(served > 3 && served < 20, statuses.join())
      assert.equal(await trace('flight@2'), 429)
    }))
})
