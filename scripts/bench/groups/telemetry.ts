/**
 * Measures how much a monitoring that is down, slow or hostile costs the services.
 *
 * @module
 */

import { LIVE_PATH, openListeners, type Listeners } from '../listeners.ts'
import { runPaced } from '../http_load.ts'
import { createNotifications } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atMost, ratio, type Row } from '../row.ts'
import { startMonitoringStandIn, type Mood, type MonitoringStandIn } from '../servers/monitoring.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'
import { readMetric } from '../etcd_figures.ts'
import configuration from '../../../wrangler-like.config.json' with { type: 'json' }

const LISTENERS = 100
/** Notifications per second: with so many listeners they take about half of a processor. */
const RATE = 400
const CONNECTIONS = 16
/** Longer than the pause after a failure, so that telemetry is sent in each mood. */
const ROUND_SECONDS = 8
const ROUNDS = 3
const SETTLE_MS = 5_000
/** Largest cost, as a share of the cost with a healthy monitoring. */
const MOST_SHARE = 1.01
/** Environment variable with the token of the stand-in. */
const TOKEN_ENV = 'AVISO_BENCH_TELEMETRY_TOKEN'

/** The rows about telemetry. */
export const telemetryGroup: RowGroup = {
  name: 'telemetry',
  summary: `publishing to ${LISTENERS} listeners while the monitoring is down, slow or hostile, beside one that is well`,
  measure: async (bench) => {
    const monitoring = await startMonitoringStandIn()
    process.env[TOKEN_ENV] = 'token-of-this-benchmark'
    const telemetry = { http: { url: monitoring.url, tokenEnv: TOKEN_ENV } }
    const config = { ...configuration, vars: { ...configuration.vars, telemetry } }
    const services = ['rest', 'auth']
    try {
      return await withProcess(startAviso({ services, store: 'embedded:memory', config }), (aviso) =>
        measure(bench, aviso, monitoring),
      )
    } finally {
      await monitoring.close()
    }
  },
}

async function measure(
  bench: Bench,
  aviso: BenchProcess,
  monitoring: MonitoringStandIn,
): Promise<readonly Row[]> {
  bench.say('telemetry: publishing beside a monitoring in four moods')
  const listeners = await openListeners({ url: aviso.url, path: () => LIVE_PATH, count: LISTENERS })
  const notifications = createNotifications()
  const cost = (mood: Mood) => async () => {
    monitoring.become(mood)
    return costOf(aviso, listeners, () => notifications.next())
  }
  const moods = { well: cost('well'), down: cost('down'), slow: cost('slow'), hostile: cost('hostile') }
  const results: Record<Mood, number[]> = { well: [], down: [], slow: [], hostile: [] }
  // This round is not measured, because code is compiled when it first runs.
  await moods.well()
  for (let run = 0; run < bench.runs; run++) {
    const rounds = await interleave(ROUNDS, moods)
    for (const mood of Object.keys(results) as Mood[]) results[mood].push(Math.min(...rounds[mood]))
  }
  listeners.close()
  const [sent, dropped] = await messagesOf(aviso)
  if (!(sent > 0 && dropped > 0)) throw new Error(`${sent} messages were sent, ${dropped} dropped`)
  const { well, ...bad } = results
  return Object.entries(bad).map(([mood, runs]) => ({
    name: `a notification to ${LISTENERS} listeners, monitoring ${mood}`,
    runtime: 'node',
    unit: 'µs of processor time',
    runs,
    limit: { name: 'monitoring well', runs: well },
    goal: atMost(MOST_SHARE, ratio(runs, well), ' × well'),
    notes: [`${sent} messages sent, ${dropped} dropped`],
  }))
}

/** Processor time of one notification, published and delivered, in microseconds. */
async function costOf(aviso: BenchProcess, listeners: Listeners, body: () => string): Promise<number> {
  const requests = RATE * ROUND_SECONDS
  const before = aviso.cpuSeconds()
  const url = aviso.url + PUBLISH_PATH
  await runPaced({ url, body, connections: CONNECTIONS, ratePerSecond: RATE, requests })
  await listeners.settled(requests, SETTLE_MS)
  return ((aviso.cpuSeconds() - before) / requests) * 1e6
}

/** Messages that the telemetry has sent, and those it has dropped. */
async function messagesOf({ url }: BenchProcess): Promise<readonly [sent: number, dropped: number]> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const count = (outcome: string): number =>
    readMetric(text, `aviso_telemetry_messages_total{outcome="${outcome}"}`)
  return [count('sent'), count('dropped')]
}
