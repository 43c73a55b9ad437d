/**
 * Store contract: compaction.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HistoryCompacted } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { get, put, rejects, remove, revisionOf, startWatch, type Subject } from './store_support.ts'
import { within } from '../support/waiting.ts'

export function historyContract(subject: Subject): void {
  describe('compact()', () => {
    it('forgets what was before the revision and keeps the revision itself', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const first = await put(store, space.key('a'), '1')
      const deleted = await put(store, space.key('deleted'), 'x')
      await remove(store, { key: space.key('deleted') })
      await put(store, space.key('kept'), 'k')
      const second = await put(store, space.key('a'), '2')
      const third = await put(store, space.key('a'), '3')
      await store.compact(second)
      for (const revision of [first, deleted, second - 1n]) {
        await rejects(store.range({ ...space.all, revision }), 'ERR_HISTORY_COMPACTED')
      }
      const read = async (revision: bigint): Promise<string> => {
        const { kvs } = await store.range({ ...space.all, revision })
        return kvs.map((kv) => `${space.name(kv.key)}=${toText(kv.value)}/${kv.version}`).join(' ')
      }
      assert.equal(await read(second), 'a=2/2 kept=k/1')
      assert.equal(await read(third), 'a=3/3 kept=k/1')
      assert.equal(toText((await get(store, space.key('kept')))?.value ?? toBytes('')), 'k')
      assert.equal(await revisionOf(store), third)
    })

    it('lets a watch start at the revision, and says where history begins to one that starts before', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const first = await put(store, space.key('a'), '1')
      const second = await put(store, space.key('a'), '2')
      const third = await remove(store, { key: space.key('a') })
      await store.compact(second)
      const watch = await startWatch(store, space, { from: second })
      assert.deepEqual(
        (await watch.take(2)).flatMap(({ events }) => events),
        ['+a=2', '-a'],
      )
      await watch.stop()
      const drain = async (): Promise<void> => {
        for await (const { kind } of store.watch({ ...space.all, from: first })) assert.equal(kind, 'created')
      }
      await assert.rejects(within('a refusal', drain()), (error) => {
        assert.ok(error instanceof HistoryCompacted)
        assert.equal(error.oldest, second)
        return true
      })
      assert.equal(await revisionOf(store), third)
    })

    it(
      'keeps the deletions of the revision itself',
      { skip: subject.deletionAtCompactionLost ?? false },
      async () => {
        const [store, space] = [subject.store(), subject.space()]
        await put(store, space.key('a'))
        const removed = await remove(store, { key: space.key('a') })
        await store.compact(removed)
        const watch = await startWatch(store, space, { from: removed })
        assert.deepEqual(await watch.next(), { revision: removed, events: ['-a'] })
        await watch.stop()
        assert.equal(await revisionOf(store), removed)
        const again = await put(store, space.key('a'))
        assert.equal((await get(store, space.key('a')))?.createRevision, again)
      },
    )

    it('leaves a watch alone that has seen everything', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const watch = await startWatch(store, space)
      await put(store, space.key('a'), '1')
      await watch.next()
      await store.compact(await revisionOf(store))
      await put(store, space.key('a'), '2')
      assert.deepEqual((await watch.next()).events, ['+a=2'])
      await watch.stop()
    })

    it('refuses a revision twice, one before it, and one to come', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const revision = await put(store, space.key('a'))
      await store.compact(revision)
      await rejects(store.compact(revision), 'ERR_HISTORY_COMPACTED')
      await rejects(store.compact(revision - 1n), 'ERR_HISTORY_COMPACTED')
      await rejects(store.compact((await revisionOf(store)) + 1_000_000n), 'ERR_FUTURE_POSITION')
      await rejects(store.compact(0n), 'ERR_INVALID_RANGE')
    })
  })
}
