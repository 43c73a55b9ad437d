/**
 * Store contract: an etcd adapter while members of a real etcd are killed, stopped, cut off and full.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { Revision, Store, WatchMessage } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { followStore } from '#shared/hub/source/follow.ts'
import { LEAST_CHANCE } from '../support/dice.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import type { GatewayAuth } from '#shared/store/etcd/login.ts'
import {
  commit,
  createKeyspace,
  deleteOperation,
  put,
  putOperation,
  rejects,
  startWatch,
} from './store_support.ts'
import { eventually, within } from '../support/waiting.ts'

const missing = await etcdMissing()

/** Promise 9 of the design, with time for a machine that is busy with other tests. */
const WRITE_PAUSE_MS = 3_000
const WATCH_PAUSE_MS = 6_000
const SLOW_MACHINE_MS = 3_000

/** Opens the adapter under test over members' addresses, e.g. `http://127.0.0.1:2379`. */
export type OpenOver = (endpoints: readonly string[], more?: OpenOptions) => Promise<Store>

export interface OpenOptions {
  readonly auth?: GatewayAuth
  /** Chooses the member to begin with; '' the first one. */
  readonly random?: () => string
}

/** Registers the suite for an adapter. */
export function faultContract(name: string, open: OpenOver): void {
  threeMembers(name, open)
  oneMember(name, open)
}

/** Writes numbers one after the other, each guarded so that a late write of an unknown outcome cannot come through. */
async function writeNumbers(
  store: Store,
  key: Uint8Array,
  signal: AbortSignal,
): Promise<{ written: number; longestPauseMs: number }> {
  let written = 0
  let longestPauseMs = 0
  let lastAt = performance.now()
  let seen: Revision = 0n
  while (!signal.aborted) {
    try {
      const { succeeded, revision, results } = await store.txn({
        compare: [{ key, target: 'MOD', result: 'EQUAL', value: seen }],
        success: [
          putOperation(key, `${written + 1}`),
          putOperation(Uint8Array.from([...key, 0x2b]), `${written + 1}`),
        ],
        failure: [{ kind: 'range', range: { key } }],
      })
      const [found] = results
      if (succeeded) {
        seen = revision
        written++
      } else if (found?.kind === 'range') {
        // A write that was given up had been done, or another one of ours: what is there now decides.
        const [kv] = found.result.kvs
        seen = kv?.modRevision ?? 0n
        written = Number(toText(kv?.value ?? toBytes('0')))
      }
      longestPauseMs = Math.max(longestPauseMs, performance.now() - lastAt)
      lastAt = performance.now()
    } catch (error) {
      assert.ok(isAvisoError(error, 'ERR_STORE_UNAVAILABLE', 'ERR_OUTCOME_UNKNOWN'), String(error))
    }
  }
  return { written, longestPauseMs }
}

/** Follows a key and checks that it goes up by one, in whole revisions. */
function followNumbers(store: Store, key: Uint8Array, signal: AbortSignal) {
  const seen: number[] = []
  let longestPauseMs = 0
  let lastAt = performance.now()
  const end = Uint8Array.from([...key, 0xff])
  const done = (async () => {
    const request = {
      store,
      range: { key, end },
      from: 1n,
      clock: systemClock,
      random: randomUUID,
      logger: silentLogger,
      signal,
    }
    for await (const message of followStore(request)) {
      if (message.kind !== 'revision') continue
      longestPauseMs = Math.max(longestPauseMs, performance.now() - lastAt)
      lastAt = performance.now()
      assert.equal(message.events.length, 2, 'a revision is whole')
      seen.push(Number(toText(message.events[0]?.kv.value ?? toBytes(''))))
    }
  })()
  return { seen, done, longestPauseMs: () => longestPauseMs }
}

function assertEveryNumber(seen: readonly number[], last: number): void {
  assert.deepEqual(
    seen,
    Array.from({ length: last }, (_, index) => index + 1),
  )
}

async function leaderOf(etcd: EtcdCluster): Promise<number> {
  for (const [index, { url }] of etcd.members.entries()) {
    const response = await fetch(`${url}/v3/maintenance/status`, { method: 'POST', body: '{}' })
    const { header, leader } = (await response.json()) as { header: { member_id: string }; leader?: string }
    if (header.member_id === leader) return index
  }
  throw new Error('There is no leader')
}

function threeMembers(name: string, openStore: OpenOver): void {
  describe(`${name} over three members under faults`, { skip: missing }, () => {
    let etcd: EtcdCluster
    before(async () => {
      etcd = await startTestEtcd({ members: 3 })
    })
    after(() => etcd.close())

    /** Runs writer and follower while `fault` does its worst. */
    async function survive(
      fault: (leader: number) => Promise<void>,
    ): Promise<{ writeMs: number; watchMs: number }> {
      const space = createKeyspace(`/faults-${randomUUID()}/`)
      const key = space.key('n')
      const leader = await leaderOf(etcd)
      // Both begin at the leader, which is what the faults strike.
      const [first, ...rest] = [...etcd.endpoints.slice(leader), ...etcd.endpoints.slice(0, leader)]
      const store = await openStore([first ?? '', ...rest], { random: () => LEAST_CHANCE })
      const stop = new AbortController()
      const stopReading = new AbortController()
      const following = followNumbers(store, key, stopReading.signal)
      const writing = writeNumbers(store, key, stop.signal)
      await eventually('some writes', () => following.seen.length > 20)
      await fault(leader)
      const before = following.seen.length
      await eventually('writes after the fault', () => following.seen.length > before + 20)
      stop.abort()
      const { written, longestPauseMs } = await writing
      await eventually('everything to arrive', () => following.seen.length >= written)
      stopReading.abort()
      await within('the end of the watch', following.done)
      const { kvs } = await store.range({ key })
      assertEveryNumber(following.seen, Number(toText(kvs[0]?.value ?? toBytes(''))))
      await store.close()
      return { writeMs: longestPauseMs, watchMs: following.longestPauseMs() }
    }

    function assertPauses({ writeMs, watchMs }: { writeMs: number; watchMs: number }): void {
      assert.ok(writeMs < WRITE_PAUSE_MS + SLOW_MACHINE_MS, `writes paused for ${Math.round(writeMs)} ms`)
      assert.ok(watchMs < WATCH_PAUSE_MS + SLOW_MACHINE_MS, `the watch paused for ${Math.round(watchMs)} ms`)
    }

    it('loses nothing when the leader is killed', async (context) => {
      const pauses = await survive(async (leader) => {
        await etcd.members[leader]?.kill('SIGKILL')
        await systemClock.sleep(1_500)
        await etcd.members[leader]?.restart()
      })
      context.diagnostic?.(JSON.stringify(pauses))
      assertPauses(pauses)
    })

    it('loses nothing when the leader is asked to stop', async () => {
      assertPauses(
        await survive(async (leader) => {
          await etcd.members[leader]?.stop()
          await etcd.members[leader]?.restart()
        }),
      )
    })

    it('loses nothing when the leader is stopped in its tracks, and notices', async (context) => {
      const pauses = await survive(async (leader) => {
        await etcd.members[leader]?.kill('SIGSTOP')
        await systemClock.sleep(7_000)
        await etcd.members[leader]?.kill('SIGCONT')
      })
      context.diagnostic?.(JSON.stringify(pauses))
      assertPauses(pauses)
    })

    it('loses nothing when all members are killed', async () => {
      await survive(async () => {
        await Promise.all(etcd.members.map((member) => member.kill('SIGKILL')))
        await Promise.all(etcd.members.map((member) => member.start()))
        await Promise.all(etcd.members.map((member) => member.ready()))
      })
    })

    it('ends a watch on a member that has lost the others, and says that nothing was written', async () => {
      const leader = await leaderOf(etcd)
      const [alone, ...others] = [...etcd.members.slice(leader), ...etcd.members.slice(0, leader)]
      const store = await openStore([alone?.url ?? ''])
      const space = createKeyspace(`/alone-${randomUUID()}/`)
      await put(store, space.key('a'))
      const watch = await startWatch(store, space)
      const idle = (async () => {
        while (!(await watch.iterator.next()).done);
      })()
      const ended = rejects(within('the end of the watch', idle), 'ERR_STORE_UNAVAILABLE')
      const startedAt = performance.now()
      await Promise.all(others.map((member) => member.kill('SIGSTOP')))
      try {
        await ended
        const noticedMs = performance.now() - startedAt
        assert.ok(noticedMs < WATCH_PAUSE_MS + SLOW_MACHINE_MS, `noticed after ${noticedMs} ms`)
        // The member knows by now that it has no leader, so it proposes nothing.
        await rejects(put(store, space.key('b')), 'ERR_STORE_UNAVAILABLE')
        await rejects(store.range(space.all), 'ERR_STORE_UNAVAILABLE')
      } finally {
        await Promise.all(others.map((member) => member.kill('SIGCONT')))
      }
      await eventually('a leader', () =>
        store.range({ key: space.key('b') }).then(
          ({ count }) => {
            assert.equal(count, 0n)
            return true
          },
          () => false,
        ),
      )
      await store.close()
    })
  })
}

function oneMember(name: string, openStore: OpenOver): void {
  describe(`${name} over one member`, { skip: missing }, () => {
    it('says that the store is full, and still reads, deletes and compacts', async () => {
      const etcd = await startTestEtcd({ flags: ['--quota-backend-bytes=8388608'] })
      const store = await openStore(etcd.endpoints)
      try {
        const space = createKeyspace('/full/')
        const value = new Uint8Array(1_000_000)
        await rejects(
          (async () => {
            for (let index = 0; index < 30; index++) await put(store, space.key(`${index}`), value)
          })(),
          'ERR_STORE_FULL',
        )
        await rejects(store.grantLease(10), 'ERR_STORE_FULL')
        const { count } = await store.range({ ...space.all, countOnly: true })
        assert.ok(count >= 4n)
        await commit(store, deleteOperation({ key: space.key('0') }))
        await store.compact((await store.status()).revision)
      } finally {
        await store.close()
        await etcd.close()
      }
    })

    it('leaves no watch behind in etcd, however it is left', async () => {
      const etcd = await startTestEtcd()
      const store = await openStore(etcd.endpoints)
      const watchers = async (): Promise<number> => {
        const text = await (await fetch(`${etcd.endpoints[0]}/metrics`)).text()
        return Number(/^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(text)?.[1] ?? Number.NaN)
      }
      try {
        const space = createKeyspace('/left/')
        const before = await watchers()
        const stop = new AbortController()
        const watches = await Promise.all(
          Array.from({ length: 100 }, (_, index) =>
            startWatch(store, space, index % 2 === 0 ? { signal: stop.signal } : {}),
          ),
        )
        await put(store, space.key('a'))
        await Promise.all(watches.map(({ next }) => next()))
        const reading = watches.map(async ({ iterator }) => {
          while (!(await iterator.next()).done);
        })
        assert.equal(await watchers(), before + watches.length)
        stop.abort()
        for (const [index, watch] of watches.entries()) if (index % 2 === 1) await watch.stop()
        await within('the end of the watches', Promise.all(reading))
        await eventually('etcd to have let go of them', async () => (await watchers()) === before)
      } finally {
        await store.close()
        await etcd.close()
      }
    })

    it('yields large revisions and long history whole, in order', async () => {
      const etcd = await startTestEtcd()
      const store = await openStore(etcd.endpoints)
      try {
        const space = createKeyspace('/large/')
        const value = new Uint8Array(60_000).fill(0x61)
        const first = await put(store, space.key('first'))
        const operations = Array.from({ length: 20 }, (_, index) =>
          putOperation(space.key(`${index}`), value),
        )
        // 12 × 1.2 MB in one message of etcd, were it not for fragments; then more revisions than go into one.
        for (let round = 0; round < 12; round++) await commit(store, ...operations)
        const lines = Array.from({ length: 40 }, async () => {
          for (let round = 0; round < 60; round++) await put(store, space.key('small'))
        })
        await Promise.all(lines)
        let last = first - 1n
        let large = 0
        const watch = store.watch({ ...space.all, from: first })
        await within(
          'history',
          (async () => {
            for await (const message of watch) {
              if (message.kind !== 'revision') continue
              assert.equal(message.revision, last + 1n)
              last = message.revision
              if (sizeOf(message) > 1) large += sizeOf(message) / 20
              if (last === first + 12n + 2_400n) break
            }
          })(),
        )
        assert.equal(large, 12)
      } finally {
        await store.close()
        await etcd.close()
      }
    })
  })
}

function sizeOf(message: WatchMessage): number {
  return message.kind === 'revision' ? message.events.length : 0
}
