import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createCounters } from '#shared/access/identity/counters.ts'
import { createPublishing } from '#shared/access/publishing.ts'
import { createManualClock } from '../../../support/clock.ts'
import { createMemoryAudit, identifyByHeader, policyOf } from './support.ts'

const KEY = '/ec/mars/d=1'

function setUp() {
  const clock = createManualClock()
  const audit = createMemoryAudit()
  const policy = policyOf([{ realm: 'r', users: ['joe'], publish: [{ event: 'mars' }] }], ['flight'])
  const counters = createCounters()
  const forPublishing = createPublishing({
    identify: identifyByHeader,
    policy: () => policy,
    audit,
    clock,
    count: counters.count,
    quota: { perSecond: 2, burst: 3 },
  })
  const from = (user?: string) =>
    forPublishing(
      new Request('http://aviso.test/', user === undefined ? {} : { headers: { 'x-user': user } }),
    )
  return { clock, counters, audit, from }
}

describe('createPublishing()', () => {
  it('lets each publish what is theirs, and puts it on record', async () => {
    const { audit, from } = setUp()
    const [joe, ann, nobody] = [await from('joe'), await from('ann'), await from()]
    joe.requirePublish('mars', KEY)
    joe.published('mars')
    nobody.requirePublish('flight', KEY)
    nobody.published('flight')
    assert.throws(() => ann.requirePublish('mars', KEY), { code: 'ERR_FORBIDDEN' })
    assert.throws(() => nobody.requirePublish('mars', KEY), { code: 'ERR_UNAUTHENTICATED' })
    assert.deepEqual(audit.publications, ['joe mars', 'undefined flight'])
  })

  it('puts refusals on record', async () => {
    const { audit, from } = setUp()
    const joe = await from('joe')
    joe.requirePublish('mars', '/ec/mars/x')
    assert.deepEqual(audit.records, [])
    assert.throws(() => joe.requirePublish('diss', '/ec/diss/x'), { code: 'ERR_FORBIDDEN' })
    assert.deepEqual(audit.records, [
      {
        action: 'refused',
        who: { provider: 'p', realm: 'r', username: 'joe' },
        reason: 'ERR_FORBIDDEN',
        event: 'diss',
        keys: ['/ec/diss/x'],
      },
    ])
  })

  it('answers 429 to an identity that asks too often, and to nobody else', async () => {
    const { clock, counters, audit, from } = setUp()
    for (let request = 0; request < 3; request++) await from('joe')
    await assert.rejects(from('joe'), { code: 'ERR_TOO_MANY_REQUESTS', details: { retry_after: 1 } })
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
