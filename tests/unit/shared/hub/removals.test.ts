import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { openRemovals } from '#shared/hub/removals.ts'
import { encodeRemoved, forgetCompacted, parseRemoved, removedKey } from '#shared/journal/removed.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { eventually } from '../../../support/waiting.ts'

const removed = { wipedThrough: 5n, ids: new Map([[7n, 2n ** 60n]]) }

async function put(store: Store, event: string, value: Uint8Array): Promise<void> {
  await store.txn({ compare: [], success: [{ kind: 'put', key: toBytes(removedKey(event)), value }] })
}

describe('parseRemoved()', () => {
  it('reads back what encodeRemoved() writes', () => {
    assert.deepEqual(parseRemoved(encodeRemoved(removed), 'mars'), removed)
  })
  for (const text of [
    '',
    'null',
    '{}',
    '{"version":2,"wiped_through":"1","ids":[]}',
    '{"version":1,"wiped_through":1,"ids":[]}',
    '{"version":1,"wiped_through":"1"}',
    '{"version":1,"wiped_through":"1","ids":[["1"]]}',
    '{"version":1,"wiped_through":"1","ids":[[1,2]]}',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseRemoved(toBytes(text), 'mars'),
        (error) => isAvisoError(error, 'ERR_STORE_PROTOCOL'),
      )
    })
})

describe('forgetCompacted()', () => {
  it('forgets notifications that history no longer holds, or that were wiped since', () => {
    const ids = new Map([
      [1n, 10n],
      [2n, 20n],
      [3n, 30n],
    ])
    assert.deepEqual([...forgetCompacted({ wipedThrough: 0n, ids }, 20n).ids.keys()], [2n, 3n])
    assert.deepEqual([...forgetCompacted({ wipedThrough: 20n, ids }, 0n).ids.keys()], [3n])
  })
})

describe('openRemovals()', () => {
  it('knows what is removed, and learns what will be', async () => {
    const store = createMemoryStore({ clock: systemClock })
    await put(store, 'mars', encodeRemoved(removed))
    let logged = 0
    const removals = await openRemovals({
      store,
      clock: systemClock,
      random: () => 'random',
      logger: (level) => void (level === 'error' && logged++),
    })
    const { isRemoved } = removals
    assert.ok(isRemoved({ event: 'mars', revision: 5n }))
    assert.ok(!isRemoved({ event: 'mars', revision: 6n }))
    assert.ok(isRemoved({ event: 'mars', revision: 6n, sequence: 7n }))
    assert.ok(!isRemoved({ event: 'flight', revision: 1n, sequence: 7n }))
    await put(store, 'flight', encodeRemoved({ wipedThrough: 0n, ids: new Map([[1n, 3n]]) }))
    await eventually('it is removed', () => isRemoved({ event: 'flight', revision: 3n, sequence: 1n }))
    // A document that cannot be read must not bring anything back.
    await put(store, 'mars', toBytes('broken'))
    await eventually('it is logged', () => logged > 0)
    assert.ok(isRemoved({ event: 'mars', revision: 5n }))
    await removals.close()
    await store.close()
  })
  it('catches up after the history it follows was compacted', async () => {
    const inner = createMemoryStore({ clock: systemClock })
    let breaks = 1
    const store: Store = {
      ...inner,
      watch: async function* (request) {
        if (breaks-- > 0) {
          // While the watch is away, something is removed and its history forgotten.
          await put(inner, 'mars', encodeRemoved(removed))
          await put(inner, 'other', encodeRemoved(removed))
          await inner.compact((await inner.status()).revision)
        }
        yield* inner.watch(request)
      },
    }
    const removals = await openRemovals({
      store,
      clock: systemClock,
      random: () => 'random',
      logger: silentLogger,
    })
    await eventually('it is removed', () => removals.isRemoved({ event: 'mars', revision: 5n }))
    await removals.close()
    await inner.close()
  })
})
