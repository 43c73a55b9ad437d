import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { createLeases } from '#shared/publish/leases.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import { createManualClock } from '../../../support/clock.ts'

function setUp(fail = false) {
  const clock = createManualClock()
  const granted: number[] = []
  const store = {
    ...createMemoryStore({ clock }),
    grantLease: async (ttl: number) => {
      if (fail && granted.length === 0) {
        granted.push(0)
        throw new AvisoError('ERR_STORE_UNAVAILABLE', 'down')
      }
      return BigInt(granted.push(ttl))
    },
  }
  const leases = createLeases({ store, clock })
  const pass = (ms: number): void => {
    clock.pass(ms)
    clock.jump(-3_600_000)
  }
  return { leases, granted, pass }
}

describe('createLeases()', () => {
  it('shares long leases for most of a minute, and none ends early or a minute late', async () => {
    const { leases, granted, pass } = setUp()
    assert.equal(await leases.get(600), 1n)
    pass(44_999)
    assert.equal(await leases.get(600), 1n)
    assert.equal(await leases.get(601), 2n)
    pass(1)
    assert.equal(await leases.get(600), 3n)
    assert.ok(granted.every((ttl, index) => ttl >= 645 + (index % 2) && ttl <= 660))
  })

  it('shares short leases for a second', async () => {
    const { leases, granted, pass } = setUp()
    await leases.get(1)
    pass(999)
    await leases.get(1)
    pass(1)
    await leases.get(1)
    assert.deepEqual(granted, [2, 2])
  })

  it('remembers no failure, and nothing once told to forget', async () => {
    const { leases, granted } = setUp(true)
    await assert.rejects(leases.get(5))
    await leases.get(5)
    leases.forget()
    await leases.get(5)
    assert.deepEqual(granted, [0, 6, 6])
  })
})
