/**
 * Measures singles to the system as `npm start` starts it, with all services, on every runtime and on both stores.
 *
 * @module
 */

import { runPuts } from '../bare_puts.ts'
import { WIRES } from '../bare_grpc.ts'
import { withEtcd } from '../etcd_figures.ts'
import { ownCost, runPost, type PostResult } from '../generator.ts'
import { numberedNotification } from '../notifications.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess, BenchRuntime } from '../processes.ts'
import { atLeast, atMost, both, ratio, type Aim, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'
import { putsLimit } from './ingest.ts'

const CONNECTIONS = 64
/** Aviso takes this many singles a second, by runtime. */
const LEAST_PER_SECOND: Readonly<Record<BenchRuntime, number>> = { node: 12_000, deno: 12_000, bun: 13_000 }
/** A single at one connection takes at most so long, on the embedded store and on etcd over gRPC. */
const MOST_MS = { embedded: 0.35, etcd: 0.75 } as const
/** The same, in times of a put to etcd. */
const MOST_PUTS = 1.6

/** The rows about the whole system. */
export const npmStartGroup: RowGroup = {
  name: 'npm-start',
  summary: `singles to all services in one process, as npm start starts them, at ${CONNECTIONS} connections and at one`,
  placement: 'together',
  measure: async (bench) => {
    const rows: Row[] = []
    for (const runtime of bench.runtimes) {
      rows.push(
        ...(await withEtcd(({ endpoints: [endpoint = ''] }) =>
          withProcess(startAviso({ runtime }), (aviso) =>
            measure(bench, { aviso, runtime, endpoint, isOnEtcd: false }),
          ),
        )),
        ...(await withEtcd(({ store, endpoints: [endpoint = ''] }) =>
          withProcess(startAviso({ runtime, store: store.replace('http:', GRPC.scheme) }), (aviso) =>
            measure(bench, { aviso, runtime, endpoint, isOnEtcd: true }),
          ),
        )),
      )
    }
    return rows
  },
}

const GRPC = WIRES[1] ?? { name: '', scheme: 'gateway:' as const }

interface Subject {
  readonly aviso: BenchProcess
  readonly runtime: BenchRuntime
  /** Address of an etcd, for bare puts. */
  readonly endpoint: string
  readonly isOnEtcd: boolean
}

async function measure(bench: Bench, subject: Subject): Promise<readonly Row[]> {
  const { aviso, runtime, endpoint, isOnEtcd } = subject
  const shown = isOnEtcd ? `${runtime} + etcd${GRPC.name}` : runtime
  bench.say(`npm start: ${shown}`)
  const post = (connections: number): Promise<PostResult> =>
    runPost(aviso.url, loadMs(bench), { path: PUBLISH_PATH, body: numberedNotification(), connections })
  const put = (connections: number): Promise<PostResult | undefined> =>
    runPuts(endpoint, GRPC.scheme, loadMs(bench) / 2, { connections })
  // Code is compiled when it first runs.
  await post(CONNECTIONS)
  const { many, bareMany, one, bareOne } = await interleave(bench.runs, {
    many: () => post(CONNECTIONS),
    bareMany: () => put(CONNECTIONS),
    one: () => post(1),
    bareOne: () => put(1),
  })
  const rates = many.map(({ perSecond }) => perSecond)
  const halves = one.map(({ latencyMs }) => latencyMs.p50)
  const limit = putsLimit(`etcd puts over gRPC at ${CONNECTIONS}`, bareMany, ({ perSecond }) => perSecond)
  const oneLimit = putsLimit('etcd put over gRPC at 1', bareOne, ({ latencyMs }) => latencyMs.p50)
  const least = atLeast(LEAST_PER_SECOND[runtime], median(rates), '/s')
  const most = atMost(isOnEtcd ? MOST_MS.etcd : MOST_MS.embedded, median(halves), ' ms')
  const p99 = median(many.map(({ latencyMs }) => latencyMs.p99))
  const share = ratio(rates, limit.limit?.runs ?? [])
  const times = ratio(halves, oneLimit.limit?.runs ?? [])
  const withEtcdAim = (aim: Aim, other: Aim): Aim => (isOnEtcd ? both(aim, other) : aim)
  return [
    {
      ...limit,
      name: `npm start as it is, singles, ${CONNECTIONS} connections`,
      runtime: shown,
      unit: '/s',
      runs: rates,
      goal: withEtcdAim(least, atLeast(0.5, share, ' of bare puts')),
      notes: [`p99 ${p99.toFixed(1)} ms`, ownCost(many), ...limit.notes],
    },
    {
      ...oneLimit,
      name: 'npm start as it is, a single, 1 connection, p50',
      runtime: shown,
      unit: 'ms',
      runs: halves,
      goal: withEtcdAim(most, atMost(MOST_PUTS, times, ' × a put')),
      notes: oneLimit.notes,
    },
  ]
}
