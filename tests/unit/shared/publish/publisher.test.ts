import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { AvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { readOrCreateEpoch, renewEpoch } from '#shared/journal/epoch.ts'
import { parseJournal } from '#shared/journal/codec.ts'
import { journalKey, waitingKey } from '#shared/journal/journal.ts'
import { createPublisher, type PublisherParts } from '#shared/publish/publisher.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'
import type { Store, StoreOperation, TxnRequest } from '#shared/store/store.ts'
import {
  checkHistory,
  codeOf,
  history,
  IDENTITY,
  item,
  receiptOf,
} from '../../../contract/publisher_support.ts'
import { createFlakyStore } from '../../../contract/hub_flaky_store.ts'
import { copyOf } from '../../../support/older_copy.ts'
import { createIdleClock, createManualClock } from '../../../support/clock.ts'

const memory = createMemoryStores()

function open(store: Store, more: Partial<PublisherParts> = {}) {
  const clock = createIdleClock()
  return createPublisher({ store, clock, random: randomUUID, identity: IDENTITY, ...more })
}

/** A store whose transactions go through `intercept`, which may throw. */
function intercepted(store: Store, intercept: (request: TxnRequest) => void | Promise<void>): Store {
  return {
    ...store,
    txn: async (request, options) => {
      await intercept(request)
      return store.txn(request, options)
    },
  }
}

function writes(request: TxnRequest, part: string): boolean {
  return request.success.some(
    (operation: StoreOperation) => operation.kind === 'put' && toText(operation.key).includes(part),
  )
}

function failWith(code: AvisoErrorCode): never {
  throw new AvisoError(code, 'as the test wants it')
}

/** Room for one transaction, which is refused like the ones after it. @param ask Called before each transaction that writes nothing. */
function withLastRoom(store: Store, ask: () => void): Store {
  let isFull = false
  const txn: Store['txn'] = async (request, options) => {
    if (!writes(request, '')) {
      ask()
      return store.txn(request, options)
    }
    if (!isFull) await store.txn(request, options)
    isFull = true
    return failWith('ERR_STORE_FULL')
  }
  return { ...store, txn }
}

describe('createPublisher()', () => {
  it('sends the first item at once, and joins what arrives meanwhile', async () => {
    const sizes: number[] = []
    const publisher = open(intercepted(memory(), (request) => void sizes.push(request.success.length)))
    const first = publisher.publish([item('e', 'a')])
    const joined = publisher.publish([item('e', 'b')])
    await first
    await joined
    assert.deepEqual(sizes, [5])
  })

  it('answers an empty list', async () => {
    assert.deepEqual(await open(memory()).publish([]), [])
  })

  it('refuses at once when its waiting room is full', async () => {
    const publisher = open(memory(), { limits: { maxItems: 2 } })
    const results = await publisher.publish(['a', 'b', 'c'].map((name) => item('e', name)))
    assert.deepEqual(results.map(codeOf), ['ok', 'ok', 'ERR_OVERLOADED'])
    assert.equal(codeOf((await publisher.publish([item('e', 'c')]))[0]), 'ok', 'room is given back')
    const small = open(memory(), { limits: { maxBytes: 1 } })
    assert.deepEqual((await small.publish([item('e', 'a'), item('e', 'b')])).map(codeOf), [
      'ok',
      'ERR_OVERLOADED',
    ])
  })

  it('refuses what fits no transaction, and keys that collide', async () => {
    const same = item('e', 'x')
    const results = await open(memory()).publish([
      item('e', 'large', { value: new Uint8Array(1_400_000) }),
      { ...same, keys: { ...same.keys, stem: same.keys.base } },
      { ...same, keys: { ...same.keys, admin: same.keys.stem } },
      { ...same, keys: { ...same.keys, stem: journalKey('e') } },
      item('e', 'fits', { value: new Uint8Array(1_390_000) }),
    ])
    assert.deepEqual(results.map(codeOf), [
      'ERR_TOO_LARGE',
      ...Array<string>(3).fill('ERR_INVALID_NOTIFICATION'),
      'ok',
    ])
  })

  it('splits at the limits of a transaction', async () => {
    const store = memory()
    const space = 'e'
    const many = Array.from({ length: 200 }, (_, index) =>
      item(space, `n${index}`, { base: `b${index}`, admin: `a${index}` }),
    )
    const large = Array.from({ length: 5 }, (_, index) =>
      item(space, `large${index}`, { value: new Uint8Array(600_000) }),
    )
    for (const result of await open(store).publish([...many, ...large])) receiptOf(result)
    const entries = await history(store, space)
    assert.equal(checkHistory(entries).length, 205)
    assert.equal(Math.max(...entries.map(({ writes: written }) => written.length + 1)), 127)
  })

  it('fails only the item that the store refuses', async () => {
    for (const code of ['ERR_TOO_LARGE', 'ERR_INVALID_RANGE'] as const) {
      const store = memory()
      const publisher = open(
        intercepted(store, (request) => (writes(request, 'poison') ? failWith(code) : undefined)),
      )
      const results = await publisher.publish(
        Array.from({ length: 90 }, (_, index) => item('e', index === 41 ? 'poison' : `n${index}`)),
      )
      assert.deepEqual(
        results.map(codeOf),
        Array.from({ length: 90 }, (_, index) => (index === 41 ? code : 'ok')),
      )
      assert.equal(checkHistory(await history(store, 'e')).length, 89)
    }
  })

  it('fails only the items whose lease is refused', async () => {
    const results = await open(memory()).publish([
      item('e', 'a', { ttlSeconds: 0.5 }),
      item('e', 'b', { ttlSeconds: 5 }),
      item('e', 'c'),
    ])
    assert.deepEqual(results.map(codeOf), ['ERR_INVALID_RANGE', 'ok', 'ok'])
  })

  it('takes a new lease when the store has lost the one it knew', async () => {
    const store = memory()
    let lost = 1
    const publisher = open(intercepted(store, () => (lost-- > 0 ? failWith('ERR_NOT_FOUND') : undefined)))
    assert.equal(codeOf((await publisher.publish([item('e', 'a', { ttlSeconds: 5 })]))[0]), 'ok')
  })

  it('passes on that the store is full, without trying again', async () => {
    let tries = 0
    const publisher = open(
      intercepted(memory(), (request) => {
        if (!writes(request, '')) return
        tries++
        failWith('ERR_STORE_FULL')
      }),
    )
    assert.deepEqual((await publisher.publish([item('e', 'a'), item('e', 'b')])).map(codeOf), [
      'ERR_STORE_FULL',
      'ERR_STORE_FULL',
    ])
    assert.equal(tries, 1)
  })

  it('acknowledges what a store has stored with its last room, and refused all the same, as etcd does', async () => {
    const store = memory()
    const publisher = open(withLastRoom(store, () => undefined))
    const results = await publisher.publish([item('e', 'a'), item('e', 'b')])
    assert.deepEqual(results.map(codeOf), ['ok', 'ok'])
    assert.deepEqual((await publisher.publish([item('e', 'c')])).map(codeOf), ['ERR_STORE_FULL'])
    assert.equal(checkHistory(await history(store, 'e')).length, 2)
  })

  it('says that nothing is known where a full store cannot be asked what it has stored', async () => {
    const publisher = open(withLastRoom(memory(), () => failWith('ERR_STORE_UNAVAILABLE')))
    assert.deepEqual((await publisher.publish([item('e', 'a')])).map(codeOf), ['ERR_OUTCOME_UNKNOWN'])
  })

  it('tries again while the store is away, and says at the deadline that nothing was stored', async () => {
    const store = memory()
    let away = 3
    const publisher = open(
      intercepted(store, () => (away-- > 0 ? failWith('ERR_STORE_UNAVAILABLE') : undefined)),
    )
    assert.equal(codeOf((await publisher.publish([item('e', 'a')]))[0]), 'ok')
    away = Infinity
    assert.equal(codeOf((await publisher.publish([item('e', 'b')]))[0]), 'ERR_STORE_UNAVAILABLE')
    assert.equal(checkHistory(await history(store, 'e')).length, 1)
  })

  it('says at the deadline that the outcome is unknown, and recognises the late write when the id comes again', async () => {
    const store = memory()
    const ghosts: TxnRequest[] = []
    let broken = true
    const publisher = open({
      ...store,
      txn: async (request) => {
        if (!broken) return store.txn(request)
        ghosts.push(request)
        return failWith('ERR_OUTCOME_UNKNOWN')
      },
    })
    const sent = item('e', 'a')
    assert.equal(codeOf((await publisher.publish([sent]))[0]), 'ERR_OUTCOME_UNKNOWN')
    assert.ok(ghosts.length > 2)
    broken = false
    for (const ghost of ghosts.toReversed()) await store.txn(ghost)
    assert.equal(receiptOf((await publisher.publish([sent]))[0]).replayed, true)
    assert.equal(checkHistory(await history(store, 'e')).length, 1)
  })

  it('recognises its own write whose answer was lost: that is no replay', async () => {
    for (const fault of ['answerLost', 'repeated'] as const) {
      const store = memory()
      let faults = 1
      const publisher = open({
        ...store,
        txn: async (request) => {
          const result = await store.txn(request)
          if (faults-- <= 0) return result
          return fault === 'repeated' ? store.txn(request) : failWith('ERR_OUTCOME_UNKNOWN')
        },
      })
      const receipts = (await publisher.publish([item('e', 'a'), item('e', 'b')])).map(receiptOf)
      assert.deepEqual(
        receipts.map(({ replayed, sequence }) => [replayed, sequence]),
        [
          [false, 1n],
          [false, 2n],
        ],
      )
      assert.equal(checkHistory(await history(store, 'e')).length, 2)
    }
  })

  it('says that the outcome is unknown where the history that would tell it is compacted', async () => {
    const store = memory()
    let isAbandoned = false
    const abandoning = open({
      ...store,
      txn: async (request, options) => {
        if (!isAbandoned || !writes(request, 'late')) return store.txn(request, options)
        isAbandoned = false
        // Nobody can say whether this was applied: others write, and what they wrote is compacted.
        const other = open(store)
        for (const name of ['b', 'c', 'd', 'e']) receiptOf((await other.publish([item('e', name)]))[0])
        await store.compact((await store.status()).revision)
        return failWith('ERR_OUTCOME_UNKNOWN')
      },
    })
    receiptOf((await abandoning.publish([item('e', 'a')]))[0])
    isAbandoned = true
    const [late] = await abandoning.publish([item('e', 'late')])
    assert.equal(codeOf(late), 'ERR_OUTCOME_UNKNOWN')
    const { kvs } = await store.range({ key: toBytes('/e/b/late') })
    assert.deepEqual(kvs, [], 'it is not sent again')
  })

  it('notices an older copy whose history has been compacted beyond what was lost', async () => {
    const store = createFlakyStore(memory())
    await readOrCreateEpoch(store, randomUUID)
    const publisher = open(store)
    receiptOf((await publisher.publish([item('e', 'a')]))[0])
    const older = await copyOf(store.inner)
    const lost = item('e', 'lost')
    receiptOf((await publisher.publish([lost]))[0])
    store.inner = older
    for (const key of ['x', 'y'])
      await older.txn({ compare: [], success: [{ kind: 'put', key: toBytes(key), value: toBytes('1') }] })
    await older.compact((await older.status()).revision)
    const { replayed, sequence } = receiptOf((await publisher.publish([lost]))[0])
    assert.deepEqual([replayed, sequence], [false, 1_000_000_001n])
  })

  it('publishes under no epoch that was renewed, and leaves the lost numbers out', async () => {
    const store = memory()
    const { epoch } = await readOrCreateEpoch(store, randomUUID)
    const publisher = open(store)
    assert.equal(receiptOf((await publisher.publish([item('e', 'a')]))[0]).sequence, 1n)
    await renewEpoch(store, epoch, randomUUID)
    const numbers = []
    for (const name of ['b', 'c']) {
      for (const each of [publisher, open(store)])
        numbers.push(receiptOf((await each.publish([item('e', name + numbers.length)]))[0]).sequence)
    }
    assert.deepEqual(numbers, [1_000_000_001n, 1_000_000_002n, 1_000_000_003n, 1_000_000_004n])
  })

  it('numbers no event type from 1 in a store that was wiped: somebody may have seen those numbers', async () => {
    const store = memory()
    await renewEpoch(store, 'lost', randomUUID)
    assert.equal(receiptOf((await open(store).publish([item('e', 'a')]))[0]).sequence, 1_000_000_001n)
  })

  it('gives up a store that never answers', async () => {
    const silent: Store = { ...memory(), txn: () => new Promise(() => undefined) }
    assert.equal(codeOf((await open(silent).publish([item('e', 'a')]))[0]), 'ERR_OUTCOME_UNKNOWN')
    const deaf: Store = { ...memory(), range: () => new Promise(() => undefined) }
    assert.equal(codeOf((await open(deaf).publish([item('e', 'a')]))[0]), 'ERR_STORE_UNAVAILABLE')
  })

  it('fails at once, naming the key, where the journal is not ours', async () => {
    const store = memory()
    await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes(journalKey('e')), value: toBytes('x') }],
    })
    const [result] = await open(store).publish([item('e', 'a')])
    assert.equal(codeOf(result), 'ERR_STORE_PROTOCOL')
    assert.ok(result?.ok === false && result.error.message.includes(journalKey('e')))
  })

  it('goes on numbering where the journal was compacted, or deleted while it runs', async () => {
    const store = memory()
    const publisher = open(store)
    for (const name of ['a', 'b', 'c']) receiptOf((await publisher.publish([item('e', name)]))[0])
    await store.compact((await store.status()).revision)
    assert.equal(receiptOf((await open(store).publish([item('e', 'd')]))[0]).sequence, 4n)
    assert.equal(receiptOf((await publisher.publish([item('e', 'e')]))[0]).sequence, 5n)
    await store.txn({ compare: [], success: [{ kind: 'delete', range: { key: toBytes(journalKey('e')) } }] })
    assert.equal(receiptOf((await publisher.publish([item('e', 'f')]))[0]).sequence, 6n)
  })

  for (const jumpMs of [-3_600_000, 3_600_000]) {
    it(`answers at its deadline where the date jumps by ${jumpMs} ms`, async () => {
      const clock = createManualClock()
      const away = intercepted(memory(), () => failWith('ERR_STORE_UNAVAILABLE'))
      let result: string | undefined
      void open(away, { clock })
        .publish([item('e', 'a')])
        .then(([answer]) => (result = codeOf(answer)))
      await clock.advance(1_000)
      clock.jump(jumpMs)
      await clock.advance(8_000)
      assert.equal(result, undefined)
      await clock.advance(3_000)
      assert.equal(result, 'ERR_STORE_UNAVAILABLE')
    })
  }

  it('never lets the journal go back in time', async () => {
    const store = memory()
    const clock = createManualClock()
    const publisher = open(store, { clock })
    const [first] = await publisher.publish([item('e', 'a')])
    clock.jump(-5_000)
    const [second] = await publisher.publish([item('e', 'b')])
    assert.equal(receiptOf(second).committedAt, receiptOf(first).committedAt)
  })

  it('learns of many foreign commits before its next own', async () => {
    const store = memory()
    const idle = open(store)
    const busy = open(store)
    receiptOf((await idle.publish([item('e', 'first')]))[0])
    const foreign = Array.from({ length: 30 }, (_, index) => item('e', `n${index}`))
    for (const one of foreign) receiptOf((await busy.publish([one]))[0])
    const results = await idle.publish([...foreign, item('e', 'last')])
    assert.deepEqual(
      results.map((result) => receiptOf(result).replayed),
      [...foreign.map(() => true), false],
    )
    assert.equal(checkHistory(await history(store, 'e')).length, 32)
  })

  for (const when of ['at its first read', 'while it learns what others wrote'] as const) {
    it(`goes on with a store that was replaced ${when}`, async () => {
      const store = memory()
      let isGone = false
      const range: Store['range'] = async (request, options) => {
        if (!isGone || request.revision === undefined) return store.range(request, options)
        isGone = false
        failWith('ERR_FUTURE_POSITION')
      }
      const busy = open(store)
      const idle = open({ ...store, range })
      if (when === 'while it learns what others wrote')
        receiptOf((await idle.publish([item('e', 'first')]))[0])
      for (let n = 0; n < 3; n++) receiptOf((await busy.publish([item('e', `n${n}`)]))[0])
      isGone = true
      assert.equal(receiptOf((await idle.publish([item('e', 'last')]))[0]).replayed, false)
      assert.equal(isGone, false)
    })
  }

  it('leaves a sign when it loses again, and ends its turn at the sign of another', async () => {
    const store = memory()
    const winner = open(store)
    receiptOf((await winner.publish([item('e', 'first')]))[0])
    let races = 0
    const loser = open(
      intercepted(store, async () => {
        if (races++ < 5) receiptOf((await winner.publish([item('e', `w${races}`)]))[0])
      }),
    )
    receiptOf((await loser.publish([item('e', 'l')]))[0])
    assert.ok((await store.range({ key: toBytes(waitingKey('e')) })).kvs.length === 1)
    assert.equal(checkHistory(await history(store, 'e')).length, 7)
    const { revision } = await store.status()
    const ends: boolean[] = []
    for (let at = 1n; at <= revision; at++) {
      const [kv] = (await store.range({ key: toBytes(journalKey('e')), revision: at })).kvs
      if (kv?.modRevision === at) ends.push(parseJournal(kv.value, 'e').ends_turn === true)
    }
    assert.deepEqual([ends.at(0), ends.includes(true)], [false, true])
    await Promise.all([winner.close(), loser.close()])
  })

  it('drains when closed, and then refuses', async () => {
    const store = memory()
    const publisher = open(store)
    const accepted = publisher.publish(Array.from({ length: 300 }, (_, index) => item('e', `n${index}`)))
    await Promise.all([publisher.close(), publisher.close()])
    assert.ok((await accepted).every(({ ok }) => ok))
    assert.equal(codeOf((await publisher.publish([item('e', 'late')]))[0]), 'ERR_STORE_UNAVAILABLE')
  })
})
