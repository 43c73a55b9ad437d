import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { readOrCreateEpoch } from '#shared/journal/epoch.ts'
import { EPOCH_KEY } from '#shared/journal/journal.ts'
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
