import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createRunsClaim } from '#services/runs/claim.ts'
import { RUNS_LIMITS } from '#services/runs/limits.ts'
import { createManualClock } from '../../../support/clock.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'

const openStore = createMemoryStores()

describe('createRunsClaim()', () => {
  it('waits until the claim of another instance is abandoned', async () => {
    const clock = createManualClock()
    const store = openStore()
    const first = createRunsClaim({ store, clock, holder: 'first', isAlone: false })
    const second = createRunsClaim({ store, clock, holder: 'second', isAlone: false })
    await first.renew()
    await second.renew()
    assert.deepEqual([first.fence() !== undefined, second.fence()], [true, undefined])
    await clock.advance(RUNS_LIMITS.abandonedMs - 1)
    await second.renew()
    assert.equal(second.fence(), undefined)
    await clock.advance(1)
    await second.renew()
    assert.ok(second.fence() !== undefined)
  })

  it('takes what a process left that has ended at once, where no other can have the store, and once', async () => {
    const clock = createManualClock()
    const store = openStore()
    const first = createRunsClaim({ store, clock, holder: 'first', isAlone: true })
    await first.renew()
    const second = createRunsClaim({ store, clock, holder: 'second', isAlone: true })
    await second.renew()
    assert.ok(second.fence() !== undefined)
    // The services of a process are made anew when its schema changes: the old ones must not take it back.
    await first.renew()
    await first.renew()
    assert.equal(first.fence(), undefined)
    await second.renew()
    assert.ok(second.fence() !== undefined)
  })
})
