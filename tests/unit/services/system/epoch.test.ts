import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { openEpoch } from '#services/system/epoch.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { createManualClock, settle } from '../../../support/clock.ts'

/** A store that can be replaced under its user, or be away. */
function replaceableStore() {
  let current: Store | undefined = createMemoryStore({ clock: systemClock })
  const away = (): Promise<never> => Promise.reject(new AvisoError('ERR_STORE_UNAVAILABLE', 'away'))
  const store: Store = {
    ...current,
    range: (...parameters) => current?.range(...parameters) ?? away(),
    txn: (...parameters) => current?.txn(...parameters) ?? away(),
  }
  return {
    store,
    use: (next: Store | undefined) => {
      current = next
    },
  }
}

function unavailable(error: unknown): boolean {
  return isAvisoError(error, 'ERR_STORE_UNAVAILABLE')
}

describe('openEpoch()', () => {
  it('reads again when the store was replaced, and knows nothing until then', async () => {
    const { store, use } = replaceableStore()
    const clock = createManualClock()
    let count = 0
    const stop = new AbortController()
    const random = (): string => `epoch-${++count}`
    const epoch = await openEpoch({ store, clock, random, logger: silentLogger, signal: stop.signal })
    assert.equal(epoch.current(), 'epoch-1')
    use(undefined)
    epoch.renew()
    assert.throws(() => epoch.current(), unavailable)
    await settle()
    assert.deepEqual(clock.sleeps, [1000])
    assert.throws(() => epoch.current(), unavailable)
    epoch.renew()
    use(createMemoryStore({ clock: systemClock }))
    await clock.advance(1000)
    assert.equal(epoch.current(), 'epoch-2')
    assert.equal(count, 2)
    stop.abort()
  })
})
