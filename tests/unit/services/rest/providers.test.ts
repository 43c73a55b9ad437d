import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createProviderAuthoriser } from '#services/rest/providers.ts'
import { silentAudit, type AuditRecord } from '#shared/access/audit/audit.ts'
import { AvisoError } from '#shared/errors.ts'
import { createCounters } from '#shared/access/identity/counters.ts'
import type { Identity } from '#shared/access/identity/identity.ts'
import { createAccessControl } from '#shared/access/policy/access_control.ts'
import { createPolicy } from '#shared/access/policy/policy.ts'
import type { Requester } from '#shared/access/policy/requester.ts'
import { createManualClock } from '../../../support/clock.ts'

const KEYS = { stem: '/ec/mars/d=1', base: '/ec/mars/', request: {} }

function requesterOf(username: string | undefined): Requester {
  const identity: Identity | undefined =
    username === undefined ? undefined : { provider: 'p', realm: 'r', username, roles: [], claims: {} }
  const requester: Requester = {
    name: username ?? 'anonymous',
    identity,
    standing: { endsAt: undefined, validUntil: Infinity },
    again: () => Promise.resolve(requester),
    refusal: () => new AvisoError(identity === undefined ? 'ERR_UNAUTHENTICATED' : 'ERR_FORBIDDEN', 'No'),
  }
  return requester
}

function setUp() {
  const clock = createManualClock()
  const records: AuditRecord[] = []
  const published: string[] = []
  const rules = [{ realm: 'r', users: ['joe'], publish: [{ event: 'mars' }] }]
  const policy = createPolicy({
    rules: { public: { listen: [], publish: ['flight'] }, open: [], rules },
    roots: new Map([
      ['mars', '/ec/mars/'],
      ['flight', '/flight/'],
    ]),
    clock,
    count: () => undefined,
  })
  const audit = {
    ...silentAudit,
    record: (record: AuditRecord) => records.push(record),
    published: (who: { username: string } | undefined, event: string) =>
      published.push(`${who?.username} ${event}`),
  }
  const identify = (request: Request): Promise<Requester> =>
    Promise.resolve(requesterOf(request.headers.get('x-user') ?? undefined))
  const access = createAccessControl({ identify, policy: () => policy, audit })
  const counters = createCounters()
  const { count } = counters
  const authoriser = createProviderAuthoriser({ access, clock, count, rate: { perSecond: 2, burst: 3 } })
  const from = (user?: string) =>
    authoriser.authorise(
      new Request('http://aviso.test/', user === undefined ? {} : { headers: { 'x-user': user } }),
    )
  return { clock, counters, records, published, from }
}

describe('createProviderAuthoriser()', () => {
  it('lets each publish what is theirs, and puts it on record', async () => {
    const { published, from } = setUp()
    const [joe, ann, nobody] = [await from('joe'), await from('ann'), await from()]
    joe.requirePublish('mars', KEYS)
    joe.published('mars')
    nobody.requirePublish('flight', KEYS)
    nobody.published('flight')
    assert.throws(() => ann.requirePublish('mars', KEYS), { code: 'ERR_FORBIDDEN' })
    assert.throws(() => nobody.requirePublish('mars', KEYS), { code: 'ERR_UNAUTHENTICATED' })
    assert.deepEqual(published, ['joe mars', 'undefined flight'])
    assert.deepEqual([joe.name, nobody.name], ['joe', 'anonymous'])
  })

  it('answers 429 to an identity that asks too often, and to nobody else', async () => {
    const { clock, counters, records, from } = setUp()
    for (let request = 0; request < 3; request++) await from('joe')
    await assert.rejects(from('joe'), { code: 'ERR_TOO_MANY_REQUESTS', details: { retry_after: 1 } })
    assert.deepEqual(
      records.map(({ action, reason }) => [action, reason]),
      [['refused', 'ERR_TOO_MANY_REQUESTS']],
    )
    assert.equal(counters.values().publishing_limited, 1)
    await from('ann')
    for (let request = 0; request < 10; request++) await from()
    await clock.advance(500)
    await from('joe')
  })
})
