/**
 * Measures how fast history is read: from the store after a start, and from the ring (the recent entries that the hub keeps in memory).
 *
 * @module
 */

import type { EtcdCluster } from '../../etcd/cluster.ts'
import { WIRES } from '../bare_grpc.ts'
import type { Wire } from '../bare_store.ts'
import { withEtcd } from '../etcd_figures.ts'
import { LIVE_PATH, openListeners } from '../listeners.ts'
import { createNotifications } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { atLeast, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { currentCursor, PUBLISH_PATH, startAviso, startBareFanOut, withProcess } from '../systems.ts'
import { calibratePadding, publishBurst } from '../targets.ts'

/** Number of notifications that surely fit into the ring together. */
const IN_RING = 10_000
/** Number of readers, one after the other, because a single reading takes only milliseconds. */
const READERS = 20
const SETTLE_LIMIT_MS = 60_000

/** The rows about history. */
export const replayGroup: RowGroup = {
  name: 'replay',
  summary: 'notifications per second to a listener that reads history, from etcd and from memory',
  measure: (bench) =>
    withEtcd(async (etcd) => [...(await measureFromStore(bench, etcd)), await measureFromRing(bench, etcd)]),
}

async function measureFromStore(bench: Bench, etcd: EtcdCluster): Promise<readonly Row[]> {
  const stored = bench.isQuick ? 20_000 : 60_000
  bench.say(`replay: storing ${stored}`)
  await withProcess(startAviso({ store: etcd.store, services: ['rest'] }), ({ url }) =>
    publishBurst({ publishUrl: url + PUBLISH_PATH, many: createNotifications().batch }, stored),
  )
  const rows: Row[] = []
  for (const wire of WIRES) rows.push(await measureOver(bench, etcd, { wire, stored }))
  return rows
}

async function measureOver(
  bench: Bench,
  etcd: EtcdCluster,
  { wire, stored }: { readonly wire: Wire; readonly stored: number },
): Promise<Row> {
  const store = etcd.store.replace('http:', wire.scheme)
  const bare = wire.open(etcd.endpoints[0] ?? '')
  const results = await interleave(bench.runs, {
    ours: async () => {
      bench.say(`replay: from etcd${wire.name}`)
      // A new process each time, because the last one has part of the history in memory.
      return withProcess(startAviso({ store, services: ['auth'] }), ({ url }) =>
        readTimes(url, { path: `${LIVE_PATH}&from_id=1`, count: stored, readers: 1 }),
      )
    },
    bare: () => bare.readHistory(stored),
  })
  await bare.close()
  return {
    name: `replay from the store${wire.name}`,
    runtime: 'node + etcd',
    unit: 'notifications/s',
    runs: results.ours,
    limit: { name: 'a bare watch of the same history', runs: results.bare },
    floor: atLeast(10_000, median(results.ours), '/s'),
    goal: atLeast(50_000, median(results.ours), '/s'),
    notes: [`${stored} notifications, the first reader after a start`],
  }
}

async function measureFromRing(bench: Bench, etcd: EtcdCluster): Promise<Row> {
  const paddingBytes = await calibratePadding()
  const results = await interleave(bench.runs, {
    ours: () => {
      bench.say('replay: from memory')
      return withProcess(startAviso({ store: etcd.store }), async ({ url }) => {
        const cursor = await currentCursor(url)
        const many = createNotifications().batch
        const live = await openListeners({ url, path: () => LIVE_PATH, count: 1 })
        await publishBurst({ publishUrl: url + PUBLISH_PATH, many }, IN_RING)
        await live.settled(IN_RING, SETTLE_LIMIT_MS)
        live.close()
        return readTimes(url, { path: `${LIVE_PATH}&from=${cursor}`, count: IN_RING, readers: READERS })
      })
    },
    bare: () =>
      withProcess(startBareFanOut({ paddingBytes }), ({ url }) =>
        readTimes(url, { path: `/replay/${IN_RING}`, count: IN_RING, readers: READERS }),
      ),
  })
  return {
    name: 'replay from the ring',
    runtime: 'node + etcd',
    unit: 'notifications/s',
    runs: results.ours,
    limit: { name: 'plain Node server, ready frames', runs: results.bare },
    goal: atLeast(500_000, median(results.ours), '/s'),
    notes: [`${IN_RING} notifications, ${READERS} readers one after the other`],
  }
}

/** @returns the notifications per second over all readers, each of which gets `count` */
async function readTimes(
  url: string,
  { path, count, readers }: { readonly path: string; readonly count: number; readonly readers: number },
): Promise<number> {
  const startedAt = performance.now()
  for (let reader = 0; reader < readers; reader++) {
    const listeners = await openListeners({ url, path: () => path, count: 1 })
    try {
      await listeners.settled(count, SETTLE_LIMIT_MS)
    } finally {
      listeners.close()
    }
  }
  return (count * readers) / ((performance.now() - startedAt) / 1_000)
}
