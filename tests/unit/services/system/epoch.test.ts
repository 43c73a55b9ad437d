import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { openEpoch } from '#services/system/epoch.ts'
import { isAvisoError } from '#shared/errors.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'

describe('openEpoch()', () => {
  it('knows the epoch of the store, none while the store is being replaced, and then the new one', async () => {
    const epoch = await openEpoch(createMemoryStore({ clock: systemClock }), () => 'first')
    assert.equal(epoch.current(), 'first')
    epoch.change(undefined)
    assert.throws(
      () => epoch.current(),
      (error) => isAvisoError(error, 'ERR_STORE_UNAVAILABLE'),
    )
    epoch.change('second')
    assert.equal(epoch.current(), 'second')
  })
})
