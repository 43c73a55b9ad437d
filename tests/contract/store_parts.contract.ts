/**
 * Store contract: transactions in parts, each with guards of its own.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  MAX_TXN_OPERATIONS,
  type Compare,
  type GuardedOperations,
  type StoreOperation,
} from '#shared/store/store.ts'
import { get, put, putOperation, rangeTexts, rejects, type Subject } from './store_support.ts'

/** Registers the tests. */
export function partsContract(subject: Subject): void {
  describe('txn() parts', () => {
    /** A part that puts a key if it is absent, and reads it otherwise. */
    const claim = (key: Uint8Array, value: string): GuardedOperations => ({
      compare: [{ key, target: 'VERSION', result: 'EQUAL', value: 0n }],
      success: [putOperation(key, value)],
      failure: [{ kind: 'range', range: { key } }],
    })

    it('applies each part by its own guards, all in one revision', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const [a, b, c, own] = [space.key('a'), space.key('b'), space.key('c'), space.key('own')]
      const before = await put(store, b, 'there')
      const parts = [claim(a, '1'), claim(b, '2'), claim(c, '3')]
      const result = await store.txn({ compare: [], success: [putOperation(own)], parts })
      assert.equal(result.succeeded, true)
      assert.deepEqual(result.results, [{ kind: 'put' }])
      assert.deepEqual(
        result.parts?.map(({ succeeded }) => succeeded),
        [true, false, true],
      )
      assert.deepEqual(rangeTexts(result.parts?.[1]?.results[0]), ['there'])
      assert.deepEqual(
        [result.parts?.[0]?.results, result.parts?.[1]?.results.length],
        [[{ kind: 'put' }], 1],
      )
      const revisions: (bigint | undefined)[] = []
      for (const key of [own, a, c, b]) revisions.push((await get(store, key))?.modRevision)
      assert.deepEqual(revisions, [result.revision, result.revision, result.revision, before])
    })

    it('runs no part where a guard of the whole does not hold', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const compare: Compare[] = [{ key: space.key('a'), target: 'VERSION', result: 'GREATER', value: 0n }]
      const failure = [{ kind: 'range', range: { key: space.key('a') } }] as const
      const result = await store.txn({ compare, success: [], failure, parts: [claim(space.key('b'), '1')] })
      assert.deepEqual([result.succeeded, result.results.length, result.parts], [false, 1, undefined])
      assert.equal(await get(store, space.key('b')), undefined)
    })

    it('has the guards of parts see the store as it was before', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const [first, second] = [space.key('first'), space.key('second')]
      const part: GuardedOperations = {
        compare: [{ key: first, target: 'VERSION', result: 'EQUAL', value: 0n }],
        success: [putOperation(second)],
      }
      const result = await store.txn({ compare: [], success: [putOperation(first)], parts: [part] })
      assert.deepEqual(
        result.parts?.map(({ succeeded }) => succeeded),
        [true],
      )
    })

    it('makes no revision where no part writes, and writes what failure branches of parts have', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const before = await put(store, space.key('a'))
      const idle = await store.txn({ compare: [], success: [], parts: [claim(space.key('a'), 'x')] })
      assert.deepEqual([idle.succeeded, idle.revision], [true, before])
      const { compare } = claim(space.key('a'), 'x')
      const part = { compare, success: [], failure: [putOperation(space.key('b'), 'failed')] }
      const written = await store.txn({ compare: [], success: [], parts: [part] })
      assert.equal((await get(store, space.key('b')))?.modRevision, written.revision)
    })

    it('answers reads of the past in their places, and writes nothing where one is refused', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const [key, other] = [space.key('a'), space.key('b')]
      const revision = await put(store, key, 'old')
      await put(store, key, 'new')
      const past = (at: bigint): StoreOperation => ({ kind: 'range', range: { key, revision: at } })
      const present: StoreOperation = { kind: 'range', range: { key } }
      const part = (at: bigint): GuardedOperations => ({
        ...claim(key, 'x'),
        failure: [present, past(at), putOperation(other, 'written'), past(at)],
      })
      const result = await store.txn({ compare: [], success: [past(revision)], parts: [part(revision)] })
      assert.deepEqual(
        result.results.map((each) => rangeTexts(each)),
        [['old']],
      )
      const results = result.parts?.[0]?.results ?? []
      assert.deepEqual(
        results.map((each) => (each.kind === 'range' ? rangeTexts(each) : each.kind)),
        [['new'], ['old'], 'put', ['old']],
      )
      assert.equal((await get(store, other))?.modRevision, result.revision)
      const future = result.revision + 100n
      await rejects(store.txn({ compare: [], success: [], parts: [part(future)] }), 'ERR_FUTURE_POSITION')
      assert.equal((await get(store, other))?.modRevision, result.revision)
    })

    it('takes as many operations as etcd does, and a key once', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const parts = (count: number, size: number): GuardedOperations[] =>
        Array.from({ length: count }, (_, part) => ({
          compare: [],
          success: Array.from({ length: size }, (_, index) => putOperation(space.key(`${part}-${index}`))),
        }))
      const half = MAX_TXN_OPERATIONS / 2
      const { parts: results } = await store.txn({ compare: [], success: [], parts: parts(half, half) })
      assert.equal(results?.length, half)
      await rejects(store.txn({ compare: [], success: [], parts: parts(half, half + 1) }), 'ERR_TOO_LARGE')
      const twice = [claim(space.key('a'), '1'), claim(space.key('a'), '2')]
      await rejects(store.txn({ compare: [], success: [], parts: twice }), 'ERR_INVALID_RANGE')
    })
  })
}
