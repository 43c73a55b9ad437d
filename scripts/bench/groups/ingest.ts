/**
 * Measures how many notifications per second are stored durably on etcd, and how soon one is acknowledged, beside bare puts of the same
 * generator.
 *
 * @module
 */

import { runPuts, type PutWire } from '../bare_puts.ts'
import { WIRES } from '../bare_grpc.ts'
import { withEtcd } from '../etcd_figures.ts'
import { ownCost, runPost, type PostResult } from '../generator.ts'
import { numberedBatch, numberedNotification } from '../notifications.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atLeast, atMost, both, ratio, type Limit, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'

const CONNECTIONS = [64, 1, 16, 256] as const
/** Those of quick runs, which have to be short. */
const QUICK_CONNECTIONS = [64, 1, 256] as const
const BATCH_SIZE = 100
/** Enough requests in flight for full transactions. */
const BATCH_CONNECTIONS = 8
/** etcd's default limit of operations in a transaction. */
const TXN_SIZE = 128
/** What aviso 1.x reaches on the same kind of machine, as launched. */
const AVISO_1_PER_SECOND = 165
/**
 * Milliseconds of load before a measurement. After 3 s a process does half as much again as in its first second, because its code is then
 * compiled.
 */
function warmUpMs({ isQuick }: Bench): number {
  return isQuick ? 2_000 : 4_000
}

interface Parties {
  /** What the names of the rows end with. */
  readonly wireName: string
  readonly wire: PutWire
  readonly aviso: BenchProcess
  readonly endpoint: string
}

/** The rows about publishing. */
export const ingestGroup: RowGroup = {
  name: 'ingest',
  summary: `notifications stored per second at ${CONNECTIONS.toSorted((a, b) => a - b).join(', ')} connections and in batches, the time to an acknowledgement, on etcd`,
  placement: 'together',
  measure: async (bench) => {
    const rows: Row[] = []
    // Each wire gets its own etcd, because two ingests on one etcd would follow each other's notifications.
    for (const { name: wireName, scheme: wire } of WIRES) {
      const measureOn = (aviso: BenchProcess, endpoint: string): Promise<readonly Row[]> =>
        measure(bench, { wireName, wire, aviso, endpoint })
      rows.push(
        ...(await withEtcd(({ store, endpoints: [endpoint = ''] }) =>
          withProcess(startAviso({ store: store.replace('http:', wire), services: ['rest'] }), (aviso) =>
            measureOn(aviso, endpoint),
          ),
        )),
      )
    }
    return rows
  },
}

async function measure(bench: Bench, parties: Parties): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const connections of bench.isQuick ? QUICK_CONNECTIONS : CONNECTIONS)
    rows.push(...(await measureSingles(bench, parties, connections)))
  return [...rows, await measureBatches(bench, parties)]
}

/** The limit of a row; none where the generator cannot make it. */
export function putsLimit(
  name: string,
  puts: readonly (PostResult | undefined)[],
  figure: (result: PostResult) => number,
): { readonly limit?: Limit; readonly notes: readonly string[] } {
  const made = puts.filter((result) => result !== undefined)
  if (made.length < puts.length) return { notes: ['no bare puts over gRPC without a compiler'] }
  return {
    limit: { name, runs: made.map(figure) },
    notes: [ownCost(made).replace('each', 'a request of the limit')],
  }
}

async function measureSingles(bench: Bench, parties: Parties, connections: number): Promise<readonly Row[]> {
  const { wireName, wire, aviso, endpoint } = parties
  const post = (durationMs: number): Promise<PostResult> =>
    runPost(aviso.url, durationMs, { path: PUBLISH_PATH, body: numberedNotification(), connections })
  bench.say(`ingest${wireName}: one per request, ${connections} connection(s)`)
  await post(connections === CONNECTIONS[0] ? warmUpMs(bench) : warmUpMs(bench) / 4)
  const costs: number[] = []
  const { ours, bare } = await interleave(bench.runs, {
    ours: async () => {
      const before = aviso.cpuSeconds()
      const result = await post(loadMs(bench))
      costs.push(((aviso.cpuSeconds() - before) * 1e6) / result.count)
      return result
    },
    bare: () => runPuts(endpoint, wire, loadMs(bench), { connections }),
  })
  const shown = `${connections} connection${connections === 1 ? '' : 's'}${wireName}`
  const common = { runtime: 'node + etcd' }
  const notes = [`processor time of the ingest ${median(costs).toFixed(0)} µs each`, ownCost(ours)]
  const rates = ours.map(({ perSecond }) => perSecond)
  const limit = putsLimit(`etcd puts at ${connections}`, bare, ({ perSecond }) => perSecond)
  const share = ratio(rates, limit.limit?.runs ?? [])
  const perSecond: Row = {
    ...common,
    ...limit,
    name: `ingest, 1 per request, ${shown}`,
    unit: '/s',
    runs: rates,
    ...(connections === 64 && {
      floor: atLeast(10 * AVISO_1_PER_SECOND, median(rates), '/s'),
      goal: atLeast(0.5, share, ' of bare puts'),
    }),
    notes: [...notes, ...limit.notes],
  }
  const later = putsLimit(`etcd put at ${connections}`, bare, ({ latencyMs }) => latencyMs.p50)
  const milliseconds = ours.map(({ latencyMs }) => latencyMs.p50)
  const p50: Row = {
    ...common,
    ...later,
    name: `a single, p50, ${shown}`,
    unit: 'ms',
    runs: milliseconds,
    ...(connections === 1 && {
      floor: atMost(2, ratio(milliseconds, later.limit?.runs ?? []), ' × the limit'),
      goal: both(
        atMost(0.75, median(milliseconds), ' ms'),
        atMost(1.6, ratio(milliseconds, later.limit?.runs ?? []), ' × the limit'),
      ),
    }),
    notes: [`p99 ${median(ours.map(({ latencyMs }) => latencyMs.p99)).toFixed(2)} ms`],
  }
  return [perSecond, p50]
}

async function measureBatches(bench: Bench, { wireName, wire, aviso, endpoint }: Parties): Promise<Row> {
  bench.say(`ingest${wireName}: ${BATCH_SIZE} per request`)
  const post = (durationMs: number): Promise<PostResult> =>
    runPost(aviso.url, durationMs, {
      path: PUBLISH_PATH,
      body: numberedBatch(BATCH_SIZE),
      connections: BATCH_CONNECTIONS,
    })
  await post(warmUpMs(bench))
  const { ours, bare } = await interleave(bench.runs, {
    ours: () => post(loadMs(bench)),
    bare: () => runPuts(endpoint, wire, loadMs(bench), { connections: 1, perTransaction: TXN_SIZE }),
  })
  const limitName = `etcd transactions of ${TXN_SIZE} puts, one after another`
  const limit = putsLimit(limitName, bare, ({ perSecond }) => perSecond * TXN_SIZE)
  const rates = ours.map(({ perSecond }) => perSecond * BATCH_SIZE)
  const share = ratio(rates, limit.limit?.runs ?? [])
  return {
    ...limit,
    name: `ingest, ${BATCH_SIZE} per request, ${BATCH_CONNECTIONS} connections${wireName}`,
    runtime: 'node + etcd',
    unit: 'notifications/s',
    runs: rates,
    floor: atLeast(20_000, median(rates), '/s'),
    goal: both(atLeast(50_000, median(rates), '/s'), atLeast(0.6, share, ' of the limit')),
  }
}
