/**
 * Hub contract: history, and where it meets what is live.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Hub } from '#shared/hub/hub.ts'
import { TURN_BYTES } from '#shared/hub/source/limits.ts'
import { MAX_TXN_OPERATIONS } from '#shared/store/store.ts'
import { HistoryCompacted } from '#shared/errors.ts'
import { createManualClock } from '../support/clock.ts'
import { createFlakyStore } from './hub_flaky_store.ts'
import {
  assertItems,
  BEGINNING,
  closedAt,
  createPublisher,
  createSpace,
  createTestFormat,
  fill,
  firstOf,
  listen,
  notificationsOf,
  openHub,
  startAfter,
  TINY_RING,
  type HubSubject,
  type Publisher,
} from './hub_support.ts'
import { deleteOperation, put, rejects } from './store_support.ts'
import { eventually } from '../support/waiting.ts'

export function historyContract(subject: HubSubject): void {
  describe('subscribe() from a position', () => {
    fromPosition(subject)
  })
  describe('subscribe() until a revision', () => {
    untilRevision(subject)
  })
}

function fromPosition(subject: HubSubject): void {
  it('delivers history, says that it is complete, and goes on live', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const publisher = createPublisher(store, space)
    await fill(publisher, 30)
    await store.txn({
      compare: [],
      success: [deleteOperation({ key: toBytes(space.key('a', 'x')) })],
    })
    const hub = await openHub(store, space)
    const format = createTestFormat(space)
    const from = { kind: 'revision', revision: firstOf(publisher) } as const
    const listener = await listen(hub, { selection: notificationsOf('a'), from, format })
    const caughtUp = await listener.until('caughtUp', ({ kind }) => kind === 'caughtUp')
    assertItems(listener.items(), publisher.after('a', BEGINNING))
    assert.ok(listener.frames.every((frame) => frame.kind !== 'item' || frame.phase === 'history'))
    assert.equal(caughtUp, listener.frames.at(-1))
    assert.ok(
      caughtUp.kind === 'caughtUp' && caughtUp.position.revision >= (publisher.items.at(-1)?.revision ?? 0n),
    )
    await fill(publisher, 3)
    assertItems(await listener.untilItems(99), publisher.after('a', BEGINNING))
    const kinds = listener.frames.map((frame) => (frame.kind === 'item' ? frame.phase : frame.kind))
    assert.equal(kinds.indexOf('live'), kinds.lastIndexOf('history') + 2)
    assert.equal(kinds.filter((kind) => kind === 'caughtUp').length, 1)
    await hub.close()
  })

  it('finds in memory what comes behind so much else that others have their turn meanwhile', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    // No time passes, so no sweep serves the streams.
    const hub = await openHub(store, space, { clock: createManualClock() })
    const publisher = createPublisher(store, space, (text) => text.padEnd(1_000, '.'))
    const first = await publisher.publish('a', 'before')
    const others = Array.from({ length: MAX_TXN_OPERATIONS - 1 }, (_, index) => `other${index}`)
    // Several times of what is looked at in a turn.
    const revisions = Math.ceil((4 * TURN_BYTES) / (1_000 * others.length))
    for (let count = 0; count < revisions; count++) await publisher.publish('b', ...others)
    const last = await publisher.publish('a', 'behind')
    await eventually('it is in memory', () => hub.status().revision >= last)
    const from = { kind: 'revision', revision: first } as const
    const streams = [1, 2].map(() =>
      listen(hub, { selection: notificationsOf('a'), from, format: createTestFormat(space) }),
    )
    const listeners = await Promise.all(streams)
    for (const listener of listeners) {
      await listener.until('caughtUp', ({ kind }) => kind === 'caughtUp')
      assertItems(listener.items(), publisher.after('a', BEGINNING))
    }
    await publisher.publish('a', 'live')
    for (const listener of listeners)
      assertItems(await listener.untilItems(3), publisher.after('a', BEGINNING))
    await hub.close()
  })

  it('ends a stream that has so many of its history, where there is one more, and only there', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const publisher = createPublisher(store, space)
    for (let count = 0; count < 5; count++) {
      await publisher.publish('b', 'other')
      await publisher.publish('a', 'x', 'y')
    }
    const hub = await openHub(store, space, { limits: TINY_RING })
    const from = { kind: 'revision', revision: firstOf(publisher) } as const
    const asked = { selection: notificationsOf('a'), from }
    const all = publisher.after('a', BEGINNING)
    for (const historyLimit of [1, 4, 9]) {
      const listener = await listen(hub, { ...asked, format: createTestFormat(space), historyLimit })
      const closing = closedAt(await listener.rest(), 'history_limit')
      assertItems(listener.items(), all.slice(0, historyLimit))
      assert.ok(listener.frames.every(({ kind }) => kind !== 'caughtUp'))
      const rest = await listen(hub, {
        selection: notificationsOf('a'),
        from: startAfter(closing),
        format: createTestFormat(space),
        historyLimit: 10,
      })
      await rest.until('caughtUp', ({ kind }) => kind === 'caughtUp')
      assertItems(rest.items(), all.slice(historyLimit))
    }
    const exact = await listen(hub, { ...asked, format: createTestFormat(space), historyLimit: 10 })
    await exact.until('caughtUp', ({ kind }) => kind === 'caughtUp')
    await publisher.publish('a', 'live')
    assertItems(await exact.untilItems(11), publisher.after('a', BEGINNING))
    await hub.close()
  })

  it('takes for history what was stored before the hub began, however it comes', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    await put(store, toBytes(`/_aviso/test${space.root}`))
    const publisher = createPublisher(store, space)
    for (let count = 0; count < 600; count++) await publisher.publish('a', 'x')
    const hub = await openHub(store, space)
    const from = { kind: 'revision', revision: firstOf(publisher) } as const
    const listener = await listen(hub, {
      selection: notificationsOf('a'),
      from,
      format: createTestFormat(space),
    })
    await listener.until('caughtUp', ({ kind }) => kind === 'caughtUp')
    assertItems(listener.items(), publisher.items)
    await publisher.publish('a', 'y')
    await listener.untilItems(601)
    const phases = listener.frames.flatMap((frame) => (frame.kind === 'item' ? [frame.phase] : []))
    assert.deepEqual([phases.indexOf('live'), phases.lastIndexOf('history')], [600, 599])
    await hub.close()
  })

  it('goes on within a revision', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const publisher = createPublisher(store, space)
    await fill(publisher, 10)
    for (const limits of [{}, TINY_RING]) {
      const hub = await openHub(store, space, { limits })
      for (const start of publisher.after('a', BEGINNING).slice(3, 9)) {
        const from = startAfter(start)
        const listener = await listen(hub, {
          selection: notificationsOf('a'),
          from,
          format: createTestFormat(space),
        })
        const expected = publisher.after('a', start)
        assertItems(await listener.untilItems(expected.length), expected)
        await listener.cancel()
      }
      await hub.close()
    }
  })

  it('goes on within a revision that it has not seen yet', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const publisher = createPublisher(store, space)
    await publisher.publish('a', 'one')
    const flaky = createFlakyStore(store)
    const clock = createManualClock()
    const hub = await openHub(flaky, space, { clock })
    const early = await listen(hub, {
      selection: notificationsOf('a'),
      from: { kind: 'revision', revision: firstOf(publisher) },
      format: createTestFormat(space),
    })
    await early.untilItems(1)
    flaky.breakAll()
    await eventually('the upstream is away', () => !hub.status().connected)
    const revision = await publisher.publish('a', 'two', 'three', 'four')
    const from = { kind: 'revision', revision, afterIndex: 0 } as const
    const listener = await listen(hub, {
      selection: notificationsOf('a'),
      from,
      format: createTestFormat(space),
    })
    const reading = listener.untilItems(2)
    await clock.advance(2_000)
    assert.deepEqual(
      (await reading).map(({ name }) => name),
      ['three', 'four'],
    )
    await publisher.publish('a', 'five')
    assert.deepEqual(
      (await early.untilItems(5)).map(({ name }) => name),
      ['one', 'two', 'three', 'four', 'five'],
    )
    assert.equal((await listener.untilItems(3)).at(-1)?.name, 'five')
    await hub.close()
  })

  it('takes the place right behind everything, and refuses what lies ahead', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const publisher = createPublisher(store, space)
    const hub = await openHub(store, space)
    const revision = await publisher.publish('a', 'one')
    const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
    const listener = await listen(hub, { ...request, from: { kind: 'revision', revision: revision + 1n } })
    await listener.until('caughtUp', ({ kind }) => kind === 'caughtUp')
    await rejects(
      hub.subscribe({ ...request, from: { kind: 'revision', revision: revision + 1_000n } }),
      'ERR_FUTURE_POSITION',
    )
    await publisher.publish('a', 'two')
    assert.deepEqual(
      (await listener.untilItems(1)).map(({ name }) => name),
      ['two'],
    )
    assert.equal(hub.status().subscribers, 1)
    await hub.close()
  })

  it('refuses a position that is compacted, and names the oldest', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const publisher = createPublisher(store, space)
    await fill(publisher, 10)
    const oldest = publisher.items.at(-4)?.revision ?? 0n
    await store.compact(oldest)
    const hub = await openHub(store, space, { limits: TINY_RING })
    const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
    // The second time without asking the store.
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(
        hub.subscribe({ ...request, from: { kind: 'revision', revision: oldest - 1n } }),
        (error) => error instanceof HistoryCompacted && error.oldest === oldest,
      )
    }
    const listener = await listen(hub, { ...request, from: { kind: 'revision', revision: oldest } })
    const expected = publisher.after('a', { revision: oldest - 1n })
    assertItems(await listener.untilItems(expected.length), expected)
    assert.equal(hub.status().subscribers, 1)
    await hub.close()
  })
}

function untilRevision(subject: HubSubject): void {
  const replay = (hub: Hub, publisher: Publisher, until: bigint, space: ReturnType<typeof createSpace>) =>
    listen(hub, {
      selection: notificationsOf('a'),
      from: { kind: 'revision', revision: firstOf(publisher) },
      until,
      format: createTestFormat(space),
    })

  it('delivers up to it, inclusive, and ends', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const publisher = createPublisher(store, space)
    await fill(publisher, 20)
    for (const limits of [{}, TINY_RING]) {
      const hub = await openHub(store, space, { limits })
      const until = publisher.items[30]?.revision ?? 0n
      const listener = await replay(hub, publisher, until, space)
      assert.deepEqual(closedAt(await listener.rest(), 'end_of_stream'), { revision: until })
      const expected = publisher.after('a', BEGINNING).filter(({ revision }) => revision <= until)
      assertItems(listener.items(), expected)
      assert.deepEqual(
        listener.frames.slice(-2).map(({ kind }) => kind),
        ['caughtUp', 'closing'],
      )
      assert.equal(hub.status().subscribers, 0)
      await hub.close()
    }
  })

  it('waits for a revision that is still to come', async () => {
    const [store, space] = [await subject.open(), createSpace()]
    const publisher = createPublisher(store, space)
    await fill(publisher, 2)
    const hub = await openHub(store, space)
    const until = (publisher.items.at(-1)?.revision ?? 0n) + 2n
    const listener = await replay(hub, publisher, until, space)
    await listener.untilItems(6)
    await publisher.publish('a', 'one')
    await publisher.publish('a', 'two')
    await publisher.publish('a', 'three')
    assert.deepEqual(closedAt(await listener.rest(), 'end_of_stream'), { revision: until })
    assert.deepEqual(
      listener
        .items()
        .map(({ name }) => name)
        .slice(-2),
      ['one', 'two'],
    )
    await hub.close()
  })
}
