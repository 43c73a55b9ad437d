/**
 * Hub contract: disturbances of the store.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createManualClock } from '../support/clock.ts'
import { createFlakyStore } from './hub_flaky_store.ts'
import {
  assertItems,
  closedAt,
  createPublisher,
  createSpace,
  createTestFormat,
  listen,
  notificationsOf,
  openHub,
  startAfter,
  type HubSubject,
} from './hub_support.ts'
import { put, rejects } from './store_support.ts'
import { eventually } from '../support/waiting.ts'

const LIVE = { kind: 'live' } as const

export function faultsContract(subject: HubSubject): void {
  describe('an upstream that breaks', () => {
    it('loses nothing and doubles nothing', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const hub = await openHub(store, space)
      const publisher = createPublisher(store, space)
      const listener = await listen(hub, {
        selection: notificationsOf('a'),
        from: LIVE,
        format: createTestFormat(space),
      })
      store.breakage = 0.2
      for (let count = 1; count <= 20; count++) {
        for (let each = 0; each < 5; each++) await publisher.publish('a', 'one', 'two')
        if (count % 5 === 0) store.breakAll()
        assertItems(await listener.untilItems(10 * count), publisher.items)
      }
      assert.ok(store.watches > 10, `only ${store.watches} watches`)
      await hub.close()
      assert.equal(store.open, 0)
    })

    it('is waited for with heartbeats, and given up after the limit', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const clock = createManualClock()
      const hub = await openHub(store, space, { clock, limits: { outageSeconds: 30, heartbeatSeconds: 5 } })
      const publisher = createPublisher(store, space)
      const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
      const listener = await listen(hub, { ...request, from: LIVE })
      const flow = listener.flow()
      await publisher.publish('a', 'one')
      await eventually('it arrives', () => listener.items().length === 1)
      store.isDown = true
      store.breakAll()
      await eventually('the upstream is away', () => !hub.status().connected)
      clock.jump(3_600_000)
      await clock.advance(20_000)
      assert.ok(listener.frames.filter(({ kind }) => kind === 'heartbeat').length >= 3)
      assert.equal(hub.status().subscribers, 1)
      clock.jump(-7_200_000)
      await clock.advance(12_000)
      await flow
      const position = closedAt(listener.frames.at(-1), 'store_unavailable')
      await rejects(hub.subscribe({ ...request, from: LIVE }), 'ERR_STORE_UNAVAILABLE')
      await publisher.publish('a', 'two')
      store.isDown = false
      await clock.advance(3_000)
      await eventually('the upstream is back', () => hub.status().connected)
      const again = await listen(hub, { ...request, from: startAfter(position) })
      assert.deepEqual(
        (await again.untilItems(1)).map(({ name }) => name),
        ['two'],
      )
      await hub.close()
    })

    it('ends the streams when what it missed is compacted, and starts over', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const clock = createManualClock()
      await put(inner, toBytes(`/_aviso/test${space.root}`))
      const hub = await openHub(store, space, { clock })
      const publisher = createPublisher(store, space)
      const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
      const listener = await listen(hub, { ...request, from: LIVE })
      await publisher.publish('a', 'one')
      await listener.untilItems(1)
      store.isDown = true
      store.breakAll()
      await eventually('the upstream is away', () => !hub.status().connected)
      for (let count = 0; count < 5; count++) await publisher.publish('a', `missed ${count}`)
      const oldest = publisher.items.at(-1)?.revision ?? 0n
      await store.compact(oldest)
      store.isDown = false
      await clock.advance(3_000)
      const last = await listener.rest()
      assert.deepEqual(closedAt(last, 'history_compacted'), { revision: publisher.items[0]?.revision })
      assert.ok(last?.kind === 'closing' && last.oldest === oldest)
      await eventually('the upstream is back', () => hub.status().connected)
      await rejects(hub.subscribe({ ...request, from: startAfter(last.position) }), 'ERR_HISTORY_COMPACTED')
      const again = await listen(hub, { ...request, from: { kind: 'revision', revision: oldest } })
      await publisher.publish('a', 'new')
      assert.deepEqual(
        (await again.untilItems(2)).map(({ name }) => name),
        ['missed 4', 'new'],
      )
      await hub.close()
    })

    it('begins no stream while it starts over', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const clock = createManualClock()
      const hub = await openHub(store, space, { clock })
      const publisher = createPublisher(store, space)
      const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
      const listener = await listen(hub, { ...request, from: LIVE })
      await publisher.publish('a', 'one')
      await listener.untilItems(1)
      store.isDown = true
      store.breakAll()
      await eventually('the upstream is away', () => !hub.status().connected)
      const oldest = await publisher.publish('a', 'two')
      await publisher.publish('a', 'three')
      await store.compact(oldest + 1n)
      // It learns what it has lost, and cannot find out where to begin.
      const down = new AvisoError('ERR_STORE_UNAVAILABLE', 'The test has taken reads away')
      store.inner = {
        ...inner,
        range: (request) => (request.sortTarget === 'MOD' ? Promise.reject(down) : inner.range(request)),
      }
      store.isDown = false
      await clock.advance(1_000)
      closedAt(await listener.rest(), 'history_compacted')
      const starting = listen(hub, { ...request, from: LIVE })
      await clock.advance(100)
      const missed = await publisher.publish('a', 'missed')
      store.inner = inner
      await clock.advance(2_000)
      const late = await starting
      await late.read()
      assert.ok(late.frames[0]?.kind === 'opening' && late.frames[0].head >= missed)
      await publisher.publish('a', 'four')
      assert.deepEqual(
        (await late.untilItems(1)).map(({ name }) => name),
        ['four'],
      )
      await hub.close()
    })

    it('ends the streams when the store was replaced, says so, and starts over', async () => {
      const [first, second, space] = [await subject.open(), await subject.open(), createSpace()]
      if (await shareData(first, second)) return
      await put(first, toBytes('/_aviso/epoch'), 'first')
      await put(second, toBytes('/_aviso/epoch'), 'second')
      const store = createFlakyStore(first)
      const changes: (string | undefined)[] = []
      const hub = await openHub(store, space, { onEpochChange: (epoch) => changes.push(epoch) })
      const publisher = createPublisher(first, space)
      const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
      const listener = await listen(hub, { ...request, from: LIVE })
      await publisher.publish('a', 'one')
      await listener.untilItems(1)
      store.inner = second
      store.breakAll()
      closedAt(await listener.rest(), 'store_unavailable')
      const again = await listen(hub, { ...request, from: LIVE })
      assert.deepEqual(changes, [undefined, 'second'])
      await createPublisher(second, space).publish('a', 'new')
      assert.deepEqual(
        (await again.untilItems(1)).map(({ name }) => name),
        ['new'],
      )
      await hub.close()
    })

    it('is no upstream at all: createHub() throws, and may be called again', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      store.isDown = true
      await rejects(openHub(store, space), 'ERR_STORE_UNAVAILABLE')
      store.isDown = false
      await (await openHub(store, space)).close()
    })
  })
}

/** Whether two stores are clients of one: then there is no replacing it. */
async function shareData(one: Parameters<typeof put>[0], other: Parameters<typeof put>[0]): Promise<boolean> {
  const key = toBytes(`/shared${Math.random()}`)
  await put(one, key)
  return (await other.range({ key })).kvs.length > 0
}
