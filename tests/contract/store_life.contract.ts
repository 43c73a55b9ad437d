/**
 * Store contract: status, closing, opening again.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { get, put, rejects, remove, startWatch, type Subject } from './store_support.ts'
import { within } from '../support/waiting.ts'

export function lifeContract(subject: Subject): void {
  describe('status()', () => {
    it('names the store, its revision and its size', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const revision = await put(store, space.key('a'))
      const status = await store.status()
      assert.match(status.version, /\S/)
      assert.equal(status.revision, revision)
      assert.ok(status.sizeBytes >= status.sizeInUseBytes && status.sizeInUseBytes >= 0)
    })
  })

  describe('a call with an aborted signal', () => {
    it('does nothing and says so', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const signal = AbortSignal.abort()
      await rejects(
        store.txn(
          { compare: [], success: [{ kind: 'put', key: space.key('a'), value: toBytes('v') }] },
          { signal },
        ),
        'ERR_STORE_UNAVAILABLE',
      )
      await rejects(store.range(space.all, { signal }), 'ERR_STORE_UNAVAILABLE')
      assert.equal((await store.range(space.all)).count, 0n)
    })
  })

  describe('close()', () => {
    it('ends watches and refuses every later call; closing again does nothing', async () => {
      const { store } = await subject.open()
      const space = subject.space()
      const watch = await startWatch(store, space)
      const ended = rejects(within('the end of the watch', watch.iterator.next()), 'ERR_STORE_UNAVAILABLE')
      await within('close()', store.close())
      await ended
      await within('close() again', store.close())
      await rejects(store.range(space.all), 'ERR_STORE_UNAVAILABLE')
      await rejects(put(store, space.key('a')), 'ERR_STORE_UNAVAILABLE')
      await rejects(store.compact(1n), 'ERR_STORE_UNAVAILABLE')
      await rejects(store.grantLease(10), 'ERR_STORE_UNAVAILABLE')
      await rejects(store.status(), 'ERR_STORE_UNAVAILABLE')
      await rejects(
        within('a refusal', store.watch(space.all)[Symbol.asyncIterator]().next()),
        'ERR_STORE_UNAVAILABLE',
      )
    })
  })

  describe('opening again', () => {
    it('finds data, revision, history and leases', async (context) => {
      const opened = await subject.open()
      const { store, reopen } = opened
      if (reopen === undefined) {
        await store.close()
        context.skip?.('the data dies with the store')
        return
      }
      const space = subject.space()
      const lease = await store.grantLease(2)
      const first = await put(store, space.key('a'), '1')
      await put(store, space.key('leased'), 'v', lease)
      await put(store, space.key('a'), '2')
      await put(store, space.key('gone'), '3')
      const last = await remove(store, { key: space.key('gone') })
      await store.close()

      const again = await reopen()
      const kv = await get(again, space.key('a'))
      assert.deepEqual([toText(kv?.value ?? toBytes('')), kv?.createRevision, kv?.version], ['2', first, 2n])
      assert.ok((await again.status()).revision >= last)
      assert.equal(
        toText((await again.range({ key: space.key('a'), revision: first })).kvs[0]?.value ?? toBytes('')),
        '1',
      )
      const watch = await startWatch(again, space, { from: first })
      const events = (await watch.take(6)).flatMap((revision) => revision.events)
      assert.deepEqual(events, ['+a=1', '+leased=v', '+a=2', '+gone=3', '-gone', '-leased'])
      assert.ok((await put(again, space.key('b'))) > last)
      await again.close()
    })
  })
}
