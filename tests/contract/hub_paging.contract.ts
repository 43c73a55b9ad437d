/**
 * Hub contract: streams that lie behind the ring, and read the store's history until they meet it.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createManualClock, type ManualClock } from '../support/clock.ts'
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
  sharing,
  startAfter,
  TINY_RING,
  type HubSubject,
} from './hub_support.ts'
import { eventually } from '../support/waiting.ts'

export function pagingContract(subject: HubSubject): void {
  describe('subscribe() behind the ring', () => {
    it('pages through the store and meets the ring without a gap or a repeat', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const publisher = createPublisher(store, space, (text) => text.padEnd(2_000, '.'))
      await fill(publisher, 300)
      // Neither time nor progress helps on a stream that has been forgotten.
      store.isQuiet = true
      const hub = await openHub(store, space, { limits: TINY_RING, clock: createManualClock() })
      const from = { kind: 'revision', revision: firstOf(publisher) } as const
      const listeners = await Promise.all(
        ['a', 'b', 'none'].map((event) =>
          listen(hub, { selection: notificationsOf(event), from, format: createTestFormat(space) }),
        ),
      )
      const [all, few, none] = listeners
      await Promise.all(
        listeners.map((listener) => listener.until('caughtUp', ({ kind }) => kind === 'caughtUp')),
      )
      assertItems(all?.items(), publisher.after('a', BEGINNING))
      assertItems(few?.items(), publisher.after('b', BEGINNING))
      assert.deepEqual(none?.items(), [])
      assert.ok(hub.status().ringEntries <= 1)
      await hub.close()
    })

    it('reads the store once for all listeners that come back together', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const publisher = createPublisher(store, space, (text) => text.padEnd(400, '.'))
      await fill(publisher, 150)
      const hub = await openHub(store, space, { limits: TINY_RING })
      const before = store.watches
      const starts = publisher.after('a', BEGINNING).slice(150, 250)
      const format = createTestFormat(space)
      const listeners = await Promise.all(
        starts.toReversed().map(async (start) => {
          const own = sharing(format, space)
          return {
            start,
            listener: await listen(hub, {
              selection: notificationsOf('a'),
              from: startAfter(start),
              format: own,
            }),
          }
        }),
      )
      await Promise.all(
        listeners.map(async ({ start, listener }) => {
          const expected = publisher.after('a', start)
          assertItems(await listener.untilItems(expected.length), expected)
        }),
      )
      // 150 revisions lie in three or four stretches, and a second try may be due where one came while a page was being made.
      assert.ok(
        store.watches - before <= 8,
        `${store.watches - before} watches for ${starts.length} listeners`,
      )
      await hub.close()
    })

    it('lets go of the store when history meets the ring', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const publisher = createPublisher(store, space)
      await fill(publisher, 20)
      // Time stands still: nothing is released for being idle.
      const hub = await openHub(store, space, { limits: TINY_RING, clock: createManualClock() })
      const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
      const listener = await listen(hub, {
        ...request,
        from: { kind: 'revision', revision: firstOf(publisher) },
      })
      await fill(publisher, 2)
      await listener.untilItems(66)
      await eventually('only the upstream is left', () => store.open === 1)
      assertItems(listener.items(), publisher.after('a', BEGINNING))
      await hub.close()
    })

    it('shares what streams of different phases and ends have in common, and nothing else', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const publisher = createPublisher(store, space)
      const hub = await openHub(store, space)
      const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
      const parked = await listen(hub, { ...request, from: { kind: 'live' } })
      await parked.read()
      await fill(publisher, 5)
      await eventually(
        'the hub has seen all',
        () => hub.status().revision >= (publisher.items.at(-1)?.revision ?? 0n),
      )
      const from = { kind: 'revision', revision: firstOf(publisher) } as const
      const until = publisher.after('a', BEGINNING)[7]?.revision ?? 0n
      const all = await listen(hub, { ...request, from })
      await parked.untilItems(15)
      await all.untilItems(15)
      const some = await listen(hub, { ...request, from, until })
      assert.deepEqual(closedAt(await some.rest(), 'end_of_stream'), { revision: until })
      const expected = publisher.after('a', BEGINNING)
      assertItems(parked.items(), expected)
      assertItems(all.items(), expected)
      assertItems(
        some.items(),
        expected.filter(({ revision }) => revision <= until),
      )
      const phases = (frames: typeof all.frames): Set<string> =>
        new Set(frames.flatMap((frame) => (frame.kind === 'item' ? [frame.phase] : [])))
      assert.deepEqual([phases(parked.frames), phases(all.frames)], [new Set(['live']), new Set(['history'])])
      await hub.close()
    })

    it('has a parked stream go on where it was, though the ring has moved on', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const publisher = createPublisher(store, space, (text) => text.padEnd(1_000, '.'))
      const hub = await openHub(store, space, { limits: { ringBytes: 30_000 } })
      const selection = notificationsOf('a')
      const listener = await listen(hub, {
        selection,
        from: { kind: 'live' },
        format: createTestFormat(space),
      })
      await listener.read()
      await fill(publisher, 100)
      const last = publisher.items.at(-1)?.revision ?? 0n
      await eventually(
        'the ring has moved on',
        () => hub.status().revision >= last && hub.status().ringEntries < 50,
      )
      assertItems(await listener.untilItems(300), publisher.after('a', BEGINNING))
      assert.ok(listener.frames.every((frame) => frame.kind !== 'item' || frame.phase === 'live'))
      await fill(publisher, 1)
      assertItems(await listener.untilItems(303), publisher.after('a', BEGINNING))
      await hub.close()
    })

    it('ends a stream whose history is compacted while it reads, and is resumed at the oldest', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const publisher = createPublisher(store, space, (text) => text.padEnd(4_000, '.'))
      await fill(publisher, 120)
      const clock = createManualClock()
      const hub = await openHub(store, space, { limits: TINY_RING, clock })
      const newest = publisher.items.at(-1)?.revision ?? 0n
      // Otherwise what is compacted may be missing in the ring as well, and all streams end.
      await eventually('the ring has moved on', () => hub.status().revision >= newest)
      const request = { selection: notificationsOf('a'), format: createTestFormat(space) }
      const listener = await listen(hub, {
        ...request,
        from: { kind: 'revision', revision: firstOf(publisher) },
      })
      await listener.untilItems(1)
      // Nobody asks for more: the reader is released, once it has the page that it was asked for.
      await eventually('only the upstream watches the store', async () => {
        await clock.advance(100)
        return store.open === 1
      })
      const oldest = publisher.items.at(-20)?.revision ?? 0n
      await store.compact(oldest)
      const last = await moving(clock, listener.rest())
      const position = closedAt(last, 'history_compacted')
      assert.ok(last?.kind === 'closing' && last.oldest === oldest)
      assert.ok(position.revision < oldest)
      // It may stand within a revision, of which the rest is still due.
      const due = publisher.after('a', position)
      const read = publisher.after('a', BEGINNING).filter((item) => !due.includes(item))
      assertItems(listener.items(), read)
      const again = await listen(hub, { ...request, from: { kind: 'revision', revision: oldest } })
      const expected = publisher.after('a', { revision: oldest - 1n })
      assertItems(await moving(clock, again.untilItems(expected.length)), expected)
      await hub.close()
    })
  })
}

/** Moves a clock until a promise has settled, because a store that did not answer is asked again after a while. */
async function moving<Value>(clock: ManualClock, promise: Promise<Value>): Promise<Value> {
  let isSettled = false
  const settled = (): void => void (isSettled = true)
  promise.then(settled, settled)
  await eventually('it has settled', async () => {
    await clock.advance(100)
    return isSettled
  })
  return promise
}
