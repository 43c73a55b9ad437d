import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createShares, type Tier } from '#shared/access/quota/shares.ts'

describe('createShares()', () => {
  const take = (shares: ReturnType<typeof createShares>, tier: Tier, times: number): number =>
    Array.from({ length: times }, () => shares.take(tier)).filter((back) => back !== undefined).length

  it('keeps streams for identities, and others for relays and administrators', () => {
    const shares = createShares(100, { identities: 40, relays: 10 })
    assert.equal(take(shares, 'nameless', 1000), 50)
    assert.equal(take(shares, 'identified', 1000), 40)
    assert.equal(take(shares, 'privileged', 1000), 10)
  })

  it('lets identities use what the nameless leave, and not the other way round', () => {
    const shares = createShares(100, { identities: 40, relays: 10 })
    assert.equal(take(shares, 'identified', 1000), 90)
    assert.equal(take(shares, 'nameless', 1), 0)
  })

  it('takes each stream back once', () => {
    const shares = createShares(2, { identities: 50, relays: 0 })
    const back = shares.take('nameless')
    assert.equal(shares.take('nameless'), undefined)
    back?.()
    back?.()
    assert.ok(shares.take('nameless') !== undefined)
    assert.equal(shares.take('nameless'), undefined)
  })
})
