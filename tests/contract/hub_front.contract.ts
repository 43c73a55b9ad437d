/**
 * Hub contract: readers that wait, and are written to as things happen.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRandom } from '../support/dice.ts'
import { createManualClock } from '../support/clock.ts'
import {
  assertItems,
  createPublisher,
  createSpace,
  createTestFormat,
  listen,
  notificationsOf,
  oneOf,
  openHub,
  type HubSubject,
  type Item,
  type Listener,
} from './hub_support.ts'
import { eventually } from '../support/waiting.ts'

const LIVE = { kind: 'live' } as const
const NAMES = ['x', 'y', 'xx', 'yy', 'z'] as const

/** Somebody who reads all the time, and what is meant for them. */
interface Flowing {
  readonly listener: Listener
  readonly wants: (item: Item) => boolean
  readonly end: Promise<void>
}

export function frontContract(subject: HubSubject): void {
  describe('readers that wait', () => {
    it('get what is theirs, in order and once, while others come and go', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const random = createRandom(7)
      const pick = (): string => NAMES[Math.floor(random() * NAMES.length)] ?? 'x'
      // Time stands still, so that no heartbeat helps on what was forgotten.
      const hub = await openHub(store, space, { clock: createManualClock() })
      const publisher = createPublisher(store, space)
      const join = async (): Promise<Flowing> => {
        const [one, other] = [pick(), pick()]
        const isNamed = random() < 0.4
        const parity = random() < 0.2 ? String(Math.floor(random() * 2)) : undefined
        const conditions = {
          ...(isNamed && { name: oneOf(one, other) }),
          ...(parity !== undefined && {
            parity: { kind: 'test', test: (value: string) => value === parity } as const,
          }),
        }
        const selection = notificationsOf('a', conditions)
        const request = { selection, from: LIVE, format: createTestFormat(space) }
        const listener = await listen(hub, request, random() < 0.5)
        const wants = ({ event, name }: Item): boolean =>
          event === 'a' &&
          (!isNamed || name === one || name === other) &&
          (parity === undefined || String(name.length % 2) === parity)
        return { listener, wants, end: listener.flow() }
      }
      const flowing: Flowing[] = []
      for (let count = 0; count < 30; count++) flowing.push(await join())
      for (let round = 0; round < 100; round++) {
        const names = Array.from({ length: 1 + Math.floor(random() * 6) }, pick)
        const writes = [publisher.publish('a', ...new Set(names)), publisher.publish('b', 'x')]
        if (random() < 0.5) writes.push(publisher.publish('a', pick()))
        if (random() < 0.3) flowing.push(await join())
        if (random() < 0.3) {
          const [gone] = flowing.splice(Math.floor(random() * flowing.length), 1)
          await gone?.listener.cancel()
        }
        await Promise.all(writes)
      }
      const stored = publisher.items.toSorted((a, b) => Number(a.revision - b.revision) || a.index - b.index)
      for (const { listener, wants } of flowing) {
        const [opening] = listener.frames
        assert.ok(opening?.kind === 'opening')
        const due = stored.filter((item) => wants(item) && item.revision > opening.head)
        await eventually('everything has come', () => listener.items().length >= due.length)
        assertItems(listener.items(), due)
      }
      assert.equal(hub.status().subscribers, flowing.length)
      await hub.close()
      await Promise.all(flowing.map(({ end }) => end))
      assert.equal(hub.status().subscribers, 0)
    })

    it('are written to once each, whoever of them leaves', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const hub = await openHub(store, space, { clock: createManualClock() })
      const publisher = createPublisher(store, space)
      const request = { selection: notificationsOf('a'), from: LIVE, format: createTestFormat(space) }
      const listeners: Listener[] = []
      for (let count = 0; count < 6; count++) listeners.push(await listen(hub, request))
      const flows = listeners.map((listener) => listener.flow())
      await eventually('all wait', () => hub.status().parked === 0)
      // The last one takes the place of one that leaves: it leaves next, and the one after it.
      for (const place of [1, 5, 4]) await listeners[place]?.cancel()
      await publisher.publish('a', 'one')
      await publisher.publish('a', 'two')
      for (const place of [0, 2, 3]) {
        await eventually('it has come', () => (listeners[place]?.items().length ?? 0) >= 2)
        assertItems(listeners[place]?.items(), publisher.items)
      }
      assert.equal(hub.status().subscribers, 3)
      await hub.close()
      await Promise.all(flows)
    })

    it('get nothing twice when they ask again within the turn in which it came', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const hub = await openHub(store, space)
      const publisher = createPublisher(store, space)
      const request = { selection: notificationsOf('a'), from: LIVE, format: createTestFormat(space) }
      const waiting = await listen(hub, request)
      const flow = waiting.flow()
      const asking = await listen(hub, request, true)
      await asking.read()
      for (let count = 1; count <= 50; count++) {
        await publisher.publish('a', 'one', 'two')
        // Until it has come, but not until it has been written.
        for (
          let hop = 0;
          hop < 200 && hub.status().revision < (publisher.items.at(-1)?.revision ?? 0n);
          hop++
        ) {
          await Promise.resolve()
        }
        await asking.untilItems(2 * count)
      }
      await eventually('everything has come', () => waiting.items().length >= 100)
      assertItems(asking.items(), publisher.items)
      assertItems(waiting.items(), publisher.items)
      await hub.close()
      await flow
    })
  })
}
