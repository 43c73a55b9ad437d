import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { readOrCreateEpoch, renewEpoch } from '#shared/journal/epoch.ts'
import { EPOCH_KEY, MIGRATION_UNDER_WAY } from '#shared/store/epoch_key.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

describe('readOrCreateEpoch()', () => {
  it('writes the epoch once and reads it from then on', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const first = await readOrCreateEpoch(store, () => 'one')
    assert.equal(first.epoch, 'one')
    assert.deepEqual(await readOrCreateEpoch(store, () => 'two'), first)
    assert.equal((await store.range({ key: toBytes(EPOCH_KEY) })).kvs[0]?.modRevision, first.revision)
  })

  it('takes the winner of a race', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const late: Store = {
      ...store,
      txn: async (request) => {
        await readOrCreateEpoch(store, () => 'winner')
        return store.txn(request)
      },
    }
    assert.deepEqual(await readOrCreateEpoch(late, () => 'loser'), await readOrCreateEpoch(store, () => 'x'))
    assert.equal((await readOrCreateEpoch(store, () => 'x')).epoch, 'winner')
  })

  it('refuses the target of a migration that did not end, and says what to do', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const put = { kind: 'put', key: toBytes(EPOCH_KEY), value: toBytes(MIGRATION_UNDER_WAY) } as const
    await store.txn({ compare: [], success: [put] })
    await assert.rejects(
      readOrCreateEpoch(store, () => 'x'),
      (error) =>
        isAvisoError(error, 'ERR_STORE_PROTOCOL') && /empty the store and migrate again/.test(error.message),
    )
  })

  it('refuses a value that would break cursors', async () => {
    for (const value of ['', 'a.b', 'x'.repeat(65)]) {
      const store = createMemoryStore({ clock: systemClock })
      await store.txn({
        compare: [],
        success: [{ kind: 'put', key: toBytes(EPOCH_KEY), value: toBytes(value) }],
      })
      await assert.rejects(
        readOrCreateEpoch(store, () => 'x'),
        (error) => isAvisoError(error, 'ERR_STORE_PROTOCOL'),
      )
    }
  })
})

describe('renewEpoch()', () => {
  it('replaces the epoch that was lost, once for all who noticed', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const { epoch: lost, isRenewed } = await readOrCreateEpoch(store, () => 'one')
    assert.equal(isRenewed, false)
    const noticed = await Promise.all(['two', 'three'].map((name) => renewEpoch(store, lost, () => name)))
    assert.deepEqual(noticed[0], noticed[1])
    assert.equal(noticed[0]?.isRenewed, true)
    assert.deepEqual(await renewEpoch(store, lost, () => 'four'), noticed[0])
    assert.deepEqual(await readOrCreateEpoch(store, () => 'five'), noticed[0])
  })

  it('marks the first epoch of a store that was wiped', async () => {
    const store = createMemoryStore({ clock: systemClock })
    assert.deepEqual(await renewEpoch(store, 'lost', () => 'one'), {
      epoch: 'r-one',
      revision: 2n,
      isRenewed: true,
    })
  })
})
