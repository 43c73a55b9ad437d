/**
 * Measures a day in small: bursts of singles, as at the end of a forecast run, to listeners with filters.
 *
 * @module
 */

import { WIRES } from '../bare_grpc.ts'
import { withEtcd } from '../etcd_figures.ts'
import { liveStreams, ownCost, runLoads } from '../generator.ts'
import { LIVE_PATH } from '../listeners.ts'
import { dailyNotification } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atMost, type Row } from '../row.ts'
import { median, type Percentiles } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'

const LISTENERS = 500
const RATE = 2_000
const CONNECTIONS = 64
/** A listener gets the notifications of one member, so half of all notifications have no listener. */
const MEMBERS = 1_000
const BURST = 4_000
const BURSTS = { full: 5, quick: 2 } as const
const PAUSE_MS = 1_000
const LIMIT_MS = 60_000
/** Notifications of a real day. */
const DAY = 300_000

/** Cost of one run. */
interface Day {
  readonly microsEach: number
  readonly latencyMs: Percentiles
  readonly ownMicros: number
}

/** The rows about a day in small. */
export const dayGroup: RowGroup = {
  name: 'day',
  summary: `a day in small: bursts of ${RATE} singles/s to ${LISTENERS} filtered listeners, processor time of each notification`,
  measure: async (bench) => {
    const rows: Row[] = []
    for (const runtime of bench.runtimes) {
      rows.push(await withProcess(startAviso({ runtime }), (aviso) => measure(bench, aviso, runtime)))
    }
    const [, grpc] = WIRES
    const onEtcd = await withEtcd(({ store }) =>
      withProcess(startAviso({ store: store.replace('http:', grpc?.scheme ?? 'gateway:') }), (aviso) =>
        measure(bench, aviso, `node + etcd${grpc?.name ?? ''}`),
      ),
    )
    return [...rows, onEtcd]
  },
}

async function measure(bench: Bench, aviso: BenchProcess, runtime: string): Promise<Row> {
  bench.say(`day: ${runtime}`)
  // The first bursts are not measured, because code is compiled when it first runs.
  await runDay(aviso, 1)
  const { days } = await interleave(bench.runs, {
    days: () => runDay(aviso, bench.isQuick ? BURSTS.quick : BURSTS.full),
  })
  const micros = days.map(({ microsEach }) => microsEach)
  const worst = median(days.map(({ latencyMs }) => latencyMs.p99))
  const seconds = (median(micros) * DAY) / 1e6
  return {
    name: `a day in small: ${RATE} singles/s, ${LISTENERS} filtered listeners`,
    runtime,
    unit: 'µs of processor time each',
    runs: micros,
    goal: atMost(200, median(micros), ' µs'),
    notes: [
      ...(runtime.includes('etcd') ? ['of Aviso alone, without that of etcd'] : []),
      `${DAY.toLocaleString('en')} a day are ${seconds.toFixed(0)} s of processor time (goal: 60)`,
      `deliveries p50 ${median(days.map(({ latencyMs }) => latencyMs.p50)).toFixed(1)} ms, p99 ${worst.toFixed(1)} ms`,
      ownCost(days),
    ],
  }
}

/** The processor time is that of the bursts, with deliveries, without the pauses between them. */
async function runDay(aviso: BenchProcess, bursts: number): Promise<Day> {
  const parts: Day[] = []
  for (let burst = 0; burst < bursts; burst++) {
    let before = 0
    let after = 0
    const plan = {
      until: LIMIT_MS,
      onOpen: () => void (before = aviso.cpuSeconds()),
      onSettled: () => void (after = aviso.cpuSeconds()),
    }
    const posts = {
      path: PUBLISH_PATH,
      body: dailyNotification(),
      connections: CONNECTIONS,
      ratePerSecond: RATE,
      requests: BURST,
    }
    const listeners = liveStreams(LISTENERS, {
      path: `${LIVE_PATH}&expver=0~~~`,
      isSparse: true,
      isTimed: true,
      expect: BURST / MEMBERS,
    })
    const { results, ownMicros } = await runLoads(aviso.url, plan, [posts, listeners])
    const [, deliveries] = results
    if (deliveries === undefined) throw new Error('The generator gave no result')
    parts.push({ microsEach: ((after - before) * 1e6) / BURST, latencyMs: deliveries.latencyMs, ownMicros })
    await new Promise((done) => setTimeout(done, PAUSE_MS))
  }
  const middle = (figure: (part: Day) => number): number => median(parts.map(figure))
  return {
    microsEach: parts.reduce((sum, { microsEach }) => sum + microsEach, 0) / bursts,
    latencyMs: {
      p50: middle(({ latencyMs }) => latencyMs.p50),
      p99: middle(({ latencyMs }) => latencyMs.p99),
      max: middle(({ latencyMs }) => latencyMs.max),
    },
    ownMicros: middle(({ ownMicros }) => ownMicros),
  }
}
