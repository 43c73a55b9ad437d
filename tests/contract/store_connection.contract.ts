/**
 * Store contract: an etcd adapter whose connections are forgotten on the way, as firewalls and address translators do: they stand, and nothing comes any more.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { Store, WatchMessage } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { followStore } from '#shared/hub/source/follow.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { passOnTo, startFaultyFront } from '../support/faulty_front.ts'
import type { OpenOver } from './store_faults.contract.ts'
import { createKeyspace, put } from './store_support.ts'
import { eventually, within } from '../support/waiting.ts'

const missing = await etcdMissing()

/** A call finds out within its time limit; a watch of an etcd that tells progress every second after some 5 s, then opens another one. */
const READ_MS = 6_000
const WATCH_MS = 12_000

/** Registers the suite for an adapter. */
export function connectionContract(name: string, openStore: OpenOver): void {
  describe(`${name} over connections that are forgotten`, { skip: missing }, () => {
    let etcd: EtcdCluster
    before(async () => {
      etcd = await startTestEtcd()
    })
    after(() => etcd.close())

    for (const [which, whose] of [
      ['all', 'of everybody'],
      ['latest', 'of the watch alone'],
    ] as const) {
      it(`makes new ones in the place of those ${whose}`, async (context) => {
        const front = await startFaultyFront(passOnTo(Number(new URL(etcd.endpoints[0] ?? '').port)))
        const store = await openStore([`http://127.0.0.1:${front.port}`])
        const stop = new AbortController()
        try {
          const space = createKeyspace(`/forgotten-${randomUUID()}/`)
          let progress = 0
          const watched = tell(store, () => progress++)
          const parts = { store: watched, clock: systemClock, random: randomUUID, logger: silentLogger }
          const from = (await put(store, space.key('first'))) + 1n
          const messages = followStore({ ...parts, range: space.all, from, signal: stop.signal })
          const watch = messages[Symbol.asyncIterator]()
          const nextRevision = async (): Promise<bigint> => {
            for (;;) {
              const { value, done } = await watch.next()
              assert.ok(done !== true)
              if (value.kind === 'revision') return value.revision
            }
          }
          const before = nextRevision()
          const written = await put(store, space.key('before'))
          assert.equal(await within('the first event', before), written)
          const delivered = nextRevision()
          // By the second one it is known how often they come.
          await eventually('progress', async () => progress >= 2)

          front.forget(which)
          const forgottenAt = performance.now()
          const since = (): number => Math.round(performance.now() - forgottenAt)
          await store.range({ key: space.key('before') })
          const readMs = since()
          // Each connection that is tried costs a write its answer.
          const write = (): Promise<boolean> => put(store, space.key('after')).then(Boolean, () => false)
          await eventually('a write', write)
          assert.ok((await within('the event', delivered)) > written)
          context.diagnostic(`a read after ${readMs} ms, the event after ${since()} ms`)
          assert.ok(readMs < READ_MS && since() < WATCH_MS)
        } finally {
          stop.abort()
          await store.close()
          await front.close()
        }
      })
    }
  })
}

/** Tells of every progress message of its watches. */
function tell(store: Store, onProgress: () => void): Store {
  return {
    ...store,
    async *watch(request): AsyncGenerator<WatchMessage> {
      for await (const message of store.watch(request)) {
        if (message.kind === 'progress') onProgress()
        yield message
      }
    },
  }
}
