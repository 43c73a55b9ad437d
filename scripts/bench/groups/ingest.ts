/**
 * Measures how many notifications per second are stored durably on etcd, and how soon one is acknowledged.
 *
 * @module
 */

import type { EtcdCluster } from '../../etcd/cluster.ts'
import { WIRES } from '../bare_grpc.ts'
import type { BareStore, Wire } from '../bare_store.ts'
import { runClosedLoop } from '../closed_loop.ts'
import { withEtcd } from '../etcd_figures.ts'
import { openConnection, runLoad } from '../http_load.ts'
import { createNotifications, type NotificationMaker } from '../notifications.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atLeast, atMost, both, ratio, type Aim, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, startNoOpIngest, withProcess } from '../systems.ts'

const CONNECTIONS = 64
const BATCH_SIZE = 100
/** Enough requests in flight for full transactions. */
const BATCH_CONNECTIONS = 8
/** etcd's default limit of operations in a transaction. */
const TXN_SIZE = 128
/** What aviso 1.x reaches on the same kind of machine, as launched. */
const AVISO_1_PER_SECOND = 165
/** Load before a measurement. After 3 s a process does half as much again as in its first second, because its code is then compiled. */
const WARM_UP_MS = 4_000

interface Parties {
  readonly wire: Wire
  readonly aviso: BenchProcess
  readonly noOp: BenchProcess
  readonly bare: BareStore
  readonly notifications: NotificationMaker
}

/** The rows about publishing. */
export const ingestGroup: RowGroup = {
  name: 'ingest',
  summary:
    'notifications stored per second, singly and in batches, and the time to an acknowledgement, on etcd',
  placement: 'together',
  measure: async (bench) => {
    const rows: Row[] = []
    // Each wire gets its own etcd, because two ingests on one etcd would follow each other's notifications.
    for (const wire of WIRES) rows.push(...(await withEtcd((etcd) => measureWire(bench, etcd, wire))))
    return rows
  },
}

function measureWire(bench: Bench, etcd: EtcdCluster, wire: Wire): Promise<readonly Row[]> {
  const store = etcd.store.replace('http:', wire.scheme)
  return withProcess(startAviso({ store, services: ['rest'] }), (aviso) =>
    withProcess(startNoOpIngest(), async (noOp) => {
      const bare = wire.open(etcd.endpoints[0] ?? '')
      try {
        const parties = { wire, aviso, noOp, bare, notifications: createNotifications() }
        const rows = [await measureSingles(bench, parties), await measureBatches(bench, parties)]
        return [...rows, await measureAcknowledgement(bench, parties)]
      } finally {
        await bare.close()
      }
    }),
  )
}

async function measureSingles(bench: Bench, parties: Parties): Promise<Row> {
  const { wire, aviso, noOp, bare, notifications } = parties
  const postTo = async (process: BenchProcess, durationMs: number): Promise<number> => {
    const url = process.url + PUBLISH_PATH
    const load = { url, body: () => notifications.next(), connections: CONNECTIONS, durationMs }
    return (await runLoad(load)).perSecond
  }
  bench.say(`ingest${wire.name}: one per request, ${CONNECTIONS} connections`)
  for (const process of [aviso, noOp]) await postTo(process, WARM_UP_MS)
  const before = aviso.cpuSeconds()
  let stored = 0
  const results = await interleave(bench.runs, {
    ours: async () => {
      const perSecond = await postTo(aviso, loadMs(bench))
      stored += (perSecond * loadMs(bench)) / 1_000
      return perSecond
    },
    bare: (run) => putSingles(bare, run, loadMs(bench)),
    noOp: () => postTo(noOp, loadMs(bench)),
  })
  const ours = median(results.ours)
  const share = ratio(results.ours, results.noOp)
  const floor: Aim = {
    text: `≥ 10 × aviso 1.x (${AVISO_1_PER_SECOND * 10}/s) and > bare puts`,
    isMet: ours >= AVISO_1_PER_SECOND * 10 && ratio(results.ours, results.bare) > 1,
  }
  return {
    name: `ingest, 1 per request, ${CONNECTIONS} connections${wire.name}`,
    runtime: 'node + etcd',
    unit: '/s',
    runs: results.ours,
    limit: { name: `etcd puts at ${CONNECTIONS} connections`, runs: results.bare },
    floor,
    goal: both(atLeast(8_000, ours, '/s'), { text: '≥ 0.8 of a no-op store', isMet: share >= 0.8 }),
    notes: [
      `the same handler on a no-op store: ${Math.round(median(results.noOp))}/s, ratio ${share.toFixed(2)}`,
      `processor time of the ingest ${(((aviso.cpuSeconds() - before) / stored) * 1e6).toFixed(0)} µs each`,
    ],
  }
}

async function putSingles(bare: BareStore, run: number, durationMs: number): Promise<number> {
  // Each run has its own keys, because rewriting a key is other work than writing a new one.
  const first = run * 1_000_000
  const worker = { call: (n: number) => bare.put(first + n) }
  return (await runClosedLoop({ workers: CONNECTIONS, durationMs, open: () => worker })).perSecond
}

async function measureBatches(bench: Bench, parties: Parties): Promise<Row> {
  const { wire, aviso, bare, notifications } = parties
  bench.say(`ingest${wire.name}: ${BATCH_SIZE} per request`)
  const post = async (durationMs: number): Promise<number> => {
    const { perSecond } = await runLoad({
      url: aviso.url + PUBLISH_PATH,
      body: () => notifications.batch(BATCH_SIZE),
      connections: BATCH_CONNECTIONS,
      durationMs,
    })
    return perSecond * BATCH_SIZE
  }
  await post(WARM_UP_MS)
  const results = await interleave(bench.runs, {
    ours: () => post(loadMs(bench)),
    bare: async (run) => {
      const worker = { call: (n: number) => bare.putMany(run * 100_000 + n, TXN_SIZE) }
      const loop = { workers: 1, durationMs: loadMs(bench), open: () => worker }
      return (await runClosedLoop(loop)).perSecond * TXN_SIZE
    },
  })
  return {
    name: `ingest, ${BATCH_SIZE} per request, ${BATCH_CONNECTIONS} connections${wire.name}`,
    runtime: 'node + etcd',
    unit: 'notifications/s',
    runs: results.ours,
    limit: { name: `etcd transactions of ${TXN_SIZE} puts, one after another`, runs: results.bare },
    floor: atLeast(20_000, median(results.ours), '/s'),
    goal: { text: '≥ 0.7 of the limit', isMet: ratio(results.ours, results.bare) >= 0.7 },
  }
}

/** Measures posts and puts in turn, so that both run under the same conditions. */
async function measureAcknowledgement(
  bench: Bench,
  { wire, aviso, bare, notifications }: Parties,
): Promise<Row> {
  bench.say(`ingest${wire.name}: acknowledgement at low load`)
  const pairs = bench.isQuick ? 300 : 800
  const ours: number[] = []
  const limits: number[] = []
  const connection = await openConnection(aviso.url + PUBLISH_PATH)
  for (let run = 0; run < bench.runs; run++) {
    const posts: number[] = []
    const puts: number[] = []
    for (let pair = 0; pair < pairs; pair++) {
      const start = performance.now()
      const { status } = await connection.post(notifications.next())
      if (status !== 200) throw new Error(`The ingest answered ${status}`)
      const middle = performance.now()
      await bare.put(5_000_000 + run * pairs + pair)
      puts.push(performance.now() - middle)
      posts.push(middle - start)
    }
    ours.push(median(posts))
    limits.push(median(puts))
  }
  connection.close()
  const share = ratio(ours, limits)
  return {
    name: `acknowledgement at low load, p50${wire.name}`,
    runtime: 'node + etcd',
    unit: 'ms',
    runs: ours,
    limit: { name: 'etcd put', runs: limits },
    floor: atMost(2, share, ' × the limit'),
    goal: atMost(1.2, share, ' × the limit'),
  }
}
