import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { AvisoError, KeyDamaged } from '#shared/errors.ts'
import { waitingKey } from '#shared/journal/journal.ts'
import type { PublishItem, Publisher } from '#shared/publish/publish.ts'
import { GATHER } from '#shared/publish/limits.ts'
import { createPublisher, type PublisherParts } from '#shared/publish/publisher.ts'
import { checkTxn } from '#shared/store/check.ts'
import type { Store, StoreOperation, TxnRequest, TxnResult } from '#shared/store/store.ts'
import {
  checkHistory,
  codeOf,
  history,
  IDENTITY,
  item,
  receiptOf,
} from '../../../contract/publisher_support.ts'
import { createIdleClock, createManualClock } from '../../../support/clock.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'
import { eventually } from '../../../support/waiting.ts'

const memory = createMemoryStores()

function open(store: Store, more: Partial<PublisherParts> = {}): Publisher {
  const clock = createIdleClock()
  return createPublisher({ store, clock, random: randomUUID, identity: IDENTITY, ...more })
}

/** All that a transaction and its parts may write. */
function successOf({ success, parts = [] }: TxnRequest): readonly StoreOperation[] {
  return [...success, ...parts.flatMap((part) => part.success)]
}

/** Event types in the transaction, in order. */
function typesIn(request: TxnRequest): string[] {
  return successOf(request).flatMap((operation) => {
    const key = operation.kind === 'put' ? toText(operation.key) : ''
    return key.startsWith('/_aviso/journal/') ? [key.slice('/_aviso/journal/'.length)] : []
  })
}

/** A store that keeps each transaction with its event types, and which of them applied. */
function recording(
  store: Store,
  intercept: (request: TxnRequest, types: readonly string[]) => unknown = () => undefined,
): { readonly store: Store; readonly sent: string[]; readonly requests: TxnRequest[] } {
  const sent: string[] = []
  const requests: TxnRequest[] = []
  const txn: Store['txn'] = async (request, options) => {
    const types = typesIn(request)
    requests.push(request)
    await intercept(request, types)
    const result = await store.txn(request, options)
    const isApplied = (index: number): boolean =>
      result.succeeded && result.parts?.[index]?.succeeded !== false
    sent.push(types.map((type, index) => `${type}${isApplied(index) ? '' : ':refused'}`).join(' '))
    return result
  }
  return { store: { ...store, txn }, sent, requests }
}

/** Transactions with their event types in the order of names. Lanes are ready in any order. */
function inOrder(sent: readonly string[]): string[] {
  const sorted = sent.map((text) => text.split(' ').toSorted().join(' '))
  return [...sorted.slice(0, 1), ...sorted.slice(1).toSorted()]
}

/** One notification of each event type. */
function oneOf(types: readonly string[], name = 'x', more: Partial<PublishItem> = {}): PublishItem[] {
  return types.map((type) => item(type, name, more))
}

/** Has each event type's journal read, so that all are ready in the same turn. */
async function warm(publisher: Publisher, types: readonly string[]): Promise<void> {
  for (const result of await publisher.publish(oneOf(types, 'first'))) receiptOf(result)
}

async function checkAll(store: Store, types: readonly string[], count: number): Promise<void> {
  for (const type of types) assert.equal(checkHistory(await history(store, type)).length, count, type)
}

const ABC = ['a', 'b', 'c']

describe('createJointCommit()', () => {
  it('commits what several event types have at the same time in one revision, each with its place', async () => {
    const store = memory()
    const { store: watched, sent } = recording(store)
    const results = await open(watched).publish([...oneOf(ABC), item('b', 'y'), ...oneOf(['c'], 'z')])
    assert.deepEqual(sent, ['a b c'])
    assert.equal(new Set(results.map((result) => receiptOf(result).revision)).size, 1)
    const histories = await Promise.all(ABC.map((type) => history(store, type)))
    assert.deepEqual(
      histories.map((entries) => [checkHistory(entries).length, entries[0]?.journal?.place]),
      [
        [1, undefined],
        [2, 1],
        [2, 3],
      ],
    )
  })

  it('sends alone, at once, what no other event type is beside', async () => {
    const { store, sent } = recording(memory())
    const publisher = open(store)
    for (const type of ABC) receiptOf((await publisher.publish([item(type, 'x')]))[0])
    assert.deepEqual(sent, ABC)
  })

  it('keeps to the limits of a transaction, in operations and in bytes', async () => {
    const types = Array.from({ length: 200 }, (_, index) => `t${index}`)
    const store = memory()
    const { store: watched, requests } = recording(store)
    const publisher = open(watched)
    await warm(publisher, types)
    requests.length = 0
    for (const result of await publisher.publish(oneOf(types))) receiptOf(result)
    assert.deepEqual(
      requests.map((request) => typesIn(request).length),
      [124, 76],
    )
    for (const request of requests) checkTxn(request)
    const large = oneOf(types.slice(0, 5), 'large', { value: new Uint8Array(600_000) })
    for (const result of await publisher.publish(large)) receiptOf(result)
    assert.deepEqual(
      requests.slice(2).map((request) => typesIn(request).length),
      [2, 2, 1],
    )
    requests.length = 0
    const many = types
      .slice(5, 15)
      .flatMap((type) => Array.from({ length: 110 }, (_, index) => item(type, `${index}`)))
    for (const result of await publisher.publish(many)) receiptOf(result)
    assert.deepEqual(
      requests.map((request) => typesIn(request).length),
      // The version before reads places below 128: a third event type would begin at 220.
      [2, 2, 2, 2, 2],
    )
    await checkAll(store, types.slice(0, 5), 3)
    await checkAll(store, types.slice(5, 15), 112)
    await checkAll(store, types.slice(15), 2)
  })

  it('repeats only the event type that another ingest was faster with; the others go without it', async () => {
    const store = memory()
    const { store: watched, sent } = recording(store)
    const publisher = open(watched)
    await warm(publisher, ABC)
    receiptOf((await open(store).publish([item('b', 'other')]))[0])
    sent.length = 0
    const results = await publisher.publish(oneOf(ABC))
    assert.ok(results.map(receiptOf).every(({ replayed }) => !replayed))
    assert.deepEqual(inOrder(sent), ['a b:refused c', 'b'])
    await checkAll(store, ['a', 'c'], 2)
    await checkAll(store, ['b'], 3)
  })

  it('leaves the places of an event type empty that did not apply, so that those of the others do not change', async () => {
    const store = memory()
    const { store: watched, requests } = recording(store)
    const publisher = open(watched)
    await warm(publisher, ABC)
    receiptOf((await open(store).publish([item('b', 'other')]))[0])
    requests.length = 0
    for (const result of await publisher.publish(oneOf(ABC))) receiptOf(result)
    const order = typesIn(requests[0] ?? { compare: [], success: [] })
    for (const type of ['a', 'c']) {
      const place = (await history(store, type)).at(-1)?.journal?.place ?? 0
      assert.equal(place, order.indexOf(type), type)
    }
    assert.equal((await history(store, 'b')).at(-1)?.journal?.place, undefined)
  })

  it('learns from the refusal which status document another writer has changed', async () => {
    const store = memory()
    const { store: watched, sent } = recording(store)
    const publisher = open(watched)
    await warm(publisher, ABC)
    await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes('/c/b/'), value: toBytes('foreign') }],
    })
    sent.length = 0
    const results = await publisher.publish(oneOf(ABC))
    assert.deepEqual(results.map(codeOf), ['ok', 'ok', 'ok'])
    // It has learned from the refusal all that it needs.
    assert.deepEqual(inOrder(sent), ['a b c:refused', 'c'])
  })

  it('holds no event type back, however many races others lose', async () => {
    const store = memory()
    const rival = open(store)
    let isRacing = false
    const { store: watched, sent } = recording(store, async (_, types) => {
      const [raced] = types.filter((type) => type !== 'a')
      if (isRacing && types.includes('a') && raced !== undefined)
        await rival.publish([item(raced, randomUUID())])
    })
    const types = ['a', ...Array.from({ length: 8 }, (_, index) => `b${index}`)]
    const publisher = open(watched)
    await warm(publisher, types)
    sent.length = 0
    isRacing = true
    for (const result of await publisher.publish(oneOf(types))) receiptOf(result)
    const isOfA = (word: string): boolean => word.startsWith('a')
    const words = sent.flatMap((text) => text.split(' '))
    assert.deepEqual(words.filter(isOfA), ['a'])
    assert.ok(words.length > types.length, 'no race was lost')
  })

  it('leaves the sign of an ingest that waits for its own event type only', async () => {
    const store = memory()
    const rival = open(store)
    let races = 0
    const { store: watched } = recording(store, async (_, types) => {
      if (types.includes('b') && races++ < 4) await rival.publish([item('b', randomUUID())])
    })
    const publisher = open(watched)
    for (const result of await publisher.publish(oneOf(ABC))) receiptOf(result)
    const signs = await Promise.all(
      ABC.map(async (type) => (await store.range({ key: toBytes(waitingKey(type)) })).kvs.length),
    )
    assert.deepEqual(signs, [0, 1, 0])
    await Promise.all([publisher.close(), rival.close()])
  })

  it('sees the sign of another ingest in a transaction of several event types', async () => {
    const store = memory()
    const publisher = open(store)
    await warm(publisher, ABC)
    await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes(waitingKey('b')), value: toBytes('other') }],
    })
    for (const name of ['x', 'y', 'z']) await publisher.publish(oneOf(ABC, name))
    const ends = await Promise.all(
      ABC.map(async (type) =>
        (await history(store, type)).some(({ journal }) => journal?.ends_turn === true),
      ),
    )
    assert.deepEqual(ends, [false, true, false])
    await publisher.close()
  })

  for (const code of ['ERR_TOO_LARGE', 'ERR_INVALID_RANGE'] as const) {
    it(`fails only the notification that the store refuses, whatever is beside it (${code})`, async () => {
      const { store } = recording(memory(), (request) => {
        const isPoison = successOf(request).some(
          (operation) => operation.kind === 'put' && toText(operation.key).includes('poison'),
        )
        if (isPoison) throw new AvisoError(code, 'as the test wants it')
      })
      const items = [...oneOf(ABC), item('b', 'poison'), ...oneOf(ABC, 'y')]
      const codes = (await open(store).publish(items)).map(codeOf)
      assert.deepEqual(codes, ['ok', 'ok', 'ok', code, 'ok', 'ok', 'ok'])
    })
  }

  it('passes a damaged status document of one event type, and stores all', async () => {
    const store = memory()
    const { store: watched, sent } = recording(store, (request) => {
      const key = toBytes('/b/b/')
      const isGuarded = [request, ...(request.parts ?? [])]
        .flatMap(({ compare }) => compare)
        .some((guard) => toText(guard.key) === '/b/b/' && guard.target === 'MOD' && guard.value === 0n)
      if (isGuarded) throw new KeyDamaged('as the test wants it', { key, name: '/b/b/', revision: 0n })
    })
    let isFailed = false
    const once: Store['txn'] = async (request, options) => {
      if (isFailed) return store.txn(request, options)
      try {
        return await watched.txn(request, options)
      } catch (error) {
        isFailed = typesIn(request).length === 1
        throw error
      }
    }
    const results = await open({ ...store, txn: once }).publish(oneOf(ABC))
    assert.deepEqual(results.map(codeOf), ['ok', 'ok', 'ok'])
    assert.ok(sent.every((text) => !text.includes(':refused')))
    await checkAll(store, ABC, 1)
  })

  it('recognises in each event type its own write whose answer was lost', async () => {
    const store = memory()
    let isLost = false
    const txn: Store['txn'] = async (request, options): Promise<TxnResult> => {
      const result = await store.txn(request, options)
      if (typesIn(request).length < 3 || isLost) return result
      isLost = true
      throw new AvisoError('ERR_OUTCOME_UNKNOWN', 'Sent, but not answered')
    }
    const publisher = open({ ...store, txn })
    const results = await publisher.publish(oneOf(ABC))
    assert.equal(isLost, true)
    assert.ok(results.map(receiptOf).every(({ replayed }) => !replayed))
    await checkAll(store, ABC, 1)
  })

  it('writes keys that event types share one after the other', async () => {
    const store = memory()
    const { store: watched } = recording(store)
    const shared = ABC.map((type) => ({ ...item('same', `x-${type}`), event: type }))
    const results = await open(watched).publish(shared)
    assert.equal(new Set(results.map((result) => receiptOf(result).revision)).size, 3)
  })

  it('waits for a transaction that does not come back no longer than the bound', async () => {
    const store = memory()
    const clock = createManualClock()
    const hung: string[] = []
    let isHung = false
    const txn: Store['txn'] = async (request, options) => {
      const types = typesIn(request)
      if (isHung && (types[0] ?? '').startsWith('hung')) {
        hung.push(...types)
        return new Promise(() => undefined)
      }
      return store.txn(request, options)
    }
    const publisher = open({ ...store, txn }, { clock })
    const names = Array.from({ length: GATHER.waves }, (_, index) => `hung${index}`)
    await warm(publisher, [...names, 'free'])
    isHung = true
    for (const [index, name] of names.entries()) {
      void publisher.publish([item(name, 'x')])
      await eventually('it hangs', () => hung.length === index + 1, 0)
    }
    let isStored = false
    const free = publisher.publish([item('free', 'x')]).then(([result]) => {
      isStored = true
      return receiptOf(result)
    })
    await clock.advance(GATHER.mostMs - 1)
    assert.equal(isStored, false)
    await clock.advance(1)
    assert.equal((await free).sequence, 2n)
  })

  it('starts each event type over where the store was replaced', async () => {
    const first = memory()
    const second = memory()
    let store = first
    const swapped: Store = {
      ...first,
      range: (request, options) => store.range(request, options),
      txn: (request, options) => store.txn(request, options),
      watch: (request) => store.watch(request),
    }
    const publisher = open(swapped)
    await warm(publisher, ABC)
    store = second
    for (const result of await publisher.publish(oneOf(ABC))) receiptOf(result)
    for (const type of ABC) {
      const [entry, ...rest] = await history(second, type)
      assert.deepEqual([entry?.journal?.prev, rest.length], ['0', 0], type)
    }
  })
})
