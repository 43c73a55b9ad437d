/**
 * Measures delivery to a thousand listeners: latency, processor time, and the rate of bursts.
 *
 * @module
 */

import { LIVE_PATH, openListeners, type Listeners } from '../listeners.ts'
import { timedLocation } from '../notifications.ts'
import { interleaveRuntimes, loadMs, type Bench, type RowGroup } from '../plan.ts'
import type { BenchRuntime } from '../processes.ts'
import { atLeast, atMost, type Row } from '../row.ts'
import { median, type Percentiles } from '../statistics.ts'
import { withProcess } from '../systems.ts'
import {
  avisoTarget,
  bareTarget,
  calibratePadding,
  publishBurst,
  publishPaced,
  type StartTarget,
  type Target,
} from '../targets.ts'

const LISTENERS = 1_000
const LATENCY_RATE = 100
const COST_RATE = 50
const WARM_UP_MS = 1_000
const SETTLE_LIMIT_MS = 60_000

/** Goals that differ by runtime. */
const GOALS: Readonly<
  Record<BenchRuntime, { p50Ms: number; p99Ms: number; costMicros: number; burst: number }>
> = {
  node: { p50Ms: 6, p99Ms: 20, costMicros: 11, burst: 500_000 },
  deno: { p50Ms: 6, p99Ms: 20, costMicros: 11, burst: 500_000 },
  bun: { p50Ms: 5, p99Ms: 13, costMicros: 9, burst: 750_000 },
}

/** Figures of one server in one run. */
interface FanOut {
  readonly latencyMs: Percentiles
  /** Share of the rate that the publisher reached. */
  readonly pace: number
  readonly costMicros: number
  /** Average notifications per write while the cost was measured. More than one when the machine was too busy for the rate. */
  readonly joined: number
  readonly burstPerCore: number
  readonly burstPerSecond: number
}

/** The rows about delivery. */
export const fanOutGroup: RowGroup = {
  name: 'fan-out',
  summary: 'one notification to 1,000 listeners: latency, processor time per delivery, bursts',
  measure: async (bench) => {
    bench.say('fan-out: calibrating')
    const paddingBytes = await calibratePadding()
    const results = await interleaveRuntimes(
      bench,
      (runtime) => measureTarget(bench, runtime, avisoTarget(runtime)),
      (runtime) => measureTarget(bench, `bare ${runtime}`, bareTarget({ runtime, paddingBytes })),
    )
    return results.flatMap(({ runtime, ours, bare }) => toRows(runtime, ours, bare))
  },
}

async function measureTarget(bench: Bench, name: string, start: StartTarget): Promise<FanOut> {
  bench.say(`fan-out: ${name}`)
  const target = await start()
  return withProcess(Promise.resolve(target.process), async () => {
    const latency = await withListeners(target, true, (listeners) => measureLatency(bench, target, listeners))
    return withListeners(target, false, async (listeners) => ({
      ...latency,
      ...(await measureCost(bench, target, listeners)),
      ...(await measureBurst(bench, target, listeners)),
    }))
  })
}

async function withListeners<Result>(
  { process: { url } }: Target,
  hasTimes: boolean,
  use: (listeners: Listeners) => Promise<Result>,
): Promise<Result> {
  const listeners = await openListeners({ url, path: () => LIVE_PATH, count: LISTENERS, hasTimes })
  try {
    return await use(listeners)
  } finally {
    listeners.close()
  }
}

async function measureLatency(
  bench: Bench,
  target: Target,
  listeners: Listeners,
): Promise<Pick<FanOut, 'latencyMs' | 'pace'>> {
  const load = { ratePerSecond: LATENCY_RATE, payload: timedLocation }
  const publish = async (ms: number): Promise<number> => {
    const requests = (ms / 1_000) * LATENCY_RATE
    const reached = await publishPaced(target, { ...load, requests })
    await listeners.settled(requests, SETTLE_LIMIT_MS)
    return reached
  }
  await publish(WARM_UP_MS)
  listeners.takeLatencies()
  const pace = await publish(loadMs(bench))
  return { pace, latencyMs: listeners.takeLatencies() }
}

/** Measures the processor time per delivery, including that of publishing. */
async function measureCost(
  bench: Bench,
  target: Target,
  listeners: Listeners,
): Promise<Pick<FanOut, 'costMicros' | 'joined'>> {
  const requests = (loadMs(bench) / 1_000) * COST_RATE
  const [cpuBefore, readsBefore] = [target.process.cpuSeconds(), listeners.reads]
  await publishPaced(target, { ratePerSecond: COST_RATE, requests })
  await listeners.settled(requests, SETTLE_LIMIT_MS)
  const deliveries = requests * LISTENERS
  return {
    costMicros: ((target.process.cpuSeconds() - cpuBefore) * 1e6) / deliveries,
    joined: deliveries / (listeners.reads - readsBefore),
  }
}

async function measureBurst(
  bench: Bench,
  target: Target,
  listeners: Listeners,
): Promise<Pick<FanOut, 'burstPerCore' | 'burstPerSecond'>> {
  const notifications = bench.isQuick ? 2_000 : 4_000
  const deliveries = notifications * LISTENERS
  const cpuBefore = target.process.cpuSeconds()
  const startedAt = performance.now()
  await publishBurst(target, notifications)
  await listeners.settled(notifications, SETTLE_LIMIT_MS)
  const seconds = (performance.now() - startedAt) / 1_000
  return {
    burstPerCore: deliveries / (target.process.cpuSeconds() - cpuBefore),
    burstPerSecond: deliveries / seconds,
  }
}

function toRows(runtime: BenchRuntime, ours: readonly FanOut[], bare: readonly FanOut[]): Row[] {
  const goal = GOALS[runtime]
  const row = (name: string, unit: string, figure: (result: FanOut) => number): Row & { value: number } => {
    const runs = ours.map(figure)
    const limit = { name: `plain server on ${runtime}`, runs: bare.map(figure) }
    return { name, runtime, unit, runs, limit, value: median(runs) }
  }
  const title = `one notification → ${LISTENERS} listeners, ${LATENCY_RATE}/s`
  const p50 = row(`${title}, p50`, 'ms', ({ latencyMs }) => latencyMs.p50)
  const p99 = row(`${title}, p99`, 'ms', ({ latencyMs }) => latencyMs.p99)
  const cost = row(
    `processor time per delivery, ${LISTENERS} listeners, ${COST_RATE}/s`,
    'µs',
    ({ costMicros }) => costMicros,
  )
  const burst = row('burst fan-out per core', 'deliveries/s', ({ burstPerCore }) => burstPerCore)
  const pace = Math.min(...ours.map((result) => result.pace))
  const paced = pace < 0.95 ? { notes: [`only ${(pace * LATENCY_RATE).toFixed(0)}/s were reached`] } : {}
  const joined = Math.max(...ours.map((result) => result.joined))
  const busy = `not the cost of single deliveries: up to ${joined.toFixed(1)} notifications went out at a time`
  const wall = median(ours.map(({ burstPerSecond }) => burstPerSecond))
  const counted = `none lost, repeated or out of order; ${Math.round(wall)} deliveries/s on the wall, limited by the load generator's core`
  return [
    { ...p50, ...paced, goal: atMost(goal.p50Ms, p50.value, ' ms') },
    { ...p99, ...paced, floor: atMost(50, p99.value, ' ms'), goal: atMost(goal.p99Ms, p99.value, ' ms') },
    {
      ...cost,
      ...(joined > 1.1 && { notes: [busy] }),
      floor: atMost(18, cost.value, ' µs'),
      goal: atMost(goal.costMicros, cost.value, ' µs'),
    },
    {
      ...burst,
      floor: atLeast(100_000, burst.value, '/s'),
      goal: atLeast(goal.burst, burst.value, '/s'),
      notes: [counted],
    },
  ]
}
