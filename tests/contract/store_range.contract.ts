/**
 * Store contract: point and range reads.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { END_OF_KEYS, compareBytes, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { RangeRequest, RangeResult } from '#shared/store/store.ts'
import {
  commit,
  get,
  put,
  putOperation,
  rejects,
  remove,
  revisionOf,
  type Keyspace,
  type Subject,
} from './store_support.ts'

const names = ({ kvs }: RangeResult, space: Keyspace): string =>
  kvs.map(({ key }) => space.name(key)).join(' ')

export function rangeContract(subject: Subject): void {
  describe('range()', () => {
    it('returns a value of all byte values, and an empty one', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
      await commit(store, putOperation(space.key('bytes'), bytes), putOperation(space.key('empty'), ''))
      assert.deepEqual([...((await get(store, space.key('bytes')))?.value ?? [])], [...bytes])
      assert.equal((await get(store, space.key('empty')))?.value.length, 0)
    })

    it('takes keys of any bytes and orders them as bytes', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const tails = [
        [0],
        [0, 0],
        [1],
        [0x7f],
        [0x80],
        [0xef, 0xbf, 0xbd],
        [0xf0, 0x90, 0x80, 0x80],
        [0xff],
        [0xff, 0xff],
      ]
      const keys = tails.map((tail) => Uint8Array.from([...space.all.key, ...tail]))
      for (const key of keys.toReversed()) await put(store, key)
      const { kvs } = await store.range(space.all)
      assert.deepEqual(
        kvs.map(({ key }) => [...key]),
        keys.map((key) => [...key]),
      )
      for (const key of keys) assert.equal(compareBytes((await get(store, key))?.key ?? toBytes(''), key), 0)
    })

    it('counts versions and keeps the creation revision', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const created = await put(store, space.key('a'), '1')
      await put(store, space.key('other'))
      const changed = await put(store, space.key('a'), '2')
      const kv = await get(store, space.key('a'))
      assert.deepEqual(
        [kv?.createRevision, kv?.modRevision, kv?.version, kv?.lease],
        [created, changed, 2n, 0n],
      )
      await remove(store, { key: space.key('a') })
      const again = await put(store, space.key('a'), '3')
      const reborn = await get(store, space.key('a'))
      assert.deepEqual([reborn?.createRevision, reborn?.modRevision, reborn?.version], [again, again, 1n])
    })

    it('answers an absent key with nothing', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const result = await store.range({ key: space.key('absent') })
      assert.deepEqual([result.kvs.length, result.count, result.more], [0, 0n, false])
      assert.equal(result.revision, await revisionOf(store))
    })

    it('reads a half-open interval, a prefix, and every key from one on', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await commit(store, ...['a', 'ab', 'b', 'c'].map((name) => putOperation(space.key(name))))
      assert.equal(names(await store.range({ key: space.key('a'), end: space.key('b') }), space), 'a ab')
      assert.equal(names(await store.range({ key: space.key('ab'), end: space.key('c') }), space), 'ab b')
      assert.equal(names(await store.range(space.all), space), 'a ab b c')
      assert.equal(names(await store.range({ key: space.key('a') }), space), 'a')
      const rest = await store.range({ key: space.key('b'), end: END_OF_KEYS })
      assert.equal(names({ ...rest, kvs: rest.kvs.slice(0, 2) }, space), 'b c')
    })

    it('answers a reversed interval with nothing', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await commit(store, putOperation(space.key('a')), putOperation(space.key('b')))
      const result = await store.range({ key: space.key('b'), end: space.key('a') })
      assert.deepEqual([result.kvs.length, result.count, result.more], [0, 0n, false])
    })

    it('limits, says that there is more, and counts all', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await commit(store, ...['a', 'b', 'c'].map((name) => putOperation(space.key(name))))
      const read = async (limit: number): Promise<[string, bigint, boolean]> => {
        const result = await store.range({ ...space.all, limit })
        return [names(result, space), result.count, result.more]
      }
      assert.deepEqual(await read(1), ['a', 3n, true])
      assert.deepEqual(await read(2), ['a b', 3n, true])
      assert.deepEqual(await read(3), ['a b c', 3n, false])
      assert.deepEqual(await read(4), ['a b c', 3n, false])
      assert.deepEqual(await read(0), ['a b c', 3n, false])
    })

    it('leaves out values or everything', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await commit(store, putOperation(space.key('a'), 'text'), putOperation(space.key('b'), 'text'))
      const keys = await store.range({ ...space.all, keysOnly: true })
      assert.deepEqual(
        keys.kvs.map(({ key, value, version }) => [space.name(key), value.length, version]),
        [
          ['a', 0, 1n],
          ['b', 0, 1n],
        ],
      )
      const count = await store.range({ ...space.all, countOnly: true })
      assert.deepEqual([count.kvs.length, count.count, count.more], [0, 2n, false])
    })

    it('tells how many keys it went through only to count them', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await commit(store, ...['a', 'b', 'c', 'd', 'e'].map((name) => putOperation(space.key(name), name)))
      let counted = 0
      const onCounted = (keys: number): void => {
        counted += keys
      }
      const { kvs, count } = await store.range({ ...space.all, limit: 2 }, { onCounted })
      assert.deepEqual([kvs.length, count], [2, 5n])
      // The embedded store counts first, so the keys of the answer may be among them.
      assert.ok(counted === 3 || counted === 5, String(counted))
      counted = 0
      await store.range({ key: space.key('a') }, { onCounted })
      assert.equal(counted, 0)
    })

    it('refuses an empty key, an empty end and a revision that is none', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await rejects(store.range({ key: toBytes('') }), 'ERR_INVALID_RANGE')
      await rejects(store.range({ key: space.key('a'), end: toBytes('') }), 'ERR_INVALID_RANGE')
      await rejects(store.range({ key: space.key('a'), revision: 0n }), 'ERR_INVALID_RANGE')
      await rejects(store.range({ key: space.key('a'), revision: -1n }), 'ERR_INVALID_RANGE')
      await rejects(store.range({ ...space.all, limit: -1 }), 'ERR_INVALID_RANGE')
    })
  })

  describe('range() sorting and filters', () => {
    /** Keys whose orders by key, version, creation, change and value all differ. */
    async function fill(space: Keyspace): Promise<bigint[]> {
      const store = subject.store()
      const revisions: bigint[] = []
      for (const [name, value] of [
        ['b', '4'],
        ['a', '0'],
        ['c', '1'],
        ['a', '1'],
        ['a', '3'],
        ['b', '2'],
      ] as const) {
        revisions.push(await put(store, space.key(name), value))
      }
      return revisions
    }

    it('sorts by every target in both orders', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await fill(space)
      const expected = {
        KEY: 'a b c',
        VERSION: 'c b a',
        CREATE: 'b a c',
        MOD: 'c a b',
        VALUE: 'c b a',
      } as const
      for (const [sortTarget, ascending] of Object.entries(expected)) {
        const request = { ...space.all, sortTarget } as RangeRequest
        assert.equal(
          names(await store.range({ ...request, sortOrder: 'ASCEND' }), space),
          ascending,
          sortTarget,
        )
        const descending = ascending.split(' ').toReversed().join(' ')
        assert.equal(
          names(await store.range({ ...request, sortOrder: 'DESCEND' }), space),
          descending,
          sortTarget,
        )
      }
    })

    it('sorts before it limits, and by values that keysOnly leaves out', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await fill(space)
      const last = await store.range({ ...space.all, sortTarget: 'MOD', sortOrder: 'DESCEND', limit: 1 })
      assert.deepEqual([names(last, space), last.count, last.more], ['b', 3n, true])
      const lastKey = await store.range({ ...space.all, sortTarget: 'KEY', sortOrder: 'DESCEND', limit: 2 })
      assert.deepEqual([names(lastKey, space), lastKey.count, lastKey.more], ['c b', 3n, true])
      const byValue = await store.range({
        ...space.all,
        sortTarget: 'VALUE',
        sortOrder: 'ASCEND',
        keysOnly: true,
      })
      assert.equal(names(byValue, space), 'c b a')
    })

    it('filters by revisions of creation and change, and counts before it filters', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const revisions = await fill(space)
      const at = (index: number): bigint => revisions[index] ?? 0n
      const read = async (filter: Partial<RangeRequest>): Promise<string> => {
        const result = await store.range({ ...space.all, ...filter })
        assert.equal(result.count, 3n)
        return names(result, space)
      }
      assert.equal(await read({ minModRevision: at(4) }), 'a b')
      assert.equal(await read({ maxModRevision: at(4) }), 'a c')
      assert.equal(await read({ minCreateRevision: at(1) }), 'a c')
      assert.equal(await read({ maxCreateRevision: at(1) }), 'a b')
      assert.equal(await read({ minCreateRevision: at(1), maxModRevision: at(2) }), 'c')
      const limited = await store.range({ ...space.all, maxModRevision: at(4), limit: 1 })
      assert.deepEqual([names(limited, space), limited.more], ['a', true])
    })
  })

  describe('range() at an old revision', () => {
    it('sees values, versions and deleted keys as they were', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const before = await revisionOf(store)
      const first = await put(store, space.key('a'), '1')
      const second = await put(store, space.key('b'), '2')
      const third = await put(store, space.key('a'), '3')
      const fourth = await remove(store, space.all)
      const fifth = await put(store, space.key('b'), '5')
      const read = async (revision: bigint): Promise<string> => {
        const result = await store.range({ ...space.all, revision })
        assert.equal(result.count, BigInt(result.kvs.length))
        assert.ok(result.revision >= fifth)
        return result.kvs
          .map((kv) => `${space.name(kv.key)}=${toText(kv.value)}/${kv.version}@${kv.createRevision - first}`)
          .join(' ')
      }
      assert.equal(await read(before), '')
      assert.equal(await read(first), 'a=1/1@0')
      assert.equal(await read(second), `a=1/1@0 b=2/1@${second - first}`)
      assert.equal(await read(third), `a=3/2@0 b=2/1@${second - first}`)
      assert.equal(await read(fourth), '')
      assert.equal(await read(fifth), `b=5/1@${fifth - first}`)
      assert.equal(
        toText((await store.range({ key: space.key('a'), revision: second })).kvs[0]?.value ?? toBytes('')),
        '1',
      )
      assert.equal((await store.range({ key: space.key('a'), revision: fourth })).count, 0n)
      const limited = await store.range({ ...space.all, revision: third, limit: 1 })
      assert.deepEqual([names(limited, space), limited.count, limited.more], ['a', 2n, true])
    })

    it('refuses a revision that does not exist yet', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const revision = (await revisionOf(store)) + 1_000_000n
      await rejects(store.range({ key: space.key('a'), revision }), 'ERR_FUTURE_POSITION')
    })
  })
}
