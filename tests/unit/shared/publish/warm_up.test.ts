import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { createPublisher, type PublisherParts, type WarmPublisher } from '#shared/publish/publisher.ts'
import type { PublishItem } from '#shared/publish/publish.ts'
import type { Store } from '#shared/store/store.ts'
import { createFlakyStore } from '../../../contract/hub_flaky_store.ts'
import { codeOf, IDENTITY, item, receiptOf } from '../../../contract/publisher_support.ts'
import { createIdleClock, createManualClock, settle } from '../../../support/clock.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'

/** More than are read one by one, so that a publisher that starts reads them with a watch. */
const COMMITS = 12

const memory = createMemoryStores()

function open(store: Store, more: Partial<PublisherParts> = {}): WarmPublisher {
  const clock = createIdleClock()
  return createPublisher({ store, clock, random: randomUUID, identity: IDENTITY, ...more })
}

/** A store with a history, and its notifications. */
async function filled(
  ...events: readonly string[]
): Promise<{ readonly store: Store; readonly items: readonly PublishItem[] }> {
  const store = memory()
  const publisher = open(store)
  const items = events.flatMap((event) =>
    Array.from({ length: COMMITS }, (_, index) => item(event, `n${index}`)),
  )
  for (const each of items) receiptOf((await publisher.publish([each]))[0])
  return { store, items }
}

/** A store whose watches wait until they are let go. */
function gated(inner: Store): { readonly store: Store; readonly release: () => void; watches: number } {
  const gate = Promise.withResolvers<void>()
  const state = { watches: 0, release: gate.resolve, store: inner }
  async function* watch(request: Parameters<Store['watch']>[0]): AsyncGenerator<WatchMessage> {
    state.watches++
    await gate.promise
    yield* inner.watch(request)
  }
  state.store = { ...inner, watch }
  return state
}
type WatchMessage = ReturnType<Store['watch']> extends AsyncIterable<infer Message> ? Message : never

const never = new AbortController().signal

describe('createPublisher(), warmUp', () => {
  it('reads ahead what the first notification would wait for', async () => {
    const { store, items } = await filled('e')
    const flaky = createFlakyStore(store)
    const records: unknown[] = []
    const logger: PublisherParts['logger'] = (_level, message, fields) =>
      records.push([message, fields?.['ids']])
    const publisher = open(flaky, { logger })
    await publisher.warmUp(['e'], never)
    assert.equal(flaky.watches, 1)
    assert.deepEqual(records, [['Recent ids were read', COMMITS]])
    const results = await publisher.publish([...items, item('e', 'new')])
    assert.deepEqual(
      results.map((result) => receiptOf(result).replayed),
      [...items.map(() => true), false],
    )
    assert.equal(flaky.watches, 1, 'history was read again')
  })

  it('reads the half of the window that is sure, and no more', async () => {
    const { store, items } = await filled('e')
    const publisher = open(store, { limits: { idWindowItems: 20 } })
    await publisher.warmUp(['e'], never)
    const replayed = async (some: readonly PublishItem[]): Promise<readonly boolean[]> =>
      (await publisher.publish(some)).map((result) => receiptOf(result).replayed)
    assert.deepEqual(
      await replayed(items.slice(-10)),
      items.slice(-10).map(() => true),
    )
    assert.deepEqual(await replayed(items.slice(0, 1)), [false])
  })

  it('has a notification that arrives meanwhile wait for the same read, and no other event type', async () => {
    const { store, items } = await filled('e', 'f')
    const gate = gated(store)
    const publisher = open(gate.store, { clock: createManualClock() })
    const warm = publisher.warmUp(['e', 'new'], never)
    const again = publisher.publish(items.slice(0, 1))
    assert.equal(receiptOf((await publisher.publish([item('new', 'a')]))[0]).replayed, false)
    await settle()
    assert.equal(gate.watches, 1)
    gate.release()
    assert.equal(receiptOf((await again)[0]).replayed, true)
    await warm
    assert.equal(gate.watches, 1)
  })

  it('never rejects: what a store that is down could not tell is read with the first notification', async () => {
    const { store, items } = await filled('e')
    const flaky = createFlakyStore(store)
    const levels: string[] = []
    const publisher = open(flaky, { logger: (level) => levels.push(level) })
    flaky.isDown = true
    await publisher.warmUp(['e'], never)
    assert.deepEqual(levels, ['warn'])
    flaky.isDown = false
    assert.equal(receiptOf((await publisher.publish(items.slice(0, 1)))[0]).replayed, true)
  })

  it('ends with its signal, and leaves nothing of what it had begun', async () => {
    const { store, items } = await filled('e')
    const gate = gated(store)
    const publisher = open(gate.store, { clock: createManualClock() })
    const stop = new AbortController()
    const warm = publisher.warmUp(['e'], stop.signal)
    await settle()
    assert.equal(gate.watches, 1)
    stop.abort()
    await warm
    gate.release()
    const [again] = await publisher.publish(items.slice(0, 1))
    assert.equal(receiptOf(again).replayed, true)
    assert.equal(gate.watches, 2)
    await publisher.close()
  })

  it('is waited for no longer than its limit, and begins with no further event type then', async () => {
    const { store } = await filled('e', 'f')
    const gate = gated(store)
    const clock = createManualClock()
    const publisher = open(gate.store, { clock, limits: { warmUpMs: 1_000 } })
    let isWarm = false
    const warm = publisher.warmUp(['e', 'f'], never).then(() => (isWarm = true))
    await clock.advance(999)
    assert.equal(isWarm, false)
    await clock.advance(1)
    await warm
    gate.release()
    await publisher.close()
    assert.equal(gate.watches, 1)
  })

  it('begins with no further event type when it has read enough ids', async () => {
    const { store } = await filled('e', 'f', 'g')
    const flaky = createFlakyStore(store)
    await open(flaky, { limits: { warmUpIds: COMMITS + 1 } }).warmUp(['e', 'f', 'g'], never)
    assert.equal(flaky.watches, 2)
  })

  it('does nothing for a publisher that is closed', async () => {
    const { store } = await filled('e')
    const flaky = createFlakyStore(store)
    const publisher = open(flaky)
    await publisher.close()
    await publisher.warmUp(['e'], never)
    assert.equal(flaky.watches, 0)
    assert.equal(codeOf((await publisher.publish([item('e', 'a')]))[0]), 'ERR_STORE_UNAVAILABLE')
  })
})
