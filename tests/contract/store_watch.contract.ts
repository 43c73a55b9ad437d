/**
 * Store contract: watches.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { END_OF_KEYS, toBytes } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'
import {
  commit,
  deleteOperation,
  put,
  putOperation,
  rejects,
  remove,
  revisionOf,
  startWatch,
  type Subject,
} from './store_support.ts'
import { within } from '../support/waiting.ts'

export function watchContract(subject: Subject): void {
  describe('watch() live', () => {
    it('says that it stands, then yields what is written after that', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const before = await put(store, space.key('before'))
      const watch = await startWatch(store, space)
      assert.ok(watch.createdAt >= before)
      const first = await put(store, space.key('a'), '1')
      const second = await put(store, space.key('a'), '2')
      const third = await remove(store, { key: space.key('a') })
      assert.deepEqual(await watch.take(3), [
        { revision: first, events: ['+a=1'] },
        { revision: second, events: ['+a=2'] },
        { revision: third, events: ['-a'] },
      ])
      await watch.stop()
    })

    it('yields a whole revision at once, in the order of its operations', async () => {
      const [store, space] = [subject.store(), subject.space()]
      await commit(store, ...['x', 'y'].map((name) => putOperation(space.key(name))))
      const watch = await startWatch(store, space)
      const { revision } = await commit(
        store,
        putOperation(space.key('c'), '1'),
        putOperation(space.key('a'), '2'),
        deleteOperation({ key: space.key('x'), end: space.key('z') }),
        putOperation(space.key('b'), '3'),
      )
      assert.deepEqual(await watch.next(), { revision, events: ['+c=1', '+a=2', '-x', '-y', '+b=3'] })
      await watch.stop()
    })

    it('keeps to one key, a prefix, or everything from a key on', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const one = await startWatch(store, space, { key: space.key('b') })
      const some = await startWatch(store, space, { key: space.key('a'), end: space.key('b') })
      const rest = await startWatch(store, space, { key: space.key('b'), end: END_OF_KEYS })
      for (const name of ['a', 'ab', 'b', 'ba', 'b']) await put(store, space.key(name), name)
      assert.deepEqual(
        (await one.take(2)).flatMap(({ events }) => events),
        ['+b=b', '+b=b'],
      )
      assert.deepEqual(
        (await some.take(2)).flatMap(({ events }) => events),
        ['+a=a', '+ab=ab'],
      )
      assert.deepEqual(
        (await rest.take(3)).flatMap(({ events }) => events),
        ['+b=b', '+ba=ba', '+b=b'],
      )
      await Promise.all([one.stop(), some.stop(), rest.stop()])
    })

    it('gives the whole key-value of a put', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const created = await put(store, space.key('a'), '1')
      const lease = await store.grantLease(600)
      const revision = await put(store, space.key('a'), '2', lease)
      const watch = await startWatch(store, space, { from: revision })
      const { value: message } = await within('an event', watch.iterator.next())
      assert.deepEqual(message, {
        kind: 'revision',
        revision,
        events: [
          {
            kind: 'put',
            kv: {
              key: space.key('a'),
              value: toBytes('2'),
              createRevision: created,
              modRevision: revision,
              version: 2n,
              lease,
            },
          },
        ],
      })
      await watch.stop()
    })

    it('releases the watch when the signal aborts, without an error', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const stop = new AbortController()
      const watch = await startWatch(store, space, { signal: stop.signal })
      const pending = watch.iterator.next()
      stop.abort()
      assert.equal((await within('the end', pending)).done, true)
      assert.equal((await within('the end', watch.iterator.next())).done, true)
      const aborted = store.watch({ ...space.all, signal: AbortSignal.abort() })
      for await (const message of aborted) assert.fail(`an aborted watch yielded ${message.kind}`)
    })

    it('releases the watch when the loop is left', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const watched = store.watch(space.all)
      for await (const { kind } of watched) if (kind === 'created') break
      const watch = await startWatch(store, space)
      const pending = watch.iterator.next()
      await watch.stop()
      assert.equal((await within('the end', pending)).done, true)
      assert.equal((await within('the end', watch.iterator.next())).done, true)
    })

    it('keeps two watches apart', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const left = await startWatch(store, space)
      const stayed = await startWatch(store, space)
      await put(store, space.key('a'), '1')
      await left.next()
      await left.stop()
      await put(store, space.key('a'), '2')
      assert.deepEqual(
        (await stayed.take(2)).flatMap(({ events }) => events),
        ['+a=1', '+a=2'],
      )
      await stayed.stop()
    })

    it('refuses an empty key, an empty range and a start that is none', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const first = (request: object): Promise<unknown> =>
        within(
          'a refusal',
          store
            .watch({ ...space.all, ...request })
            [Symbol.asyncIterator]()
            .next(),
        )
      await rejects(first({ key: toBytes('') }), 'ERR_INVALID_RANGE')
      await rejects(first({ end: toBytes('') }), 'ERR_INVALID_RANGE')
      await rejects(first({ key: space.key('b'), end: space.key('a') }), 'ERR_INVALID_RANGE')
      await rejects(first({ from: 0n }), 'ERR_INVALID_RANGE')
    })
  })

  describe('watch() from a revision', () => {
    it('replays overwritten and deleted history in order', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const first = await put(store, space.key('a'), '1')
      await put(store, space.key('b'), '2')
      await put(store, space.key('a'), '3')
      await remove(store, { key: space.key('a') })
      const last = (await commit(store, putOperation(space.key('d'), '5'), putOperation(space.key('c'), '5')))
        .revision
      const watch = await startWatch(store, space, { from: first })
      const history = await watch.take(5)
      assert.deepEqual(
        history.map(({ events }) => events),
        [['+a=1'], ['+b=2'], ['+a=3'], ['-a'], ['+d=5', '+c=5']],
      )
      assert.deepEqual([history[0]?.revision, history[4]?.revision], [first, last])
      await put(store, space.key('a'), '6')
      assert.deepEqual((await watch.next()).events, ['+a=6'])
      const middle = await startWatch(store, space, { key: space.key('a'), from: first + 1n })
      assert.deepEqual(
        (await middle.take(3)).flatMap(({ events }) => events),
        ['+a=3', '-a', '+a=6'],
      )
      await Promise.all([watch.stop(), middle.stop()])
    })

    it('waits silently for a revision to come', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const from: Revision = (await revisionOf(store)) + 3n
      const watch = await startWatch(store, space, { from })
      const revisions: Revision[] = []
      for (let index = 0; index < 6; index++) revisions.push(await put(store, space.key('a'), `${index}`))
      const due = revisions.filter((revision) => revision >= from)
      assert.ok(due.length >= 3 && due.length < 6)
      assert.deepEqual(
        (await watch.take(due.length)).map(({ revision }) => revision),
        due,
      )
      await watch.stop()
    })

    it('passes long history in order, in whole revisions', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const written: Revision[] = []
      for (let round = 0; round < 30; round++) {
        const puts = Array.from({ length: 100 }, (_, index) =>
          putOperation(space.key(`${index}`), `${round}`),
        )
        written.push((await commit(store, ...puts)).revision)
      }
      const watch = await startWatch(store, space, { from: written[0] ?? 1n })
      for (const [round, revision] of written.entries()) {
        const expected = Array.from({ length: 100 }, (_, index) => `+${index}=${round}`)
        assert.deepEqual(await watch.next(), { revision, events: expected })
      }
      await watch.stop()
    })

    it('neither loses nor repeats an event between history and live, while a writer runs', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const total = 400
      const from = await put(store, space.key('n'), '0')
      const writing = (async () => {
        for (let index = 1; index < total; index++) await put(store, space.key('n'), `${index}`)
      })()
      const readers = Array.from({ length: 4 }, async (_, reader) => {
        // Readers join at different moments of the writing.
        while ((await revisionOf(store)) < from + BigInt(reader * 60)) await setImmediate()
        const watch = await startWatch(store, space, { from })
        const seen = (await watch.take(total)).flatMap(({ events }) => events)
        await watch.stop()
        return seen
      })
      const expected = Array.from({ length: total }, (_, index) => `+n=${index}`)
      for (const seen of await within('readers', Promise.all(readers))) assert.deepEqual(seen, expected)
      await writing
    })

    it('lets a slow watcher miss nothing', async () => {
      const [store, space] = [subject.store(), subject.space()]
      const watch = await startWatch(store, space)
      const rounds = 60
      // Nobody reads meanwhile: 60 × 128 KiB is more than an adapter should hold for one watcher.
      const padding = 'x'.repeat(131_072)
      for (let round = 0; round < rounds; round++) await put(store, space.key('a'), `${round}:${padding}`)
      const seen = (await watch.take(rounds)).flatMap(({ events }) =>
        events.map((event) => event.slice(0, event.indexOf(':'))),
      )
      assert.deepEqual(
        seen,
        Array.from({ length: rounds }, (_, round) => `+a=${round}`),
      )
      await watch.stop()
    })
  })
}
