/**
 * The contract of reads through the hub: polls of 1.x clients are answered as the store would, and mostly without it.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { Hub } from '#shared/hub/hub.ts'
import type { RangeRequest, RangeResult, Revision, Store } from '#shared/store/store.ts'
import { createDice, type Dice } from '../support/dice.ts'
import { eventually } from '../support/waiting.ts'
import { createFlakyStore } from './hub_flaky_store.ts'
import { createSpace, openHub, type HubSubject, type Space } from './hub_support.ts'

const STEPS = 300
const NAMES = 12

/** Reads through a hub, and counts what reaches the store. */
function readerOf(hub: Hub, store: Store) {
  let asked = 0
  return {
    read: (request: RangeRequest): Promise<RangeResult> =>
      hub.read(request, () => {
        asked++
        return store.range(request)
      }),
    get asked() {
      return asked
    },
  }
}

async function put(store: Store, key: string): Promise<Revision> {
  const value = toBytes(randomUUID())
  return (await store.txn({ compare: [], success: [{ kind: 'put', key: toBytes(key), value }] })).revision
}

async function remove(store: Store, key: string): Promise<Revision> {
  return (await store.txn({ compare: [], success: [{ kind: 'delete', range: { key: toBytes(key) } }] }))
    .revision
}

function caughtUp(hub: Hub, revision: Revision): Promise<void> {
  return eventually('the hub has it', () => hub.status().revision >= revision)
}

/** A poll as clients make them. */
function drawPoll(dice: Dice, space: Space, from: Revision): RangeRequest {
  const range = dice.pick([
    prefixRange(space.root),
    prefixRange(`${space.root}a/`),
    prefixRange(`${space.root}a/1`),
    { key: toBytes(space.key('a', '1')) },
  ])
  return {
    ...range,
    minModRevision: from,
    ...(dice.chance(0.5) && { sortOrder: dice.pick(['ASCEND', 'DESCEND', 'NONE']) }),
    ...(dice.chance(0.5) && { sortTarget: dice.pick(['KEY', 'MOD', 'CREATE', 'VERSION']) }),
    ...(dice.chance(0.3) && { limit: dice.whole(1, 4) }),
    ...(dice.chance(0.2) && { keysOnly: true }),
    ...(dice.chance(0.1) && { countOnly: true }),
    ...(dice.chance(0.2) && { maxModRevision: from + BigInt(dice.whole(0, 5)) }),
  }
}

/** What a client sees of an answer. */
function shown({ kvs, count, more }: RangeResult): unknown {
  return {
    kvs: kvs.map(({ key, value, modRevision, createRevision, version }) => [
      toText(key),
      toText(value),
      modRevision,
      createRevision,
      version,
    ]),
    count,
    more,
  }
}

export function pollContract(subject: HubSubject): void {
  describe('read()', () => {
    for (const seed of [1, 2, 3]) {
      it(`answers polls as the store does, seed ${seed}`, async () => {
        const [store, space, dice] = [await subject.open(), createSpace(), createDice(seed)]
        // A small ring, so that some polls begin before it.
        const hub = await openHub(store, space, { limits: { ringBytes: 40_000 } })
        const reader = readerOf(hub, store)
        const first = await put(store, space.key('a', '1'))
        let head = first
        const present = new Set<string>()
        for (let step = 0; step < STEPS; step++) {
          const key = space.key(dice.pick(['a', 'b']), String(dice.whole(1, NAMES)))
          if (dice.chance(0.4)) {
            head = await put(store, key)
            present.add(key)
          } else if (present.delete(key)) head = await remove(store, key)
          await caughtUp(hub, head)
          const back = BigInt(dice.whole(-2, dice.chance(0.2) ? 200 : 10))
          const from = head - back < 1n ? 1n : head - back
          const poll = drawPoll(dice, space, from)
          assert.deepEqual(shown(await reader.read(poll)), shown(await store.range(poll)), `step ${step}`)
        }
        assert.ok(reader.asked < STEPS / 2, `${reader.asked} of ${STEPS} polls reached the store`)
        await hub.close()
      })
    }

    it('asks the store once for polls that find nothing, whoever polls', async () => {
      const [store, space] = [await subject.open(), createSpace()]
      const hub = await openHub(store, space)
      const reader = readerOf(hub, store)
      const revision = await put(store, space.key('a', 'x'))
      await caughtUp(hub, revision)
      for (let count = 0; count < 100; count++) {
        const { kvs, count: keys } = await reader.read({
          ...prefixRange(`${space.root}a/`),
          minModRevision: revision + 1n,
        })
        assert.deepEqual([kvs.length, keys], [0, 1n])
      }
      assert.equal(reader.asked, 1)
      const later = await put(store, space.key('a', 'y'))
      await caughtUp(hub, later)
      const { kvs } = await reader.read({ ...prefixRange(`${space.root}a/`), minModRevision: revision + 1n })
      assert.deepEqual([kvs.map(({ modRevision }) => modRevision), reader.asked], [[later], 1])
      await hub.close()
    })

    it('gives a key as it was written lately, and asks the store for older ones', async () => {
      const [store, space, dice] = [await subject.open(), createSpace(), createDice(4)]
      const hub = await openHub(store, space, { limits: { ringBytes: 40_000 } })
      const reader = readerOf(hub, store)
      const written: (readonly [key: string, revision: Revision])[] = []
      for (let step = 0; step < STEPS; step++) {
        const key = space.key('a', String(dice.whole(1, NAMES)))
        const isPut = dice.chance(0.8) || step === STEPS - 1
        written.push([key, await (isPut ? put : remove)(store, key)])
      }
      await caughtUp(hub, written.at(-1)?.[1] ?? 0n)
      for (const [key, revision] of written) {
        const request = { key: toBytes(key), revision }
        assert.deepEqual(shown(await reader.read(request)), shown(await store.range(request)), key)
      }
      assert.ok(reader.asked < STEPS, `${reader.asked} of ${STEPS} reads reached the store`)
      const [key, revision] = written.at(-1) ?? ['', 0n]
      const asked = reader.asked
      await reader.read({ key: toBytes(key), revision })
      assert.equal(reader.asked, asked)
      // A revision at which something else was written has no entry in the ring: the next one is not that of the key either.
      const elsewhere = await put(store, `/elsewhere/${randomUUID()}`)
      await caughtUp(hub, await put(store, key))
      const between = { key: toBytes(key), revision: elsewhere }
      assert.deepEqual(shown(await reader.read(between)), shown(await store.range(between)))
      // Neither another revision than that of the write nor a part of the key is known.
      for (const more of [{ revision: revision - 1n }, { keysOnly: true }, { maxModRevision: revision }]) {
        const before = reader.asked
        await reader.read({ key: toBytes(key), revision, ...more })
        assert.equal(reader.asked, before + 1)
      }
      await hub.close()
    })

    it('asks the store for every other read, for keys that no stream delivers, and while the hub is cut off', async () => {
      const [inner, space] = [await subject.open(), createSpace()]
      const store = createFlakyStore(inner)
      const hub = await openHub(store, space)
      const reader = readerOf(hub, inner)
      const range = prefixRange(`${space.root}a/`)
      const revision = await put(inner, space.key('a', 'x'))
      await caughtUp(hub, revision)
      const poll = { ...range, minModRevision: revision + 1n }
      const requests: readonly RangeRequest[] = [
        range,
        { ...poll, revision: revision - 1n },
        { ...prefixRange('/elsewhere/'), minModRevision: revision + 1n },
        // Ahead of the hub: the client has been told of it by somebody else.
        { ...poll, minModRevision: revision + 1_000n },
      ]
      for (const request of requests) {
        for (const time of [1, 2]) {
          const before = reader.asked
          await reader.read(request).catch(() => undefined)
          assert.equal(
            reader.asked,
            before + 1,
            `${time}: ${JSON.stringify(request, (_, value: unknown) => String(value))}`,
          )
        }
      }
      await reader.read(poll)
      const known = reader.asked
      await reader.read(poll)
      assert.equal(reader.asked, known)
      store.isDown = true
      store.breakAll()
      await eventually('the hub is cut off', () => !hub.status().connected)
      await reader.read(poll)
      assert.equal(reader.asked, known + 1)
      await hub.close()
    })
  })
}
