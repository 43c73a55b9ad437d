/**
 * Store contract: guarded transactions.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { MAX_TXN_BYTES, MAX_TXN_OPERATIONS, type Compare, type CompareResult } from '#shared/store/store.ts'
import {
  commit,
  deleteOperation,
  get,
  put,
  putOperation,
  rangeTexts,
  rejects,
  remove,
  revisionOf,
  startWatch,
  type Subject,
} from './store_support.ts'

const RESULTS: readonly CompareResult[] = ['EQUAL', 'NOT_EQUAL', 'GREATER', 'LESS']

/** Names of the results that hold when the key's value is on this side of the guard's. */
const HOLDING = { below: 'NOT_EQUAL LESS', same: 'EQUAL', above: 'NOT_EQUAL GREATER' } as const

export function txnContract(subject: Subject): void {
  /** The results of {@link RESULTS} for which a guard holds. */
  async function holding(guard: (result: CompareResult) => Compare): Promise<string> {
    const held: CompareResult[] = []
    for (const result of RESULTS) {
      if ((await subject.store().txn({ compare: [guard(result)], success: [] })).succeeded) held.push(result)
    }
    return held.join(' ')
  }

  describe('txn() guards', () => {
    it('compares numbers of a key', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const key = space.key('a')
      const lease = await store.grantLease(600)
      const create = await put(store, key)
      const mod = await put(store, key, 'v', lease)
      const numbers = { CREATE: create, MOD: mod, VERSION: 2n, LEASE: lease } as const
      for (const target of ['CREATE', 'MOD', 'VERSION', 'LEASE'] as const) {
        const guard =
          (value: bigint) =>
          (result: CompareResult): Compare => ({ key, target, result, value })
        assert.equal(await holding(guard(numbers[target] + 1n)), HOLDING.below, target)
        assert.equal(await holding(guard(numbers[target])), HOLDING.same, target)
        assert.equal(await holding(guard(numbers[target] - 1n)), HOLDING.above, target)
      }
    })

    it('compares the value of a key as bytes', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const key = space.key('a')
      await put(store, key, '\uFFFD')
      const guard =
        (value: string) =>
        (result: CompareResult): Compare => ({ key, target: 'VALUE', result, value: toBytes(value) })
      assert.equal(await holding(guard('\u{10000}')), HOLDING.below)
      assert.equal(await holding(guard('\uFFFD')), HOLDING.same)
      assert.equal(await holding(guard('\uFFFD2')), HOLDING.below)
      assert.equal(await holding(guard('')), HOLDING.above)
    })

    it('takes the numbers of an absent or deleted key for 0, and its value for incomparable', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await put(store, space.key('deleted'))
      await remove(store, { key: space.key('deleted') })
      for (const key of [space.key('absent'), space.key('deleted')]) {
        for (const target of ['CREATE', 'MOD', 'VERSION', 'LEASE'] as const) {
          assert.equal(await holding((result) => ({ key, target, result, value: 0n })), HOLDING.same, target)
          assert.equal(await holding((result) => ({ key, target, result, value: 1n })), HOLDING.below, target)
        }
        assert.equal(await holding((result) => ({ key, target: 'VALUE', result, value: toBytes('') })), '')
        assert.equal(await holding((result) => ({ key, target: 'VALUE', result, value: toBytes('x') })), '')
      }
    })

    it('runs success only where every guard holds, else failure', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const absent = (name: string): Compare => ({
        key: space.key(name),
        target: 'VERSION',
        result: 'EQUAL',
        value: 0n,
      })
      const request = {
        success: [putOperation(space.key('done'), 'success')],
        failure: [putOperation(space.key('done'), 'failure')],
      }
      const yes = await store.txn({ compare: [absent('a'), absent('b')], ...request })
      assert.deepEqual([yes.succeeded, yes.results], [true, [{ kind: 'put' }]])
      await put(store, space.key('b'))
      const no = await store.txn({ compare: [absent('a'), absent('b')], ...request })
      assert.deepEqual([no.succeeded, no.results], [false, [{ kind: 'put' }]])
      assert.equal(toText((await get(store, space.key('done')))?.value ?? toBytes('')), 'failure')
    })

    it('does nothing where a guard fails and there is no failure branch', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const before = await revisionOf(store)
      const compare: Compare[] = [{ key: space.key('a'), target: 'VERSION', result: 'GREATER', value: 0n }]
      const result = await store.txn({ compare, success: [putOperation(space.key('a'))] })
      assert.deepEqual([result.succeeded, result.results, result.revision], [false, [], before])
      assert.equal(await get(store, space.key('a')), undefined)
    })

    it('lets exactly one of many concurrent writers through one guard', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const compare: Compare[] = [{ key: space.key('a'), target: 'CREATE', result: 'EQUAL', value: 0n }]
      const attempts = Array.from({ length: 16 }, (_, index) =>
        store.txn({
          compare,
          success: [putOperation(space.key('a'), `${index}`)],
          failure: [{ kind: 'range', range: { key: space.key('a') } }],
        }),
      )
      const results = await Promise.all(attempts)
      const winner = results.findIndex(({ succeeded }) => succeeded)
      assert.equal(results.filter(({ succeeded }) => succeeded).length, 1)
      for (const [index, result] of results.entries()) {
        if (index !== winner) assert.deepEqual(rangeTexts(result.results[0]), [`${winner}`])
      }
    })
  })

  describe('txn() effects', () => {
    it('writes several puts and a delete in one revision', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await put(store, space.key('gone'))
      const before = await revisionOf(store)
      const result = await commit(
        store,
        putOperation(space.key('b'), '1'),
        deleteOperation({ key: space.key('gone') }),
        putOperation(space.key('a'), '2'),
      )
      assert.ok(result.revision > before)
      assert.deepEqual(result.results, [{ kind: 'put' }, { kind: 'delete', deleted: 1n }, { kind: 'put' }])
      const { kvs } = await store.range(space.all)
      assert.deepEqual(
        kvs.map((kv) => [space.name(kv.key), kv.createRevision, kv.modRevision]),
        [
          ['a', result.revision, result.revision],
          ['b', result.revision, result.revision],
        ],
      )
      assert.equal(await revisionOf(store), result.revision)
    })

    it('counts what a range deletion deletes', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await commit(store, ...['a', 'b', 'c'].map((name) => putOperation(space.key(name))))
      const result = await commit(store, deleteOperation({ key: space.key('a'), end: space.key('c') }))
      assert.deepEqual(result.results, [{ kind: 'delete', deleted: 2n }])
      assert.equal((await store.range(space.all)).count, 1n)
    })

    it('makes no revision when it writes nothing', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await put(store, space.key('a'), 'kept')
      const before = await revisionOf(store)
      const reading = await commit(store, { kind: 'range', range: space.all })
      assert.deepEqual([reading.revision, rangeTexts(reading.results[0])], [before, ['kept']])
      const deleting = await commit(store, deleteOperation({ key: space.key('absent') }))
      assert.deepEqual([deleting.revision, deleting.results], [before, [{ kind: 'delete', deleted: 0n }]])
      assert.equal((await commit(store)).revision, before)
      assert.equal(await revisionOf(store), before)
    })

    it('shows a range what the operations before it did, and not those after it', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await commit(store, putOperation(space.key('a'), 'old'), putOperation(space.key('c'), 'old'))
      const read = { kind: 'range', range: space.all } as const
      const { results, revision } = await commit(
        store,
        read,
        putOperation(space.key('a'), 'new'),
        read,
        putOperation(space.key('b'), 'new'),
        deleteOperation({ key: space.key('c') }),
        read,
      )
      assert.deepEqual(
        [0, 2, 5].map((index) => rangeTexts(results[index])),
        [
          ['old', 'old'],
          ['new', 'old'],
          ['new', 'new'],
        ],
      )
      const last = results[5]
      assert.ok(last?.kind === 'range')
      assert.deepEqual(
        last.result.kvs.map((kv) => kv.modRevision),
        [revision, revision],
      )
      assert.equal(last.result.count, 2n)
    })

    it('writes the same value again as a new version', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await put(store, space.key('a'), 'same')
      await put(store, space.key('a'), 'same')
      assert.equal((await get(store, space.key('a')))?.version, 2n)
    })

    it('keeps every one of many concurrent puts', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const revisions = await Promise.all(
        Array.from({ length: 100 }, (_, index) => put(store, space.key(`${index}`))),
      )
      assert.equal(new Set(revisions).size, 100)
      const { kvs } = await store.range({ ...space.all, sortTarget: 'MOD', sortOrder: 'ASCEND' })
      assert.deepEqual(
        kvs.map((kv) => revisions[Number(space.name(kv.key))]),
        revisions.toSorted((a, b) => Number(a - b)),
      )
    })
  })

  describe('txn() refusals', () => {
    it('refuses a key that is written twice, and changes nothing', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const before = await revisionOf(store)
      await rejects(
        commit(store, putOperation(space.key('a')), putOperation(space.key('a'), 'w')),
        'ERR_INVALID_RANGE',
      )
      await rejects(
        commit(store, putOperation(space.key('a')), deleteOperation(space.all)),
        'ERR_INVALID_RANGE',
      )
      await rejects(
        commit(store, deleteOperation({ key: space.key('a') }), putOperation(space.key('a'))),
        'ERR_INVALID_RANGE',
      )
      await rejects(
        store.txn({
          compare: [],
          success: [],
          failure: [putOperation(space.key('a')), putOperation(space.key('a'))],
        }),
        'ERR_INVALID_RANGE',
      )
      assert.equal(await revisionOf(store), before)
      // The two branches never run together.
      await store.txn({
        compare: [],
        success: [putOperation(space.key('a'))],
        failure: [putOperation(space.key('a'))],
      })
    })

    it('refuses more operations than etcd takes, and takes as many', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const puts = Array.from({ length: MAX_TXN_OPERATIONS + 1 }, (_, index) =>
        putOperation(space.key(`${index}`)),
      )
      await rejects(commit(store, ...puts), 'ERR_TOO_LARGE')
      await rejects(store.txn({ compare: [], success: [], failure: puts }), 'ERR_TOO_LARGE')
      assert.equal((await store.range(space.all)).count, 0n)
      await commit(store, ...puts.slice(1))
      assert.equal((await store.range(space.all)).count, BigInt(MAX_TXN_OPERATIONS))
    })

    it('refuses more bytes than etcd takes, and takes nearly as many', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const half = new Uint8Array(MAX_TXN_BYTES / 2 + 1)
      await rejects(put(store, space.key('a'), new Uint8Array(MAX_TXN_BYTES + 1)), 'ERR_TOO_LARGE')
      await rejects(
        commit(store, putOperation(space.key('a'), half), putOperation(space.key('b'), half)),
        'ERR_TOO_LARGE',
      )
      assert.equal((await store.range(space.all)).count, 0n)
      const large = new Uint8Array(MAX_TXN_BYTES - 1_000).fill(0xff)
      await put(store, space.key('a'), large)
      assert.equal((await get(store, space.key('a')))?.value.length, large.length)
    })

    it('refuses empty keys in every place', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const empty = toBytes('')
      await rejects(commit(store, putOperation(empty)), 'ERR_INVALID_RANGE')
      await rejects(commit(store, deleteOperation({ key: empty })), 'ERR_INVALID_RANGE')
      await rejects(commit(store, deleteOperation({ key: space.key('a'), end: empty })), 'ERR_INVALID_RANGE')
      await rejects(commit(store, { kind: 'range', range: { key: empty } }), 'ERR_INVALID_RANGE')
      const compare: Compare[] = [{ key: empty, target: 'MOD', result: 'EQUAL', value: 0n }]
      await rejects(store.txn({ compare, success: [] }), 'ERR_INVALID_RANGE')
    })

    it('applies nothing where an operation cannot be done', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const before = await revisionOf(store)
      const future: bigint = before + 1_000_000n
      const read = { kind: 'range', range: { ...space.all, revision: future } } as const
      await rejects(commit(store, putOperation(space.key('a')), read), 'ERR_FUTURE_POSITION')
      await rejects(
        commit(store, putOperation(space.key('a')), putOperation(space.key('b'), 'v', 123_456_789n)),
        'ERR_NOT_FOUND',
      )
      assert.equal((await store.range(space.all)).count, 0n)
      assert.equal(await revisionOf(store), before)
    })

    it('refuses a lease id that no store gives out', async () => {
      const [store, space] = [subject.store(), subject.space()]
      for (const lease of [-1n, 2n ** 63n])
        await rejects(put(store, space.key('a'), 'v', lease), 'ERR_INVALID_RANGE')
    })

    it('spares the others when one of a group is refused', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const watch = await startWatch(store, space)
      const outcomes = await Promise.allSettled([
        put(store, space.key('a')),
        put(store, space.key('refused'), 'v', 123_456_789n),
        put(store, space.key('b')),
        put(store, toBytes('')),
        put(store, space.key('c')),
      ])
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
      )
      const seen = (await watch.take(3)).flatMap(({ events }) => events)
      assert.deepEqual(seen.toSorted(), ['+a=v', '+b=v', '+c=v'])
      await watch.stop()
    })
  })
}
