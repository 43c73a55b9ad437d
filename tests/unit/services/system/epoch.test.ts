import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { openEpoch, type CurrentEpoch } from '#services/system/epoch.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { createMemoryStore } from '#shared/store/embedded/memory.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock, type Clock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { eventually } from '../../../support/streams.ts'

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

/** Sleeps until it is woken. */
function createStepClock() {
  let asleep = (): void => undefined
  const sleeping = { resolve: (): void => undefined }
  const clock: Clock = {
    ...systemClock,
    sleep: () =>
      new Promise((resolve) => {
        asleep = resolve
        sleeping.resolve()
      }),
  }
  return {
    clock,
    wake: () => asleep(),
    /** Resolves with the next sleep. */
    sleeps: () => new Promise<void>((resolve) => void (sleeping.resolve = resolve)),
  }
}

function knows(epoch: CurrentEpoch, expected: string): boolean {
  try {
    return epoch.current() === expected
  } catch (error) {
    assert.ok(unavailable(error))
    return false
  }
}

function unavailable(error: unknown): boolean {
  return isAvisoError(error, 'ERR_STORE_UNAVAILABLE')
}

describe('openEpoch()', () => {
  it('reads again when the store was replaced, and knows nothing until then', async () => {
    const { store, use } = replaceableStore()
    const { clock, wake, sleeps } = createStepClock()
    let count = 0
    const stop = new AbortController()
    const random = (): string => `epoch-${++count}`
    const epoch = await openEpoch({ store, clock, random, logger: silentLogger, signal: stop.signal })
    assert.equal(epoch.current(), 'epoch-1')
    use(undefined)
    const asleep = sleeps()
    epoch.renew()
    assert.throws(() => epoch.current(), unavailable)
    await asleep
    assert.throws(() => epoch.current(), unavailable)
    epoch.renew()
    use(createMemoryStore({ clock: systemClock }))
    wake()
    await eventually('the new epoch is known', async () => knows(epoch, 'epoch-2'))
    assert.equal(count, 2)
    stop.abort()
  })
})
