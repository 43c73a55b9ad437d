/**
 * Hub contract: how streams live and end.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
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
  oneOf,
  openHub,
  sharing,
  startAfter,
  type HubSubject,
} from './hub_support.ts'
import { rejects } from './store_support.ts'
import { eventually, within } from '../support/waiting.ts'

const LIVE = { kind: 'live' } as const
const STALLED = 2_000

export function endsContract(subject: HubSubject): void {
  describe('streams over time', () => {
    heartbeats(subject)
    ages(subject)
    dates(subject)
  })
  describe('streams that nobody reads', () => {
    stalls(subject)
  })
  describe('close(), end() and cancel()', () => {
    endings(subject)
  })
}

function heartbeats(subject: HubSubject): void {
  it('get a heartbeat when nothing was written for so long, with the position of what was passed over', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const clock = createManualClock()
    const hub = await openHub(store, space, { clock, limits: { heartbeatSeconds: 5 } })
    const publisher = createPublisher(store, space)
    const request = { from: LIVE, format: createTestFormat(space) }
    const busy = await listen(hub, { ...request, selection: notificationsOf('a') })
    const quiet = await listen(hub, { ...request, selection: notificationsOf('a', { name: oneOf('x') }) })
    const flows = [busy.flow(), quiet.flow()]
    let last = 0n
    for (let second = 0; second < 12; second++) {
      last = await publisher.publish('a', 'n')
      await eventually('it arrives', () => busy.items().length === second + 1)
      await clock.advance(1_000)
    }
    await eventually(
      'two heartbeats',
      () => quiet.frames.filter(({ kind }) => kind === 'heartbeat').length >= 2,
    )
    assert.ok(busy.frames.every(({ kind }) => kind !== 'heartbeat'))
    await clock.advance(6_000)
    await eventually('heartbeats of all', () => busy.frames.some(({ kind }) => kind === 'heartbeat'))
    for (const { frames } of [busy, quiet]) {
      assert.deepEqual(frames.at(-1), { kind: 'heartbeat', position: { revision: last } })
    }
    await hub.close()
    await Promise.all(flows)
  })
}

function ages(subject: HubSubject): void {
  it('end at their age for the reason that was given', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const clock = createManualClock()
    const hub = await openHub(store, space, { clock })
    const age = { maxAgeSeconds: 60, ageReason: 'auth_expired' } as const
    const request = { selection: notificationsOf('a'), ...age, format: createTestFormat(space) }
    const listener = await listen(hub, { ...request, from: LIVE })
    const flow = listener.flow()
    await clock.advance(61_000)
    await flow
    closedAt(listener.frames.at(-1), 'auth_expired')
    await hub.close()
  })

  it('end at their age, and go on without a gap', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const clock = createManualClock()
    const hub = await openHub(store, space, { clock })
    const publisher = createPublisher(store, space)
    const request = { selection: notificationsOf('a'), maxAgeSeconds: 60, format: createTestFormat(space) }
    const listener = await listen(hub, { ...request, from: LIVE })
    const flow = listener.flow()
    await publisher.publish('a', 'one')
    await eventually('it arrives', () => listener.items().length === 1)
    await clock.advance(59_000)
    assert.equal(hub.status().subscribers, 1)
    await clock.advance(2_000)
    await flow
    const position = closedAt(listener.frames.at(-1), 'max_age')
    await publisher.publish('a', 'two')
    const again = await listen(hub, { ...request, from: startAfter(position) })
    assert.deepEqual(
      (await again.untilItems(1)).map(({ name }) => name),
      ['two'],
    )
    await hub.close()
  })
}

function dates(subject: HubSubject): void {
  for (const jumpMs of [3_600_000, -3_600_000]) {
    it(`are measured by the time that passes, where the date jumps by ${jumpMs} ms`, async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const clock = createManualClock()
      const hub = await openHub(store, space, { clock, limits: { stallSeconds: 60, heartbeatSeconds: 5 } })
      const request = { selection: notificationsOf('a'), maxAgeSeconds: 120, format: createTestFormat(space) }
      const [read, unread] = [
        await listen(hub, { ...request, from: LIVE }),
        await listen(hub, { ...request, from: LIVE }),
      ]
      const flow = read.flow()
      await eventually('it is open', () => read.frames.length === 1)
      clock.jump(jumpMs)
      await clock.advance(11_000)
      await eventually('heartbeats', () => read.frames.length === 3)
      assert.equal(hub.status().subscribers, 2)
      await clock.advance(51_000)
      assert.equal(hub.status().subscribers, 1)
      closedAt(await unread.rest(), 'slow_consumer')
      await clock.advance(60_000)
      await flow
      closedAt(read.frames.at(-1), 'max_age')
      await hub.close()
    })
  }
}

function stalls(subject: HubSubject): void {
  it('are ended after the limit, and go on where they were', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const clock = createManualClock()
    const hub = await openHub(store, space, { clock, limits: { stallSeconds: 60, ringBytes: 20_000 } })
    const publisher = createPublisher(store, space, (text) => text.padEnd(30_000, '.'))
    const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
    const [idle, slow] = [
      await listen(hub, { ...request, from: LIVE }),
      await listen(hub, { ...request, from: LIVE }),
    ]
    const flow = idle.flow()
    await slow.read()
    for (let count = 0; count < 6; count++) await publisher.publish('a', 'one', 'two', 'three')
    await eventually('the other reader has all', () => idle.items().length === 18)
    await slow.read()
    await clock.advance(30_000)
    assert.equal(hub.status().parked, 1)
    // A heartbeat may come first.
    await slow.untilItems(4)
    await clock.advance(59_000)
    assert.equal(hub.status().subscribers, 2)
    await clock.advance(3_000)
    assert.deepEqual([hub.status().subscribers, hub.status().parked], [1, 0])
    const position = closedAt(await slow.rest(), 'slow_consumer')
    const taken = slow.items()
    assert.ok(taken.length < 18 && taken.length >= 4, `${taken.length} taken`)
    const again = await listen(hub, { ...request, from: startAfter(position) })
    assertItems([...taken, ...(await again.untilItems(18 - taken.length))], publisher.items)
    await hub.close()
    await flow
  })

  it(`cost no frames and no ring, ${STALLED} of them, and resume in order`, async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const hub = await openHub(store, space, { limits: { ringBytes: 100_000 } })
    const publisher = createPublisher(store, space, (text) => text.padEnd(3_400, '.'))
    const format = createTestFormat(space)
    const listeners = await Promise.all(
      Array.from({ length: STALLED }, () =>
        listen(hub, {
          selection: notificationsOf('a'),
          from: LIVE,
          format: sharing(format, space),
        }),
      ),
    )
    // The first frame is taken, and nothing else ever.
    for (const listener of listeners) await listener.read()
    let last = 0n
    for (let count = 0; count < 200; count++) last = await publisher.publish('a', 'one', 'two')
    await eventually('the hub has seen all', () => hub.status().revision >= last)
    const { parked, ringBytes } = hub.status()
    assert.deepEqual([parked, format.encoded], [STALLED, 0])
    assert.ok(ringBytes <= 110_000, `${ringBytes} bytes in the ring`)
    for (const listener of [listeners[0], listeners.at(-1)]) {
      assertItems(await listener?.untilItems(400), publisher.items)
    }
    assert.equal(format.encoded, 400)
    await hub.close()
  })
}

function endings(subject: HubSubject): void {
  it('close() ends every stream with what it has, and lets go of the store', async () => {
    const [inner, space] = [await subject.open(), createSpace()]
    const store = createFlakyStore(inner)
    const publisher = createPublisher(store, space, (text) => text.padEnd(3_000, '.'))
    for (let count = 0; count < 200; count++) await publisher.publish('a', 'old')
    const hub = await openHub(store, space, { limits: { ringBytes: 1 } })
    const request = { selection: notificationsOf('a'), from: LIVE, format: createTestFormat(space) }
    const [reading, parked] = [await listen(hub, request), await listen(hub, request)]
    await parked.read()
    const revision = publisher.items[0]?.revision ?? 0n
    const behind = await listen(hub, { ...request, from: { kind: 'revision', revision } })
    await behind.untilItems(1)
    await publisher.publish('a', 'one')
    await reading.untilItems(1)
    await publisher.publish('a', 'two')
    await reading.untilItems(2)
    await Promise.all([hub.close(), hub.close()])
    const last = publisher.items.at(-1)?.revision ?? 0n
    assert.deepEqual(closedAt(await reading.rest(), 'shutdown'), { revision: last })
    const position = closedAt(await parked.rest(), 'shutdown')
    assert.ok(parked.items().every((item) => item.revision <= position.revision))
    const reached = closedAt(await behind.rest(), 'shutdown')
    assertItems(
      behind.items(),
      publisher.items.filter((item) => item.revision <= reached.revision),
    )
    assert.deepEqual([hub.status().subscribers, store.open], [0, 0])
    await rejects(hub.subscribe(request), 'ERR_STORE_UNAVAILABLE')
  })

  it('drain() ends the streams there are one after another, and leaves new ones until close()', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const clock = createManualClock()
    const hub = await openHub(store, space, { clock })
    const publisher = createPublisher(store, space)
    const request = { selection: notificationsOf('a'), from: LIVE, format: createTestFormat(space) }
    const old = await Promise.all(Array.from({ length: 10 }, () => listen(hub, request)))
    for (const listener of old) await listener.read()
    const drained = hub.drain(10_000)
    const left: number[] = []
    for (let second = 0; second < 9; second++) {
      await clock.advance(1_000)
      left.push(hub.status().subscribers)
    }
    assert.deepEqual(left, [10, 10, 8, 7, 6, 5, 3, 2, 1])
    const late = await listen(hub, request)
    await publisher.publish('a', 'one')
    await late.untilItems(1)
    await clock.advance(1_000)
    await within('the drain', drained)
    assert.equal(hub.status().subscribers, 1)
    const position = closedAt(await old[0]?.rest(), 'drain')
    await hub.close()
    closedAt(await late.rest(), 'drain')
    assert.ok(position.revision < (publisher.items[0]?.revision ?? 0n))
  })

  it('drain() ends when the hub closes', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const hub = await openHub(store, space, { clock: createManualClock() })
    const listener = await listen(hub, {
      selection: notificationsOf('a'),
      from: LIVE,
      format: createTestFormat(space),
    })
    const drained = hub.drain(10_000)
    await hub.close()
    await within('the drain', drained)
    closedAt(await listener.rest(), 'drain')
  })

  it('end() ends one stream, once', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const hub = await openHub(store, space)
    const request = { selection: notificationsOf('a'), from: LIVE, format: createTestFormat(space) }
    const [ended, other] = [await listen(hub, request), await listen(hub, request)]
    ended.subscription.end('max_age')
    ended.subscription.end('shutdown')
    closedAt(await ended.rest(), 'max_age')
    assert.equal(hub.status().subscribers, 1)
    await createPublisher(store, space).publish('a', 'one')
    await other.untilItems(1)
    await hub.close()
  })

  it('a cancelled stream is gone at once, wherever it is', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const hub = await openHub(store, space, { limits: { ringBytes: 1, maxSubscribers: 30 } })
    const publisher = createPublisher(store, space, (text) => text.padEnd(1_000, '.'))
    for (let count = 0; count < 50; count++) await publisher.publish('a', 'one', 'two')
    const start = { kind: 'revision', revision: publisher.items[0]?.revision ?? 1n } as const
    const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
    const listeners = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        listen(hub, { ...request, from: index % 2 === 0 ? LIVE : start }),
      ),
    )
    await rejects(hub.subscribe({ ...request, from: LIVE }), 'ERR_OVERLOADED')
    for (const [index, listener] of listeners.entries()) if (index % 3 > 0) await listener.read()
    for (const listener of listeners) await listener.cancel()
    assert.equal(hub.status().subscribers, 0)
    const late = await listen(hub, { ...request, from: LIVE })
    await publisher.publish('a', 'three')
    await late.untilItems(1)
    await hub.close()
  })
}
