/**
 * Measures delivery to a thousand and to ten thousand listeners: latency, processor time, and the rate of bursts.
 *
 * @module
 */

import { liveStreams, ownCost, runLoads, type LoadResult, type LoadRun, type PostLoad } from '../generator.ts'
import { interleaveRuntimes, loadMs, type Bench, type RowGroup } from '../plan.ts'
import type { BenchRuntime } from '../processes.ts'
import { atLeast, atMost, type Row } from '../row.ts'
import { median, type Percentiles } from '../statistics.ts'
import { withProcess } from '../systems.ts'
import { avisoTarget, bareTarget, calibratePadding, type StartTarget, type Target } from '../targets.ts'

const LISTENERS = 1_000
const RATE = 50
/** The larger number of listeners, and the rate for them. */
const MANY_LISTENERS = 10_000
const MANY_RATE = 5
const WARM_UP_MS = 1_000
/** Notifications of a burst, one in a request, and the connections that they come from. */
const BURST = { full: 4_000, quick: 2_000, connections: 64 } as const
/** Few, so that one waits while another is stored. */
const CONNECTIONS = 4
const SETTLE_LIMIT_MS = 60_000

/** Goals that differ by runtime. */
const GOALS: Readonly<Record<BenchRuntime, { costMicros: number; burst: number }>> = {
  node: { costMicros: 9.5, burst: 500_000 },
  deno: { costMicros: 9.5, burst: 500_000 },
  bun: { costMicros: 9, burst: 750_000 },
}

/** Figures of one server in one run. */
interface FanOut {
  readonly latencyMs: Percentiles
  /** Share of the rate at which posts were answered. */
  readonly pace: number
  /** Processor time per delivery, with that of publishing. */
  readonly costMicros: number
  /** Average notifications per read. More than one when the machine was too busy for the rate. */
  readonly joined: number
  readonly burstPerCore: number
  readonly burstPerSecond: number
  /** Latency with many listeners. */
  readonly manyMs: Percentiles
  readonly ownMicros: number
}

/** The rows about live delivery. */
export const fanOutGroup: RowGroup = {
  name: 'fan-out',
  summary: 'one notification to 1,000 and 10,000 listeners: latency, processor time per delivery, bursts',
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
    await deliver(target, paced(target, RATE), LISTENERS, WARM_UP_MS)
    const { run, cpuSeconds, posts, deliveries } = await deliver(
      target,
      paced(target, RATE),
      LISTENERS,
      loadMs(bench),
    )
    const many = await deliver(target, paced(target, MANY_RATE), MANY_LISTENERS, loadMs(bench))
    const burst = await deliver(target, burstOf(bench, target), LISTENERS, SETTLE_LIMIT_MS)
    return {
      latencyMs: deliveries.latencyMs,
      pace: Math.min(1, posts.perSecond / RATE),
      costMicros: (cpuSeconds * 1e6) / deliveries.count,
      joined: deliveries.count / deliveries.reads,
      burstPerCore: burst.deliveries.count / burst.cpuSeconds,
      burstPerSecond: burst.deliveries.count / burst.seconds,
      manyMs: many.deliveries.latencyMs,
      ownMicros: run.ownMicros,
    }
  })
}

function paced(target: Target, ratePerSecond: number): PostLoad {
  return { path: target.publishPath, body: target.numbered(), connections: CONNECTIONS, ratePerSecond }
}

function burstOf({ isQuick }: Bench, target: Target): PostLoad {
  const requests = isQuick ? BURST.quick : BURST.full
  return { path: target.publishPath, body: target.numbered(), connections: BURST.connections, requests }
}

/** A load with its listeners, and the server's processor time from the first post to the last delivery. */
interface Delivered {
  readonly run: LoadRun
  readonly posts: LoadResult
  readonly deliveries: LoadResult
  readonly cpuSeconds: number
  readonly seconds: number
}

async function deliver(
  { process }: Target,
  load: PostLoad,
  listeners: number,
  milliseconds: number,
): Promise<Delivered> {
  const [before, after] = [
    { cpu: 0, at: 0 },
    { cpu: 0, at: 0 },
  ]
  const note = (mark: { cpu: number; at: number }): void => {
    mark.cpu = process.cpuSeconds()
    mark.at = performance.now()
  }
  const plan = { until: milliseconds, onOpen: () => note(before), onSettled: () => note(after) }
  const run = await runLoads(process.url, plan, [load, liveStreams(listeners, { isTimed: true })])
  const [posts, deliveries] = run.results
  if (posts === undefined || deliveries === undefined) throw new Error('The generator gave no result')
  return {
    run,
    posts,
    deliveries,
    cpuSeconds: after.cpu - before.cpu,
    seconds: (after.at - before.at) / 1_000,
  }
}

function toRows(runtime: BenchRuntime, ours: readonly FanOut[], bare: readonly FanOut[]): Row[] {
  const goal = GOALS[runtime]
  const row = (name: string, unit: string, figure: (result: FanOut) => number): Row & { value: number } => {
    const runs = ours.map(figure)
    const limit = { name: `plain server on ${runtime}`, runs: bare.map(figure) }
    return { name, runtime, unit, runs, limit, value: median(runs) }
  }
  const title = `one notification → ${LISTENERS} listeners, ${RATE}/s`
  const p50 = row(`${title}, p50`, 'ms', ({ latencyMs }) => latencyMs.p50)
  const p99 = row(`${title}, p99`, 'ms', ({ latencyMs }) => latencyMs.p99)
  const cost = row(
    `processor time per delivery, ${LISTENERS} listeners, ${RATE}/s`,
    'µs',
    ({ costMicros }) => costMicros,
  )
  const many = `one notification → ${MANY_LISTENERS} listeners, ${MANY_RATE}/s, p99`
  // The plain server joins nothing, so it is no limit for what goes out joined.
  const { limit: _, ...burst } = row(
    `burst of singles to ${LISTENERS} listeners, per core`,
    'deliveries/s',
    ({ burstPerCore }) => burstPerCore,
  )
  const pace = Math.min(...ours.map((result) => result.pace))
  const paced = pace < 0.95 ? [`only ${(pace * RATE).toFixed(0)}/s were reached`] : []
  const joined = Math.max(...ours.map((result) => result.joined))
  const busy = `not the cost of single deliveries: up to ${joined.toFixed(1)} notifications went out at a time`
  const wall = median(ours.map(({ burstPerSecond }) => burstPerSecond))
  const counted = `none lost, repeated or out of order; ${Math.round(wall)} deliveries/s on the wall`
  return [
    { ...p50, notes: [ownCost(ours), ...paced], goal: atMost(5.5, p50.value, ' ms') },
    { ...p99, notes: paced, floor: atMost(50, p99.value, ' ms'), goal: atMost(15, p99.value, ' ms') },
    {
      ...cost,
      ...(joined > 1.1 && { notes: [busy] }),
      floor: atMost(18, cost.value, ' µs'),
      goal: atMost(goal.costMicros, cost.value, ' µs'),
    },
    row(many, 'ms', ({ manyMs }) => manyMs.p99),
    {
      ...burst,
      floor: atLeast(100_000, burst.value, '/s'),
      goal: atLeast(goal.burst, burst.value, '/s'),
      notes: [counted],
    },
  ]
}
