/**
 * Measures what very many notifications do: memory of the process that took them, and the rate when they are stored.
 *
 * @module
 */

import type { EtcdCluster } from '../../etcd/cluster.ts'
import { runPuts } from '../bare_puts.ts'
import { onBothStores } from '../both_stores.ts'
import { runLoads, runPost, type PostResult } from '../generator.ts'
import { numberedBatch, numberedNotification } from '../notifications.ts'
import { loadMs, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atLeast, atMost, type Row } from '../row.ts'
import { PUBLISH_PATH } from '../systems.ts'

const STORED = { full: 1_000_000, quick: 100_000 } as const
const CONNECTIONS = 64
/** How a store is filled. */
const FILL = { size: 100, connections: 8 } as const
const FILL_LIMIT_MS = 600_000
/** How long after the last notification memory is read once more, because it is given back a little later. */
const LATER_MS = { full: 30_000, quick: 5_000 } as const
/** Until then a process gets faster. */
const WARM_UP_MS = 4_000
/** Memory that 1,000,000 notifications may leave. */
const MOST_MEBIBYTES = 250

/** The rows about memory and growth. */
export const growthGroup: RowGroup = {
  name: 'growth',
  summary: 'memory after 1,000,000 notifications (100,000 with --quick), and the rate with them stored',
  placement: 'together',
  measure: (bench) => onBothStores((aviso, runtime, etcd) => measure(bench, { aviso, runtime, etcd })),
}

interface Subject {
  readonly aviso: BenchProcess
  /** Name in the rows. */
  readonly runtime: string
  readonly etcd: EtcdCluster | undefined
}

async function measure(bench: Bench, { aviso, runtime, etcd }: Subject): Promise<readonly Row[]> {
  const stored = bench.isQuick ? STORED.quick : STORED.full
  const shown = stored.toLocaleString('en')
  const post = (durationMs = loadMs(bench)): Promise<PostResult> =>
    runPost(aviso.url, durationMs, {
      path: PUBLISH_PATH,
      body: numberedNotification(),
      connections: CONNECTIONS,
    })
  // Code is compiled when it first runs.
  await post(WARM_UP_MS)
  const emptyPuts = await putsPerSecond(bench, etcd)
  const empty = await post()
  const started = aviso.residentMebibytes()
  bench.say(`growth: storing ${shown}, ${runtime}`)
  const fill = await fillStore(aviso, stored)
  const filled = aviso.residentMebibytes()
  const grown = await post()
  const grownPuts = await putsPerSecond(bench, etcd)
  await new Promise((done) => setTimeout(done, bench.isQuick ? LATER_MS.quick : LATER_MS.full))
  const later = aviso.residentMebibytes()
  const seconds = (bench.isQuick ? LATER_MS.quick : LATER_MS.full) / 1_000
  return [
    {
      name: `memory ${seconds} s after ${shown} notifications`,
      runtime,
      unit: 'MiB',
      runs: [later],
      limit: { name: 'before them', runs: [started] },
      goal: atMost(MOST_MEBIBYTES, later, ' MiB'),
      notes: [
        `${filled.toFixed(0)} MiB right after them`,
        `stored at ${fill.toFixed(0)}/s in batches of ${FILL.size}`,
      ],
    },
    {
      name: `singles with ${shown} stored, ${CONNECTIONS} connections`,
      runtime,
      unit: '/s',
      runs: [grown.perSecond],
      limit: { name: 'almost empty', runs: [empty.perSecond] },
      goal: atLeast(0.9, grown.perSecond / empty.perSecond, ' of empty'),
      notes: [
        `p99 ${grown.latencyMs.p99.toFixed(1)} ms (${empty.latencyMs.p99.toFixed(1)})`,
        ...(emptyPuts === undefined || grownPuts === undefined
          ? []
          : [
              `bare puts: ${(grownPuts / emptyPuts).toFixed(2)} of empty (${grownPuts.toFixed(0)}/s, ${emptyPuts.toFixed(0)}/s)`,
            ]),
      ],
    },
  ]
}

/** What etcd does without us: what it holds makes it slower, too. */
async function putsPerSecond(bench: Bench, etcd: EtcdCluster | undefined): Promise<number | undefined> {
  const [member] = etcd?.members ?? []
  if (member === undefined) return undefined
  const puts = await runPuts(member.url, 'grpc:', loadMs(bench), { connections: CONNECTIONS })
  return puts?.perSecond
}

/** @returns the notifications stored per second */
export async function fillStore({ url }: BenchProcess, count: number): Promise<number> {
  const load = {
    path: PUBLISH_PATH,
    body: numberedBatch(FILL.size),
    connections: FILL.connections,
    requests: count / FILL.size,
    perRequest: FILL.size,
  }
  const { results } = await runLoads(url, { until: FILL_LIMIT_MS }, [load])
  return (results[0]?.perSecond ?? Number.NaN) * FILL.size
}
