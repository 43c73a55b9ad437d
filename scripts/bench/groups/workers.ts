/**
 * Measures two workers of one launcher (`--workers 2`) beside one: fan-out to ten thousand listeners, publishing on etcd, and the memory of
 * a further worker.
 *
 * Each worker gets the same share of a processor, below half of one, so that two of them, etcd and the generator have enough on two
 * processors. What two such workers do beside one is what two processors do beside one.
 *
 * @module
 */

import { WIRES } from '../bare_grpc.ts'
import { withEtcd } from '../etcd_figures.ts'
import {
  liveStreams,
  ownCost,
  runLoads,
  runPost,
  type LoadResult,
  type PostLoad,
  type PostResult,
} from '../generator.ts'
import { numberedBatch, numberedNotification } from '../notifications.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import { cpuSeconds, privateMebibytes, type BenchProcess } from '../processes.ts'
import { atLeast, atMost, ratio, type Row } from '../row.ts'
import { canShare, childrenOf, createShare, withWeight, type Share } from '../shares.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess, type AvisoOptions } from '../systems.ts'

const WORKERS = 2
/** Of one processor, for each worker. */
const SHARE = 0.3
const LISTENERS = 10_000
/**
 * Requests of a burst, one after the other, and notifications in each. They are committed together, so one worker and two write them together
 * to a listener. With singles, who is slower writes more at a time, which is cheaper: 7.8 where two workers wrote 6.5, on the embedded store.
 */
const BURST = { full: 40, quick: 20, size: 8 } as const
/** One worker with its share takes a third of a second for a notification to all, so each has gone out before the next one comes. */
const CALM_RATE = 1
const CONNECTIONS = 64
/** Singles to each worker before singles are measured: by their number, because code is compiled by how often it has run. */
const WARM_UP_REQUESTS = 30_000
const LIMIT_MS = 60_000
/** Time after the start in which a worker that has no work comes to rest. */
const REST_MS = 6_000

/** The rows about several workers. */
export const workersGroup: RowGroup = {
  name: 'workers',
  summary: `--workers ${WORKERS} beside one worker, each with ${SHARE} of a processor: ${LISTENERS} listeners, singles on etcd, memory`,
  placement: 'together',
  measure: async (bench) => {
    const rows = [await measureMemory(bench)]
    if (!(await canShare())) {
      bench.say('workers: no shares of a processor can be given here, which needs control groups')
      return rows.map((row) => ({
        ...row,
        notes: ['fan-out and ingest are not measured: no control groups here'],
      }))
    }
    return [...rows, ...(await withWeight(() => measureShared(bench)))]
  },
}

/** Measures what needs shares. */
async function measureShared(bench: Bench): Promise<readonly Row[]> {
  const rows = [...(await measureFanOut(bench, 'node'))]
  for (const { name, scheme } of WIRES) {
    const store = (etcd: string): string => etcd.replace('http:', scheme)
    rows.push(await measureIngest(bench, name, store))
    if (scheme === 'grpc:') rows.push(...(await measureFanOut(bench, `node + etcd${name}`, store)))
  }
  return rows
}

async function measureMemory(bench: Bench): Promise<Row> {
  bench.say('workers: memory')
  const start = (restMs: number): Promise<number> =>
    withProcess(startAviso({ workers: WORKERS }), async ({ pid }) => {
      await new Promise((rested) => setTimeout(rested, restMs))
      return median(childrenOf(pid).map(privateMebibytes))
    })
  // The first start after an install compiles the program, and keeps what it has compiled.
  await start(0)
  const { runs } = await interleave(bench.runs, { runs: () => start(REST_MS) })
  return {
    name: 'memory of a further worker, idle',
    runtime: 'node',
    unit: 'MiB',
    runs,
    goal: atMost(60, median(runs), ' MiB'),
  }
}

/** Workers with their shares. */
interface Crew {
  readonly aviso: BenchProcess
  readonly shares: readonly Share[]
}

/** Runs `use` with workers that have no limit yet. */
function withCrew<Result>(options: AvisoOptions, use: (crew: Crew) => Promise<Result>): Promise<Result> {
  const shares: Share[] = []
  const used = withProcess(startAviso(options), (aviso) => {
    for (const pid of [aviso.pid, ...childrenOf(aviso.pid)]) {
      const share = createShare(pid)
      if (share === undefined) throw new Error(`Process ${pid} can be given no share of a processor`)
      shares.push(share)
    }
    return use({ aviso, shares })
  })
  return used.finally(() => Promise.all(shares.map((share) => share.remove())))
}

/** What workers used while they were limited. */
interface Limited {
  readonly seconds: number
  /** Of one processor, by each. */
  readonly used: readonly number[]
}

/** Limits workers. @returns what ends that */
function limitAll({ shares }: Crew): () => Limited {
  for (const share of shares) share.limit(SHARE)
  const before = shares.map(({ pid }) => cpuSeconds(pid))
  const startedAt = performance.now()
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000
    const used = shares.map(({ pid }, index) => (cpuSeconds(pid) - (before[index] ?? 0)) / seconds)
    for (const share of shares) share.limit()
    return { seconds, used }
  }
}

type OnEtcd = (etcd: string) => string

/** Runs `use` on a store of its own, because processes on one etcd follow each other's notifications. */
function onStore<Result>(
  workers: number,
  store: OnEtcd | undefined,
  use: (crew: Crew) => Promise<Result>,
): Promise<Result> {
  if (store === undefined) return withCrew({ workers }, use)
  return withEtcd((etcd) => withCrew({ workers, store: store(etcd.store) }, use))
}

interface FanOut {
  /** With notifications per read of a listener. */
  readonly burst: Limited & { readonly perSecond: number; readonly together: number }
  readonly calm: LoadResult
  readonly ownMicros: number
}

async function measureFanOut(bench: Bench, runtime: string, store?: OnEtcd): Promise<readonly Row[]> {
  const measure = (workers: number): Promise<FanOut> => {
    bench.say(`workers: ${LISTENERS} listeners of ${workers} worker(s), ${runtime}`)
    return onStore(workers, store, (crew) => deliverBoth(bench, crew))
  }
  const { one, two } = await interleave(bench.runs, { one: () => measure(1), two: () => measure(WORKERS) })
  const rates = (runs: readonly FanOut[]): number[] => runs.map(({ burst }) => burst.perSecond)
  const together = (runs: readonly FanOut[]): string =>
    median(runs.map(({ burst }) => burst.together)).toFixed(1)
  // A write costs about the same with one notification in it or with eight, so rates follow how many came at a time.
  const writes = (runs: readonly FanOut[]): number[] =>
    runs.map(({ burst }) => burst.perSecond / burst.together)
  const latest = (runs: readonly FanOut[]): number[] => runs.map(({ calm }) => calm.latencyMs.p99)
  return [
    {
      name: `burst of batches of ${BURST.size} to ${LISTENERS} listeners, ${WORKERS} workers`,
      runtime,
      unit: 'deliveries/s',
      runs: rates(two),
      limit: { name: 'one worker', runs: rates(one) },
      goal: atLeast(1.7, ratio(rates(two), rates(one)), ' of one worker'),
      notes: [
        usage(
          one.map(({ burst }) => burst),
          two.map(({ burst }) => burst),
        ),
        `${together(two)} notifications at a time, ${together(one)} of one worker`,
        `counted by writes to listeners: ${ratio(writes(two), writes(one)).toFixed(2)} of one worker`,
        ownCost(two),
      ],
    },
    {
      name: `one notification → ${LISTENERS} listeners, ${CALM_RATE}/s, p99, ${WORKERS} workers`,
      runtime,
      unit: 'ms',
      runs: latest(two),
      limit: { name: 'one worker', runs: latest(one) },
      goal: atMost(1 / 1.7, ratio(latest(two), latest(one)), ' of one worker'),
    },
  ]
}

async function deliverBoth(bench: Bench, crew: Crew): Promise<FanOut> {
  const paced: PostLoad = {
    path: PUBLISH_PATH,
    body: numberedNotification(),
    connections: 1,
    ratePerSecond: CALM_RATE,
  }
  const calm = await deliver(crew, paced, loadMs(bench))
  const burst: PostLoad = {
    path: PUBLISH_PATH,
    body: numberedBatch(BURST.size),
    connections: 1,
    requests: bench.isQuick ? BURST.quick : BURST.full,
    perRequest: BURST.size,
  }
  const { deliveries, limited, ownMicros } = await deliver(crew, burst, LIMIT_MS)
  return {
    calm: calm.deliveries,
    burst: {
      ...limited,
      perSecond: deliveries.count / limited.seconds,
      together: deliveries.count / deliveries.reads,
    },
    ownMicros,
  }
}

interface Delivered {
  readonly deliveries: LoadResult
  readonly limited: Limited
  readonly ownMicros: number
}

/** Every delivery is checked. Listeners connect while there is no limit, which is not what is measured. */
async function deliver(crew: Crew, load: PostLoad, until: number): Promise<Delivered> {
  let free: (() => Limited) | undefined
  let limited: Limited | undefined
  const plan = { until, onOpen: () => (free = limitAll(crew)), onSettled: () => (limited = free?.()) }
  const streams = liveStreams(LISTENERS, { isTimed: true })
  const { results, ownMicros } = await runLoads(crew.aviso.url, plan, [load, streams])
  const deliveries = results[1]
  if (deliveries === undefined || limited === undefined) throw new Error('The generator gave no result')
  return { deliveries, limited, ownMicros }
}

async function measureIngest(bench: Bench, wire: string, store: OnEtcd): Promise<Row> {
  const measure = (workers: number): Promise<Posted> => {
    bench.say(`workers: singles to ${workers} worker(s)${wire}`)
    return onStore(workers, store, (crew) => post(bench, [crew]))
  }
  const measureApart = (): Promise<Posted> => {
    bench.say(`workers: singles to two systems that have nothing in common${wire}`)
    return onStore(1, store, (first) => onStore(1, store, (second) => post(bench, [first, second])))
  }
  const { one, two, apart } = await interleave(bench.runs, {
    one: () => measure(1),
    two: () => measure(WORKERS),
    apart: () => (bench.isQuick ? Promise.resolve(undefined) : measureApart()),
  })
  const rates = (runs: readonly Posted[]): number[] => runs.map(({ perSecond }) => perSecond)
  const most = ratio(
    apart.map((run) => run?.perSecond ?? Number.NaN),
    rates(one),
  )
  const ceiling = bench.isQuick
    ? []
    : [`two systems, each on an etcd of its own, reach ${most.toFixed(2)} of one worker here`]
  const p99 = (runs: readonly Posted[]): string => median(runs.map((run) => run.p99)).toFixed(1)
  return {
    name: `ingest, 1 per request, ${CONNECTIONS} connections${wire}, ${WORKERS} workers`,
    runtime: 'node + etcd',
    unit: '/s',
    runs: rates(two),
    limit: { name: 'one worker', runs: rates(one) },
    goal: atLeast(1.5, ratio(rates(two), rates(one)), ' of one worker'),
    notes: [usage(one, two), ...ceiling, `p99 ${p99(two)} ms, of one worker ${p99(one)} ms`, ownCost(two)],
  }
}

interface Posted extends Limited {
  readonly perSecond: number
  /** In milliseconds. */
  readonly p99: number
  readonly ownMicros: number
}

/** Posts to systems, as many connections in all as to one. */
async function post(bench: Bench, crews: readonly Crew[]): Promise<Posted> {
  const each = CONNECTIONS / crews.length
  const postAll = (milliseconds: number, warmUpRequests?: number): Promise<readonly PostResult[]> =>
    Promise.all(
      crews.map(({ aviso, shares }) =>
        runPost(aviso.url, milliseconds, {
          path: PUBLISH_PATH,
          body: numberedNotification(),
          connections: each,
          ...(warmUpRequests !== undefined && { requests: warmUpRequests * shares.length }),
        }),
      ),
    )
  await postAll(LIMIT_MS, WARM_UP_REQUESTS)
  const free = crews.map(limitAll)
  const results = await postAll(loadMs(bench))
  const limited = free.map((end) => end())
  return {
    seconds: Math.max(...limited.map(({ seconds }) => seconds)),
    used: limited.flatMap(({ used }) => used),
    perSecond: results.reduce((sum, { perSecond }) => sum + perSecond, 0),
    p99: Math.max(...results.map(({ latencyMs }) => latencyMs.p99)),
    ownMicros: median(results.map(({ ownMicros }) => ownMicros)),
  }
}

/** A note: what each worker used. One that used less than its share waited for something else. */
function usage(one: readonly Limited[], two: readonly Limited[]): string {
  const used = (runs: readonly Limited[]): string =>
    (runs[0]?.used ?? [])
      .map((_, worker) => median(runs.map(({ used }) => used[worker] ?? Number.NaN)).toFixed(2))
      .join(' and ')
  return `each worker had ${SHARE} of a processor, and used ${used(two)}; the single one used ${used(one)}`
}
