/** A store that is wiped, or put back to an older copy, behind running services and between their runs. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../support/memory_store.ts'
import { copyOf } from '../support/older_copy.ts'
import { flight } from '../support/notifications.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'
import { createFlakyStore, type FlakyStore } from '../contract/hub_flaky_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { readOrCreateEpoch } from '#shared/journal/epoch.ts'
import { withSystem, type Receipt, type TestSystem } from './auth_fixture.ts'

/** What stands in the place of the store that was there. */
const REPLACEMENTS = [
  { name: 'wiped', prepare: async (): Promise<Store> => createMemoryStore({ clock: systemClock }) },
  { name: 'put back to an older copy', prepare: (store: Store): Promise<Store> => copyOf(store) },
]

/** Publishes with an id of the provider. */
async function publish(test: TestSystem, number: string): Promise<Receipt & { readonly replayed: boolean }> {
  const response = await test.post('/api/v1/notification', {
    specversion: '1.0',
    id: `id of ${number}`,
    source: '/tests',
    type: 'aviso',
    data: { event: 'flight', request: flight(number), payload: number },
  })
  const answer = (await response.json()) as Receipt
  assert.equal(response.status, 200, JSON.stringify(answer))
  return { ...answer, replayed: response.headers.get('idempotent-replay') === 'true' }
}

async function isStored(store: Store, { key }: Receipt): Promise<boolean> {
  return (await store.range({ key: toBytes(key) })).kvs.length === 1
}

/** Runs with a store in whose place another one can be put. */
function withReplaceable(use: (test: TestSystem, store: FlakyStore) => Promise<void>): Promise<void> {
  let store: FlakyStore | undefined
  const open = (clock: typeof systemClock): Store => (store = createFlakyStore(createMemoryStore({ clock })))
  return withSystem(
    async (test) => {
      assert.ok(store !== undefined)
      await use(test, store)
    },
    { store: open },
  )
}

/** The status and code of an answer to a listener, and of a stream's first frames. */
async function listen(test: TestSystem, query: string): Promise<{ status: number; code: unknown }> {
  const stop = new AbortController()
  const response = await test.call(`/api/v1/watch?event=flight&${query}`, { signal: stop.signal })
  if (response.status === 200) {
    stop.abort()
    await response.body?.cancel()
    return { status: 200, code: undefined }
  }
  const { code } = (await response.json()) as { code?: unknown }
  return { status: response.status, code }
}

for (const { name, prepare } of REPLACEMENTS) {
  describe(`a store that was ${name} behind an ingest`, () => {
    it('stores a notification again that the provider repeats', () =>
      withReplaceable(async (test, store) => {
        await publish(test, 'kept')
        const older = await prepare(store.inner)
        const first = await publish(test, 'lost')
        assert.equal((await publish(test, 'lost')).replayed, true)
        store.inner = older
        const again = await publish(test, 'lost')
        assert.equal(again.replayed, false)
        assert.ok(await isStored(older, again))
        assert.notEqual(again.sequence, first.sequence)
        assert.equal((await publish(test, 'lost')).replayed, true)
      }))

    it('gets a new epoch before it gets a notification', () =>
      withReplaceable(async (test, store) => {
        await publish(test, 'kept')
        const older = await prepare(store.inner)
        const before = await readOrCreateEpoch(store.inner, () => 'unused')
        await publish(test, 'lost')
        store.inner = older
        await publish(test, 'new')
        const { epoch } = await readOrCreateEpoch(older, () => 'unused')
        assert.notEqual(epoch, before.epoch)
      }))

    it('never gives out a number again that was given out and lost', () =>
      withReplaceable(async (test, store) => {
        await publish(test, 'kept')
        const older = await prepare(store.inner)
        const lost = await publish(test, 'lost')
        store.inner = older
        const { sequence } = await publish(test, 'new')
        assert.ok(BigInt(sequence) > BigInt(lost.sequence), `${sequence} after ${lost.sequence}`)
      }))
  })

  describe(`a store that was ${name} behind a listening service`, () => {
    it('refuses positions of what was lost, also when new notifications have passed them', () =>
      withReplaceable(async (test, store) => {
        await test.publish('A1')
        const older = await prepare(store.inner)
        await test.publish('A2')
        const response = await test.call('/api/v1/watch?event=flight&from_id=1')
        const events = readEvents(response)
        const seen = await events.next(({ data }) => data.includes('A2'))
        const position = seen.id ?? ''
        assert.equal((await listen(test, `from=${position}`)).status, 200)
        // Others write before the service comes back, so that its revision is in the past of the store.
        const others = await copyOf(older)
        for (const key of ['/x/1', '/x/2', '/x/3', '/x/4', '/x/5', '/x/6'])
          await others.txn({
            compare: [],
            success: [{ kind: 'put', key: toBytes(key), value: new Uint8Array([1]) }],
          })
        store.inner = others
        store.breakAll()
        const ended = await events.next(({ event }) => event === 'connection-closing')
        assert.equal((JSON.parse(ended.data) as { detail: string }).detail, 'store_unavailable')
        await test.publish('A3')
        assert.deepEqual(await listen(test, `from=${position}`), { status: 410, code: 'EPOCH_CHANGED' })
      }))

    it('never calls a start gone that every store has', () =>
      withReplaceable(async (test, store) => {
        await test.publish('A1')
        const older = await prepare(store.inner)
        await test.publish('A2')
        const answers = new Set<string>()
        const ask = async (query: string): Promise<number> => {
          const { status, code } = await listen(test, query)
          answers.add(`${status} ${String(code)}`)
          return status
        }
        store.inner = older
        // The watch of the hub has not noticed anything yet, but a reader of history does.
        for (const query of ['from_id=0', 'from_id=1', 'from_date=2020-01-01T00:00:00Z']) await ask(query)
        store.breakAll()
        for (const query of ['from_id=0', 'from_date=2020-01-01T00:00:00Z'])
          await eventually('the store has its new epoch', async () => (await ask(query)) === 200)
        answers.delete('503 SERVICE_UNAVAILABLE')
        assert.deepEqual([...answers], ['200 undefined'])
      }))

    it('serves what is written then to who starts again', () =>
      withReplaceable(async (test, store) => {
        await test.publish('A1')
        const older = await prepare(store.inner)
        await test.publish('A2')
        const first = readEvents(await test.call('/api/v1/watch?event=flight'))
        await first.next(() => true)
        store.inner = older
        store.breakAll()
        await first.next(({ event }) => event === 'connection-closing')
        await eventually(
          'the store has its new epoch',
          async () => (await listen(test, 'from_id=1')).status === 200,
        )
        const again = readEvents(await test.call('/api/v1/watch?event=flight'))
        await again.next(() => true)
        await test.publish('A3')
        await again.next(({ data }) => data.includes('A3'))
        await again.close()
      }))
  })
}

describe('a number that the store has never given out', () => {
  it('is refused, except the next one', () =>
    withReplaceable(async (test) => {
      await test.publish('A1')
      await test.publish('A2')
      assert.equal((await listen(test, 'from_id=3')).status, 200)
      assert.deepEqual(await listen(test, 'from_id=4'), { status: 410, code: 'EPOCH_CHANGED' })
      const page = await (await test.call('/metrics')).text()
      assert.match(page, /aviso_foreign_positions_total\{code="ERR_EPOCH_CHANGED"\} 1/)
    }))

  it('is refused between what was kept of an older copy and what came after', () =>
    withReplaceable(async (test, store) => {
      await test.publish('A1')
      const older = await copyOf(store.inner)
      for (const number of ['A2', 'A3', 'A4']) await test.publish(number)
      store.inner = older
      store.breakAll()
      const { sequence } = await test.publish('A5')
      assert.equal((await listen(test, 'from_id=2')).status, 200)
      assert.deepEqual(await listen(test, 'from_id=4'), { status: 410, code: 'EPOCH_CHANGED' })
      assert.equal((await listen(test, `from_id=${sequence}`)).status, 200)
    }))

  it('is refused below the first number of a store that was wiped', () =>
    withReplaceable(async (test, store) => {
      for (const number of ['A1', 'A2', 'A3']) await test.publish(number)
      store.inner = createMemoryStore({ clock: systemClock })
      store.breakAll()
      const { sequence } = await test.publish('A4')
      await eventually(
        'the new store is served',
        async () => (await listen(test, 'from_id=1')).status === 200,
      )
      for (const whole of ['0', '1', sequence]) {
        assert.equal((await listen(test, `from_id=${whole}`)).status, 200, whole)
      }
      assert.deepEqual(await listen(test, 'from_id=3'), { status: 410, code: 'EPOCH_CHANGED' })
    }))

  it('ends the stream of a 2.x client in the one way that it understands', () =>
    withReplaceable(async (test) => {
      await test.publish('A1')
      const response = await test.post('/api/v1/watch', {
        event_type: 'flight',
        from_id: '9',
        identifier: {},
      })
      assert.equal(response.status, 200)
      assert.match(await response.text(), /notification_replay_limit_reached/)
    }))
})

describe('a store that is wiped a second time behind an ingest', () => {
  it('gets none of the numbers that the first wiped one got', () =>
    withReplaceable(async (test, store) => {
      let last = 0n
      for (const life of ['one', 'two', 'three']) {
        for (const number of ['A', 'B']) {
          const { sequence } = await publish(test, `${number} of ${life}`)
          assert.ok(BigInt(sequence) > last, `${sequence} after ${last}`)
          last = BigInt(sequence)
        }
        store.inner = createMemoryStore({ clock: systemClock })
      }
    }))
})

describe('two ingests on a store that was put back', () => {
  it('give it one epoch, and number on without a repeat', () =>
    withReplaceable(async (one, store) => {
      await withSystem(
        async (two) => {
          await publish(one, 'A1')
          const older = await copyOf(store.inner)
          await publish(two, 'A2')
          await publish(one, 'A3')
          store.inner = older
          const receipts = [
            await publish(one, 'B1'),
            await publish(two, 'B2'),
            await publish(one, 'A2'),
            await publish(two, 'A3'),
          ]
          assert.deepEqual(
            receipts.map(({ replayed }) => replayed),
            [false, false, false, false],
          )
          const numbers = receipts.map(({ sequence }) => Number(sequence))
          assert.deepEqual(
            numbers,
            numbers.map((_, index) => (numbers[0] ?? 0) + index),
          )
          assert.equal((await older.range({ key: toBytes('/_aviso/epoch') })).kvs[0]?.version, 2n)
        },
        { store: () => ({ ...store, close: () => Promise.resolve() }) },
      )
    }))
})

describe('an ingest that starts on a store that was put back', () => {
  it('knows the ids from before the numbers that were left out', () =>
    withReplaceable(async (one, store) => {
      // More than are read one by one.
      for (const number of ['kept', 'A2', 'A3']) await publish(one, number)
      const older = await copyOf(store.inner)
      await publish(one, 'lost')
      store.inner = older
      for (const number of ['new', 'B2', 'B3']) await publish(one, number)
      await withSystem(
        async (two) => {
          assert.equal((await publish(two, 'kept')).replayed, true)
          assert.equal((await publish(two, 'new')).replayed, true)
          assert.equal((await publish(two, 'lost')).replayed, false)
        },
        { store: () => ({ ...store, close: () => Promise.resolve() }) },
      )
    }))
})
