import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createCounters } from '#shared/access/identity/counters.ts'
import { createListeningLimits } from '#shared/access/listening_limits.ts'
import type { Requester } from '#shared/access/policy/requester.ts'
import { createManualClock } from '../../../support/clock.ts'
import { createMemoryAudit, identityOf, policyOf, requesterOf } from './support.ts'

const ORDINARY = { isRelay: false }
const nobodyAt = (address: string): Requester => requesterOf(undefined, Infinity, { address })
const user = (name: string): Requester => requesterOf(identityOf(name), Infinity, { address: '192.0.2.1' })

function setUp({ streams = 100, perAddress = 3 } = {}) {
  const clock = createManualClock()
  const audit = createMemoryAudit()
  const counters = createCounters()
  const rate = { perSecond: 1, burst: 1000 }
  const policy = policyOf([{ realm: 'r', users: ['ops'], admin: true }])
  const limits = createListeningLimits({
    policy: () => policy,
    audit,
    clock,
    count: counters.count,
    quota: {
      perIdentity: { streams: 1000, opens: rate, reads: { perSecond: 1, burst: 10 } },
      perAddress: { streams: perAddress, opens: rate, reads: { perSecond: 1, burst: 5 } },
      streams,
      reserves: { identities: 40, relays: 10 },
    },
  })
  /** How many of so many streams a requester gets. */
  const open = (requester: Requester, times: number, options = ORDINARY): number => {
    let taken = 0
    for (let stream = 0; stream < times; stream++) {
      try {
        limits.takeStream(requester, options)
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
  it('gives an address so many streams without an identity, and its neighbours in IPv6 none besides', () => {
    const { limits, audit, counters, open } = setUp()
    assert.equal(open(nobodyAt('2001:db8::1'), 10), 3)
    assert.throws(() => limits.takeStream(nobodyAt('2001:db8::2'), ORDINARY), {
      code: 'ERR_TOO_MANY_REQUESTS',
    })
    assert.equal(open(nobodyAt('192.0.2.1'), 10), 3)
    assert.equal(counters.values().address_streams_limited, 3)
    assert.deepEqual(audit.records.map(({ reason, address }) => [reason, address]).slice(0, 2), [
      ['ERR_TOO_MANY_REQUESTS', '2001:db8::1'],
      ['ERR_TOO_MANY_REQUESTS', '2001:db8::2'],
    ])
  })

  it('keeps streams for identities, and for relays and administrators, whatever the nameless take', () => {
    const { limits, counters, open } = setUp({ streams: 100, perAddress: 2 })
    const nameless = Array.from({ length: 100 }, (_, index) => open(nobodyAt(`192.0.2.${index}`), 2))
    assert.equal(
      nameless.reduce((sum, count) => sum + count),
      50,
    )
    assert.throws(() => limits.takeStream(nobodyAt('198.51.100.1'), ORDINARY), { code: 'ERR_OVERLOADED' })
    assert.equal(open(user('joe'), 1000), 40)
    assert.throws(() => limits.takeStream(user('ann'), ORDINARY), { code: 'ERR_OVERLOADED' })
    assert.equal(open(user('ops'), 5), 5)
    assert.equal(open(user('relay'), 5, { isRelay: true }), 5)
    const { nameless_share_full: full, identity_share_full: identities } = counters.values()
    assert.ok(full > 0 && identities > 0)
  })

  it('gives the stream of an address back where its share is used up', () => {
    const { limits, open } = setUp({ streams: 2, perAddress: 1 })
    const back = limits.takeStream(nobodyAt('192.0.2.1'), ORDINARY)
    assert.equal(open(nobodyAt('192.0.2.1'), 1), 0)
    back()
    assert.equal(open(nobodyAt('192.0.2.1'), 1), 1)
  })

  it('has no limit for an address that is not known, because all of these would share it', () => {
    const { open } = setUp()
    assert.equal(open(requesterOf(undefined), 1000), 50)
  })

  it('counts what reads cost, not how many there are', async () => {
    const { limits, clock, counters } = setUp()
    const read = (requester: Requester, keys: number): void =>
      limits.takeRead(requester, ORDINARY)({ reads: 1, keys, bytes: keys * 100 })
    for (let poll = 0; poll < 40; poll++) read(user('joe'), 0)
    for (let poll = 0; poll < 90; poll++) read(user('ann'), 0)
    // More than is left is read, and then waited for: 10 + 6.1 + 0.1 units, of which 6 are there.
    read(user('joe'), 1000)
    assert.throws(() => limits.takeRead(user('joe'), ORDINARY), {
      code: 'ERR_TOO_MANY_REQUESTS',
      details: { retry_after: 12, limit: 'vars.quota.readsPerPrincipal' },
    })
    read(nobodyAt('192.0.2.1'), 1000)
    assert.throws(() => limits.takeRead(nobodyAt('192.0.2.1'), ORDINARY), { code: 'ERR_TOO_MANY_REQUESTS' })
    assert.deepEqual([counters.values().reads_limited, counters.values().address_reads_limited], [1, 1])
    await clock.advance(12_000)
    read(user('joe'), 0)
  })

  it('bounds reads that are under way at the same time', () => {
    const { limits } = setUp()
    for (let read = 0; read < 10; read++) limits.takeRead(user('joe'), ORDINARY)
    assert.throws(() => limits.takeRead(user('joe'), ORDINARY), { code: 'ERR_TOO_MANY_REQUESTS' })
    for (let read = 0; read < 100; read++) limits.takeRead(user('relay'), { isRelay: true })
  })
})
