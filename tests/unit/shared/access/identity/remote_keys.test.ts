import assert from 'node:assert/strict'
import { afterEach, before, beforeEach, describe, it } from 'node:test'

import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import type { KeyHint, KeySource } from '#shared/access/identity/key_set.ts'
import { createRemoteKeys } from '#shared/access/identity/remote_keys.ts'
import { silentLogger } from '#shared/logger.ts'
import { MISBEHAVIOURS, startKeySet, type KeySetStandIn } from '../../../../support/auth_servers.ts'
import { createIssuerKey, type IssuerKey } from '../../../../support/tokens.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'
import { realFetch, realParts, whileMisbehaving } from './support.ts'
import { eventually } from '../../../../support/waiting.ts'

const KNOWN: KeyHint = { algorithm: 'ES256', keyId: 'first' }
const NEXT: KeyHint = { algorithm: 'ES256', keyId: 'second' }
const MINUTE = 60_000

describe('createRemoteKeys()', () => {
  let first: IssuerKey
  let second: IssuerKey
  let server: KeySetStandIn
  let clock: ManualClock
  let counters: Counters
  let keys: KeySource

  before(async () => {
    first = await createIssuerKey('first')
    second = await createIssuerKey('second')
  })
  beforeEach(async () => {
    server = await startKeySet([first.publicJwk])
    clock = createManualClock()
    counters = createCounters()
    const random = (): number => 0.999
    const parts = { fetch: realFetch, clock, random, logger: silentLogger, count: counters.count }
    keys = createRemoteKeys(parts, { name: 'test keys', url: `${server.url}/keys` })
  })
  afterEach(() => server.close())

  const fetches = (): number => counters.values().key_set_fetches

  it('fetches nothing before the first token, and once for all who wait', async () => {
    assert.equal(fetches(), 0)
    const found = await Promise.all(Array.from({ length: 50 }, () => keys.find(KNOWN)))
    assert.ok(found.every(([key]) => key instanceof CryptoKey))
    assert.equal(fetches(), 1)
    await clock.advance(9 * MINUTE)
    await keys.find(KNOWN)
    assert.equal(fetches(), 1)
  })

  it('makes at most one fetch of ten thousand made-up key ids', async () => {
    await keys.find(KNOWN)
    await clock.advance(MINUTE)
    const before = fetches()
    for (let attempt = 0; attempt < 10_000; attempt++) {
      assert.deepEqual(await keys.find({ algorithm: 'ES256', keyId: `made up ${attempt}` }), [])
    }
    assert.equal(fetches() - before, 1)
    assert.equal((await keys.find(KNOWN)).length, 1)
  })

  it('finds a new key of the issuer, no sooner than half a minute after the last fetch', async () => {
    await keys.find(KNOWN)
    server.keys = [first.publicJwk, second.publicJwk]
    assert.deepEqual(await keys.find(NEXT), [])
    await clock.advance(30_000)
    assert.equal((await keys.find(NEXT)).length, 1)
    assert.equal(fetches(), 2)
  })

  it('renews keys in the background before they are old, and says when they have changed', async () => {
    await keys.find(KNOWN)
    const version = keys.version()
    await clock.advance(8 * MINUTE)
    assert.equal(keys.version(), version)
    await eventually('it asks again', () => fetches() === 2 && server.seen.length === 2)
    server.keys = [second.publicJwk]
    await clock.advance(10 * MINUTE)
    assert.deepEqual(await keys.find(KNOWN), [], 'a key that was withdrawn')
    assert.equal((await keys.find(NEXT)).length, 1)
    assert.equal(keys.version(), version + 1)
  })

  it('uses old keys while the endpoint is down, for an hour, and asks it seldom', async () => {
    await keys.find(KNOWN)
    await server.misbehave('status_500')
    await clock.advance(11 * MINUTE)
    for (let attempt = 0; attempt < 50; attempt++) assert.equal((await keys.find(KNOWN)).length, 1)
    assert.equal(fetches(), 2, 'one attempt, then a pause')
    for (let second_ = 0; second_ < 120; second_++) {
      await clock.advance(1000)
      await keys.find(KNOWN)
    }
    assert.ok(fetches() <= 10, `${fetches()} fetches in two minutes`)
    await clock.advance(50 * MINUTE)
    await assert.rejects(keys.find(KNOWN), { code: 'ERR_VERDICT_UNAVAILABLE' })
    await server.misbehave(undefined)
    await clock.advance(31_000)
    assert.equal((await keys.find(KNOWN)).length, 1)
  })

  it('does not say that a key is unknown while the endpoint that may know it is down', async () => {
    await keys.find(KNOWN)
    await server.misbehave('refuse')
    await clock.advance(MINUTE)
    await assert.rejects(keys.find(NEXT), { code: 'ERR_VERDICT_UNAVAILABLE' })
    await assert.rejects(keys.find(NEXT), { code: 'ERR_VERDICT_UNAVAILABLE' })
    assert.equal((await keys.find(KNOWN)).length, 1)
    assert.equal(fetches(), 2)
  })

  for (const jumpMs of [-86_400_000, 86_400_000]) {
    it(`asks again by the time that passes, where the date jumps by ${jumpMs} ms`, async () => {
      await keys.find(KNOWN)
      clock.jump(jumpMs)
      server.keys = [second.publicJwk]
      assert.deepEqual(await keys.find(NEXT), [])
      await clock.advance(30_000)
      assert.equal((await keys.find(NEXT)).length, 1)
      await server.misbehave('status_500')
      await clock.advance(MINUTE)
      await assert.rejects(keys.find(KNOWN), { code: 'ERR_VERDICT_UNAVAILABLE' })
      await server.misbehave(undefined)
      clock.jump(jumpMs)
      await assert.rejects(keys.find(KNOWN), { code: 'ERR_VERDICT_UNAVAILABLE' }, 'the pause goes on')
      await clock.advance(1000)
      assert.deepEqual(await keys.find(KNOWN), [])
    })
  }

  it('has no keys from an endpoint that misbehaves in any way, within its time, and remembers none', async () => {
    for (const how of MISBEHAVIOURS) {
      const parts = { ...realParts(), random: () => 0.5 }
      const source = { name: 'test keys', url: `${server.url}/keys`, limits: { timeoutMs: 300 } }
      const fresh = createRemoteKeys(parts, source)
      await whileMisbehaving(server, { how, clock: parts.clock, limitMs: 300 }, () =>
        assert.rejects(fresh.find(KNOWN), { code: 'ERR_VERDICT_UNAVAILABLE' }, how),
      )
      assert.equal(parts.counters.values().dependency_failures, 1, how)
      assert.doesNotMatch(parts.lines.join(), /127\.0\.0\.1|Something went wrong/, how)
    }
    assert.ok(!server.seen.some(({ target }) => target !== '/keys'), 'a redirect was followed')
  })
})
