import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createCounters } from '#shared/access/identity/counters.ts'
import { createListeningLimits } from '#shared/access/listening_limits.ts'
import { createQuotas } from '#shared/access/quota/quotas.ts'
import type { Requester } from '#shared/access/policy/requester.ts'
import { createManualClock } from '../../../support/clock.ts'
import { createMemoryAudit, identityOf, NO_PUBLISHING, policyOf, requesterOf } from './support.ts'

const ORDINARY = { isRelay: false }
const nobodyAt = (address: string): Requester => requesterOf(undefined, Infinity, { address })
const user = (name: string): Requester => requesterOf(identityOf(name), Infinity, { address: '192.0.2.1' })

function setUp({ streams = 100, perAddress = 3 } = {}) {
  const clock = createManualClock()
  const audit = createMemoryAudit()
  const counters = createCounters()
  const rate = { perSecond: 1, burst: 1000 }
  const policy = policyOf([{ realm: 'r', users: ['ops'], admin: true }])
  const quota = {
    perIdentity: { streams: 1000, opens: rate, reads: { perSecond: 1, burst: 10 } },
    perAddress: { streams: perAddress, opens: rate, reads: { perSecond: 1, burst: 5 } },
    streams,
    reserves: { identities: 40, relays: 10 },
  }
  const limits = createListeningLimits({
    policy: () => policy,
    audit,
    count: counters.count,
    quota,
    quotas: createQuotas(clock, { listening: quota, publishing: NO_PUBLISHING }),
  })
  /** How many of so many streams a requester gets. */
  const open = async (requester: Requester, times: number, options = ORDINARY): Promise<number> => {
    let taken = 0
    for (let stream = 0; stream < times; stream++) {
      try {
        await limits.takeStream(requester, options)
        taken++
      } catch {
        return taken
      }
    }
    return taken
  }
  return { limits, clock, audit, counters, open }
}

describe('createListeningLimits()', () => {
  it('gives an address so many streams without an identity, and its neighbours in IPv6 none besides', async () => {
    const { limits, audit, counters, open } = setUp()
    assert.equal(await open(nobodyAt('2001:db8::1'), 10), 3)
    await assert.rejects(limits.takeStream(nobodyAt('2001:db8::2'), ORDINARY), {
      code: 'ERR_TOO_MANY_REQUESTS',
    })
    assert.equal(await open(nobodyAt('192.0.2.1'), 10), 3)
    assert.equal(counters.values().address_streams_limited, 3)
    assert.deepEqual(audit.records.map(({ reason, address }) => [reason, address]).slice(0, 2), [
      ['ERR_TOO_MANY_REQUESTS', '2001:db8::1'],
      ['ERR_TOO_MANY_REQUESTS', '2001:db8::2'],
    ])
  })

  it('keeps streams for identities, and for relays and administrators, whatever the nameless take', async () => {
    const { limits, counters, open } = setUp({ streams: 100, perAddress: 2 })
    const nameless: number[] = []
    for (let index = 0; index < 100; index++) nameless.push(await open(nobodyAt(`192.0.2.${index}`), 2))
    assert.equal(
      nameless.reduce((sum, count) => sum + count),
      50,
    )
    await assert.rejects(limits.takeStream(nobodyAt('198.51.100.1'), ORDINARY), { code: 'ERR_OVERLOADED' })
    assert.equal(await open(user('joe'), 1000), 40)
    await assert.rejects(limits.takeStream(user('ann'), ORDINARY), { code: 'ERR_OVERLOADED' })
    assert.equal(await open(user('ops'), 5), 5)
    assert.equal(await open(user('relay'), 5, { isRelay: true }), 5)
    const { nameless_share_full: full, identity_share_full: identities } = counters.values()
    assert.ok(full > 0 && identities > 0)
  })

  it('gives the stream of an address back where its share is used up', async () => {
    const { limits, open } = setUp({ streams: 2, perAddress: 1 })
    const back = await limits.takeStream(nobodyAt('192.0.2.1'), ORDINARY)
    assert.equal(await open(nobodyAt('192.0.2.1'), 1), 0)
    back()
    assert.equal(await open(nobodyAt('192.0.2.1'), 1), 1)
  })

  it('has no limit for an address that is not known, because all of these would share it', async () => {
    const { open } = setUp()
    assert.equal(await open(requesterOf(undefined), 1000), 50)
  })

  it('counts what reads cost, not how many there are', async () => {
    const { limits, clock, counters } = setUp()
    const read = async (requester: Requester, keys: number): Promise<void> => {
      const charge = await limits.takeRead(requester, ORDINARY)
      charge({ reads: 1, keys, bytes: keys * 100 })
    }
    for (let poll = 0; poll < 40; poll++) await read(user('joe'), 0)
    for (let poll = 0; poll < 90; poll++) await read(user('ann'), 0)
    // More than is left is read, and then waited for: 10 + 6.1 + 0.1 units, of which 6 are there.
    await read(user('joe'), 1000)
    await assert.rejects(limits.takeRead(user('joe'), ORDINARY), {
      code: 'ERR_TOO_MANY_REQUESTS',
      details: { retry_after: 12, limit: 'vars.quota.readsPerPrincipal' },
    })
    await read(nobodyAt('192.0.2.1'), 1000)
    await assert.rejects(limits.takeRead(nobodyAt('192.0.2.1'), ORDINARY), { code: 'ERR_TOO_MANY_REQUESTS' })
    assert.deepEqual([counters.values().reads_limited, counters.values().address_reads_limited], [1, 1])
    await clock.advance(12_000)
    await read(user('joe'), 0)
  })

  it('bounds reads that are under way at the same time', async () => {
    const { limits } = setUp()
    for (let read = 0; read < 10; read++) await limits.takeRead(user('joe'), ORDINARY)
    await assert.rejects(limits.takeRead(user('joe'), ORDINARY), { code: 'ERR_TOO_MANY_REQUESTS' })
    for (let read = 0; read < 100; read++) await limits.takeRead(user('relay'), { isRelay: true })
  })
})
