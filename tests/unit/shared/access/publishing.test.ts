import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createCounters } from '#shared/access/identity/counters.ts'
import { createPublishing } from '#shared/access/publishing.ts'
import { createQuotas } from '#shared/access/quota/quotas.ts'
import { createManualClock } from '../../../support/clock.ts'
import { createMemoryAudit, NO_LISTENING, identifyByHeader, policyOf } from './support.ts'

const KEY = '/ec/mars/d=1'

function setUp() {
  const clock = createManualClock()
  const audit = createMemoryAudit()
  const policy = policyOf([{ realm: 'r', users: ['joe'], publish: [{ event: 'mars' }] }], ['flight'])
  const counters = createCounters()
  const quota = { perIdentity: { perSecond: 2, burst: 3 }, perAddress: { perSecond: 2, burst: 5 } }
  const forPublishing = createPublishing({
    identify: identifyByHeader,
    policy: () => policy,
    audit,
    count: counters.count,
    quota,
    quotas: createQuotas(clock, { listening: NO_LISTENING, publishing: quota }),
  })
  const from = (user?: string, address = '192.0.2.1') => {
    const headers = { 'x-from': address, ...(user !== undefined && { 'x-user': user }) }
    return forPublishing(new Request('http://aviso.test/', { headers }), 'r-1')
  }
  return { clock, counters, audit, from }
}

describe('createPublishing()', () => {
  it('lets each publish what is theirs', async () => {
    const { from } = setUp()
    const [joe, ann, nobody] = [await from('joe'), await from('ann'), await from()]
    joe.requirePublish('mars', KEY)
    nobody.requirePublish('flight', KEY)
    assert.throws(() => joe.requirePublish('diss', '/ec/diss/x'), { code: 'ERR_FORBIDDEN' })
    assert.throws(() => ann.requirePublish('mars', KEY), { code: 'ERR_FORBIDDEN' })
    assert.throws(() => nobody.requirePublish('mars', KEY), { code: 'ERR_UNAUTHENTICATED' })
  })

  it('puts on record who published what and from where, with one line for each event type and result', async () => {
    const { audit, from } = setUp()
    const joe = await from('joe', '2001:db8::9')
    const published = (sequence: bigint, event = 'mars') =>
      ({ kind: 'published', event, key: `/ec/${event}/${sequence}`, sequence }) as const
    const code = 'ERR_FORBIDDEN'
    joe.record([
      published(11n),
      published(9n),
      published(10n),
      published(14n),
      published(3n, 'flight'),
      { kind: 'refused', code, event: 'diss', key: '/ec/diss/x' },
      { kind: 'refused', code, event: 'diss', key: '/ec/diss/y' },
      { kind: 'refused', code: 'ERR_INVALID_JSON' },
    ])
    const common = {
      who: { provider: 'p', realm: 'r', username: 'joe' },
      address: '2001:db8::9',
      requestId: 'r-1',
    }
    assert.deepEqual(audit.records, [
      {
        ...common,
        action: 'published',
        event: 'mars',
        keys: ['/ec/mars/11', '/ec/mars/9', '/ec/mars/10', '/ec/mars/14'],
        ids: ['mars@9-11', 'mars@14'],
        count: 4,
      },
      {
        ...common,
        action: 'published',
        event: 'flight',
        keys: ['/ec/flight/3'],
        ids: ['flight@3'],
        count: 1,
      },
      {
        ...common,
        action: 'refused',
        event: 'diss',
        keys: ['/ec/diss/x', '/ec/diss/y'],
        reason: code,
        count: 2,
      },
      { ...common, action: 'refused', reason: 'ERR_INVALID_JSON', count: 1 },
    ])
  })

  it('lets an address publish so many notifications without an identity, however few requests they are in', async () => {
    const { clock, counters, from } = setUp()
    const nobody = await from(undefined, '2001:db8::1')
    for (let item = 0; item < 5; item++) nobody.requirePublish('flight', KEY)
    const neighbour = await from(undefined, '2001:db8::2')
    assert.throws(() => neighbour.requirePublish('flight', KEY), {
      code: 'ERR_TOO_MANY_REQUESTS',
      details: { retry_after: 1, limit: 'vars.quota.publishesPerAddress' },
    })
    assert.equal(counters.values().address_publishing_limited, 1)
    const elsewhere = await from(undefined, '2001:db8:0:1::1')
    elsewhere.requirePublish('flight', KEY)
    const joe = await from('joe', '2001:db8::1')
    for (let item = 0; item < 100; item++) joe.requirePublish('mars', KEY)
    await clock.advance(500)
    neighbour.requirePublish('flight', KEY)
  })

  it('answers 429 to an identity that asks too often, and to nobody else', async () => {
    const { clock, counters, audit, from } = setUp()
    for (let request = 0; request < 3; request++) await from('joe')
    await assert.rejects(from('joe'), {
      code: 'ERR_TOO_MANY_REQUESTS',
      details: { retry_after: 1, limit: 'vars.quota.publishesPerPrincipal' },
    })
    assert.deepEqual(
      audit.records.map(({ action, reason }) => [action, reason]),
      [['refused', 'ERR_TOO_MANY_REQUESTS']],
    )
    assert.equal(counters.values().publishing_limited, 1)
    await from('ann')
    for (let request = 0; request < 10; request++) await from()
    await clock.advance(500)
    await from('joe')
  })
})
