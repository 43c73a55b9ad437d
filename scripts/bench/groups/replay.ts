/**
 * Measures how fast history is read: from the store after a start, and from the ring (the recent entries that the hub keeps in memory).
 *
 * @module
 */

import { END_OF_KEYS } from '#shared/bytes/bytes.ts'
import type { EtcdCluster } from '../../etcd/cluster.ts'
import { WIRES } from '../bare_grpc.ts'
import type { Wire } from '../bare_store.ts'
import { withEtcd } from '../etcd_figures.ts'
import { LIVE_PATH, openListeners } from '../listeners.ts'
import { startProcess, type BenchProcess } from '../processes.ts'
import { createNotifications } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { atLeast, atMost, type Row } from '../row.ts'
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
  summary:
    'notifications per second to a listener that reads history, and the time to its first, from each store',
  measure: (bench) =>
    withEtcd(async (etcd) => [
      ...(await measureFromStore(bench, etcd)),
      ...(await measureFromEmbedded(bench)),
      await measureFromRing(bench, etcd),
    ]),
}

function storedIn({ isQuick }: Bench): number {
  return isQuick ? 20_000 : 100_000
}

function fill(url: string, stored: number): Promise<void> {
  return publishBurst({ publishUrl: url + PUBLISH_PATH, many: createNotifications().batch }, stored)
}

async function measureFromStore(bench: Bench, etcd: EtcdCluster): Promise<readonly Row[]> {
  const stored = storedIn(bench)
  bench.say(`replay: storing ${stored}`)
  await withProcess(startAviso({ store: etcd.store, services: ['rest'] }), ({ url }) => fill(url, stored))
  const rows: Row[] = []
  for (const wire of WIRES) {
    const store = etcd.store.replace('http:', wire.scheme)
    const start = (): Promise<BenchProcess> => startAviso({ store, services: ['auth'] })
    rows.push(await measureOver(bench, etcd, { wire, stored }))
    rows.push(await measureWatch(bench, etcd, { wire, stored }))
    rows.push(await measureFirst(bench, { name: wire.name, runtime: 'node + etcd', start, stored }))
  }
  return rows
}

async function measureFromEmbedded(bench: Bench): Promise<readonly Row[]> {
  const stored = storedIn(bench)
  const prepare = (folder: string): Promise<void> => {
    const argv = ['scripts/serve.ts', 'rest', '--port', '0', '--store', 'embedded:', '--data', folder]
    return withProcess(startProcess('node', argv), ({ url }) => fill(url, stored))
  }
  const start = (): Promise<BenchProcess> => startAviso({ services: ['auth'], prepare })
  const { ours } = await interleave(bench.runs, {
    ours: () => {
      bench.say('replay: from the embedded store')
      return withProcess(start(), ({ url }) =>
        readTimes(url, { path: `${LIVE_PATH}&from_id=1`, count: stored, readers: 1 }),
      )
    },
  })
  return [
    {
      name: 'replay from the embedded store',
      runtime: 'node',
      unit: 'notifications/s',
      runs: ours ?? [],
      floor: atLeast(50_000, median(ours ?? []), '/s'),
      goal: atLeast(150_000, median(ours ?? []), '/s'),
      notes: [`${stored} notifications, the first reader after a start`],
    },
    await measureFirst(bench, { name: ' from the embedded store', runtime: 'node', start, stored }),
  ]
}

/** Measures the watch of our adapter alone. */
async function measureWatch(
  bench: Bench,
  etcd: EtcdCluster,
  { wire, stored }: { readonly wire: Wire; readonly stored: number },
): Promise<Row> {
  const [endpoint = ''] = etcd.endpoints
  const bare = wire.open(endpoint)
  const results = await interleave(bench.runs, {
    ours: () => {
      bench.say(`replay: a watch${wire.name}`)
      return watchTimes(wire, endpoint, stored)
    },
    bare: () => bare.readHistory(stored),
  })
  await bare.close()
  return {
    name: `watch of the store${wire.name}`,
    runtime: 'node + etcd',
    unit: 'events/s',
    runs: results.ours,
    limit: { name: 'a bare watch of the same history', runs: results.bare },
    goal: atLeast(wire.scheme === 'grpc:' ? 150_000 : 50_000, median(results.ours), '/s'),
    notes: ['our adapter alone, in whole revisions'],
  }
}

/** @returns the events per second */
async function watchTimes(wire: Wire, endpoint: string, events: number): Promise<number> {
  const store = wire.openOurs(endpoint)
  try {
    const startedAt = performance.now()
    let seen = 0
    for await (const message of store.watch({ key: END_OF_KEYS, end: END_OF_KEYS, from: 1n })) {
      if (message.kind === 'revision') seen += message.events.length
      if (seen >= events) break
    }
    return (seen / (performance.now() - startedAt)) * 1_000
  } finally {
    await store.close()
  }
}

/** Measures the time to the first notification of a listener that begins late in history, while the reader of one that left is behind it. */
async function measureFirst(
  bench: Bench,
  {
    name,
    runtime,
    start,
    stored,
  }: {
    readonly name: string
    readonly runtime: string
    readonly start: () => Promise<BenchProcess>
    readonly stored: number
  },
): Promise<Row> {
  const path = `${LIVE_PATH}&from_id=${stored * 0.9}`
  const results = await interleave(bench.runs, {
    alone: () => withProcess(start(), ({ url }) => firstMs(url, path)),
    beside: () => {
      bench.say(`replay: the first notification${name}`)
      return withProcess(start(), async ({ url }) => {
        await leaveReaderBehind(url)
        return firstMs(url, path)
      })
    },
  })
  return {
    name: `first notification of a replay${name}`,
    runtime,
    unit: 'ms',
    runs: results.beside,
    limit: { name: 'without another reader', runs: results.alone },
    goal: atMost(50, median(results.beside), ' ms'),
    notes: [`from 90 % of ${stored}; a reader that began at the first has just left`],
  }
}

/** Has a listener begin with the first notification and leave at once, and waits until the server has noticed. */
async function leaveReaderBehind(url: string): Promise<void> {
  const listeners = await openListeners({ url, path: () => `${LIVE_PATH}&from_id=1`, count: 1 })
  listeners.pause()
  listeners.close()
  const limit = performance.now() + SETTLE_LIMIT_MS
  while (performance.now() < limit) {
    const { streams } = (await (await fetch(`${url}/readyz`)).json()) as { readonly streams?: number }
    if (streams === 0) return
  }
  throw new Error('A server did not notice that a listener left')
}

/** Opens a listener, and leaves after its first notification. @returns the milliseconds until that came */
async function firstMs(url: string, path: string): Promise<number> {
  const startedAt = performance.now()
  const listeners = await openListeners({ url, path: () => path, count: 1 })
  const limit = startedAt + SETTLE_LIMIT_MS
  while (listeners.delivered === 0 && performance.now() < limit)
    await new Promise((next) => setTimeout(next, 1))
  const ms = performance.now() - startedAt
  listeners.close()
  if (listeners.delivered === 0) throw new Error('A replay did not begin')
  return ms
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
    goal: atLeast(150_000, median(results.ours), '/s'),
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
