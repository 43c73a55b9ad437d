/** What is known and told of runs after the process has ended. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Store } from '#shared/store/store.ts'
import { createManualClock } from '../support/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { createDyingStore, startRunsSystem, withRuns } from './runs_fixture.ts'

describe('the state of runs after a restart', () => {
  it('a restart in the middle changes nothing: each state is told once', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    const kept = { ...store, close: async () => undefined }
    const options = { clock, store: kept }
    await withRuns(async ({ publish, states }) => {
      await publish(0)
      await clock.advance(10_000)
      assert.deepEqual(await states(), ['started'])
    }, options)
    await withRuns(async ({ publish, pass, states, run }) => {
      assert.equal((await run()).received, 1)
      await publish(3)
      await pass()
      assert.deepEqual(await states(), ['started'])
      await publish(6)
      await clock.advance(10_000)
      assert.deepEqual(await states(), ['started', 'complete'])
    }, options)
    await withRuns(async ({ states, run }) => {
      await clock.advance(10_000)
      assert.deepEqual(await states(), ['started', 'complete'])
      assert.equal((await run()).state, 'complete')
    }, options)
    await store.close()
  })

  it('a start reads only what came since: open runs are stored at the end, and what was removed meanwhile is missing', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    const froms: bigint[] = []
    const kept: Store = {
      ...store,
      watch: (request) => {
        if (request.from !== undefined) froms.push(request.from)
        return store.watch(request)
      },
      close: async () => undefined,
    }
    const services = ['rest', 'auth', 'admin', 'runs'] as const
    await withRuns(
      async ({ publish, pass }) => {
        for (const step of [0, 3]) await publish(step)
        await pass()
      },
      { clock, store: kept, services },
    )
    const { revision } = await store.range({ key: new Uint8Array([1]) })
    await withRuns(
      async ({ publish, call }) => {
        const response = await call('/api/v1/admin/notification/mars@2', { method: 'DELETE' })
        assert.equal(response.status, 200, await response.text())
        await publish(3)
        const again = await call('/api/v1/admin/notification/mars@1', { method: 'DELETE' })
        assert.equal(again.status, 200, await again.text())
      },
      { clock, store: kept, services: ['rest', 'auth', 'admin'] },
    )
    froms.length = 0
    await withRuns(
      async ({ run, states, pass, publish }) => {
        assert.ok(
          froms.length > 0 && froms.every((from) => from > revision),
          `${froms.join()} of ${revision}`,
        )
        const { received, missing, first_at } = await run()
        assert.deepEqual([received, missing.products], [1, [{ step: '0' }, { step: '6' }]])
        assert.ok(first_at !== null)
        for (const step of [0, 6]) await publish(step)
        await pass()
        assert.deepEqual(await states(), ['started', 'complete'])
      },
      { clock, store: kept, services },
    )
    await store.close()
  })

  it('a new process that alone has the store publishes at once what the one before it could not', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    const dying = createDyingStore(store)
    const first = await startRunsSystem({ clock, store: dying.store, ownsStore: true })
    await clock.advance(1_000)
    await first.publish(0)
    dying.isDead = true
    await withRuns(
      async ({ pass, states }) => {
        await pass()
        assert.deepEqual(await states(), ['started'])
      },
      { clock, store: { ...store, close: async () => undefined }, ownsStore: true },
    )
    await first.system.close()
    await store.close()
  })
})
