/**
 * Store contract: an etcd adapter whose next watch message is larger than an adapter takes at once.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { Revision, Store, WatchMessage } from '#shared/store/store.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import type { OpenOver } from './store_faults.contract.ts'
import { commit, createKeyspace, deleteOperation, put, putOperation, type Keyspace } from './store_support.ts'
import { within } from '../support/waiting.ts'

const missing = await etcdMissing()

/** Near etcd's largest request of 1.5 MiB. */
const LARGE_BYTES = 1_390_000
/** So many of them have more than the 64 MiB that an adapter takes at once. etcd puts up to 1,000 revisions into a message. */
const COUNT = 60

/** Registers the suite for an adapter. */
export function largeContract(name: string, open: OpenOver): void {
  describe(`${name} over an etcd with messages of more than 64 MiB`, { skip: missing }, () => {
    let etcd: EtcdCluster
    let store: Store
    before(async () => {
      etcd = await startTestEtcd()
      store = await open(etcd.endpoints)
    })
    after(async () => {
      await store.close()
      await etcd.close()
    })

    it('loses and repeats nothing of a history of large values, nor of what comes after it', async () => {
      const space = createKeyspace(`/large-${randomUUID()}/`)
      const written: Revision[] = []
      const expected: string[] = []
      const write = async (round: number, value: Uint8Array): Promise<void> => {
        const { revision } = await commit(
          store,
          putOperation(space.key(`${round}`), value),
          putOperation(space.key('journal'), `${round}`),
        )
        written.push(revision)
        expected.push(`${revision}: ${round} of ${value.length}, journal of ${`${round}`.length}`)
      }
      for (let round = 0; round < 5; round++) await write(round, new Uint8Array(10))
      for (let round = 5; round < COUNT; round++) await write(round, new Uint8Array(LARGE_BYTES))
      const watch = read(store, space, written[0] ?? 0n)
      const history = await watch.take(COUNT)
      assert.deepEqual(history, expected)
      // The watch is live again by now or soon, and a large value passes there too.
      for (let round = COUNT; round < COUNT + 3; round++)
        await write(round, new Uint8Array(round === COUNT ? LARGE_BYTES : 10))
      assert.deepEqual(await watch.take(3), expected.slice(COUNT))
      await watch.stop()
    })

    it('puts together a single revision that is larger', async () => {
      const space = createKeyspace(`/wide-${randomUUID()}/`)
      const padding = 'x'.repeat(LARGE_BYTES)
      const keys = Array.from({ length: COUNT }, (_, index) => `${`${index}`.padStart(4, '0')}${padding}`)
      for (const key of keys) await put(store, space.key(key), '')
      const { revision: deleted } = await commit(store, deleteOperation(space.all))
      const last = await put(store, space.key('a'), 'after')
      const watch = read(store, space, deleted)
      const names = keys.map((key) => `${key.slice(0, 4)} gone`)
      assert.deepEqual(await watch.take(2), [`${deleted}: ${names.join(', ')}`, `${last}: a of 5`])
      await watch.stop()
    })
  })
}

/** Reads whole revisions, as text without the large values. */
function read(
  store: Store,
  space: Keyspace,
  from: Revision,
): { readonly take: (count: number) => Promise<string[]>; readonly stop: () => Promise<unknown> } {
  const messages = store.watch({ ...space.all, from })[Symbol.asyncIterator]()
  const nextRevision = async (): Promise<string> => {
    for (;;) {
      const { value, done } = await messages.next()
      assert.ok(done !== true, 'the watch goes on')
      if (value.kind === 'revision') return show(value, space)
    }
  }
  return {
    take: (count) =>
      within(
        `${count} revisions`,
        (async () => {
          const taken: string[] = []
          while (taken.length < count) taken.push(await nextRevision())
          return taken
        })(),
      ),
    stop: () => Promise.resolve(messages.return?.()),
  }
}

function show({ revision, events }: Extract<WatchMessage, { kind: 'revision' }>, space: Keyspace): string {
  const texts = events.map(({ kind, kv }) => {
    const name = space.name(kv.key)
    return kind === 'put' ? `${name} of ${kv.value.length}` : `${name.slice(0, 4)} gone`
  })
  return `${revision}: ${texts.join(', ')}`
}
