/**
 * Store contract: leases.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commit, get, put, putOperation, rejects, startWatch, type Subject } from './store_support.ts'

/** etcd raises shorter ones to it. */
const SHORT_TTL_SECONDS = 2

export function leaseContract(subject: Subject): void {
  describe('grantLease()', () => {
    it('deletes the keys that hang on an ended lease, and no others', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const [short, long] = [await store.grantLease(SHORT_TTL_SECONDS), await store.grantLease(600)]
      assert.notEqual(short, long)
      const watch = await startWatch(store, space)
      const started = performance.now()
      await commit(
        store,
        putOperation(space.key('a'), 'v', short),
        putOperation(space.key('b'), 'v', short),
        putOperation(space.key('detached'), 'v', short),
        putOperation(space.key('long'), 'v', long),
        putOperation(space.key('moved'), 'v', short),
        putOperation(space.key('plain'), 'v'),
      )
      await commit(store, putOperation(space.key('detached')), putOperation(space.key('moved'), 'v', long))
      assert.equal((await get(store, space.key('a')))?.lease, short)
      await watch.take(2)
      const expired = await watch.next()
      assert.deepEqual(expired.events.toSorted(), ['-a', '-b'])
      const waited = performance.now() - started
      assert.ok(waited > SHORT_TTL_SECONDS * 1_000 - 500, `ended early, after ${waited} ms`)
      const { kvs } = await store.range(space.all)
      assert.deepEqual(
        kvs.map((kv) => [space.name(kv.key), kv.lease]),
        [
          ['detached', 0n],
          ['long', long],
          ['moved', long],
          ['plain', 0n],
        ],
      )
      await rejects(put(store, space.key('late'), 'v', short), 'ERR_NOT_FOUND')
      await watch.stop()
    })

    it('shows the expired key in history', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const watch = await startWatch(store, space)
      const written = await put(store, space.key('a'), 'v', await store.grantLease(1))
      const [, expired] = await watch.take(2)
      assert.deepEqual(expired?.events, ['-a'])
      assert.equal((await store.range({ ...space.all, revision: written })).count, 1n)
      const replay = await startWatch(store, space, { from: written })
      assert.deepEqual(
        (await replay.take(2)).map(({ events }) => events),
        [['+a=v'], ['-a']],
      )
      await Promise.all([watch.stop(), replay.stop()])
    })

    it('refuses a lifetime that is none', async () => {
      const store = subject.store()
      for (const ttl of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
        await rejects(store.grantLease(ttl), 'ERR_INVALID_RANGE')
    })
  })
}
