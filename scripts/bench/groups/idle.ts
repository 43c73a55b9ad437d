/**
 * Measures the cost of listeners that only wait: memory of the service, and memory and watches of the store.
 *
 * @module
 */

import type { EtcdCluster } from '../../etcd/cluster.ts'
import { etcdFigures, withEtcd } from '../etcd_figures.ts'
import { liveStreams, runLoads } from '../generator.ts'
import { interleave, interleaveRuntimes, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess, BenchRuntime } from '../processes.ts'
import { atMost, type Aim, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, postOnce, startAviso, startBareFanOut, withProcess } from '../systems.ts'
import { createNotifications } from '../notifications.ts'

const LISTENERS = 10_000
const KIBIBYTES = 1_024
/** In this time each listener gets a heartbeat, so that the memory for it is counted. */
const HEARTBEATS_MS = 6_000
const OPEN_LIMIT_MS = 60_000

/** Memory of a server, in MiB. */
interface Idle {
  /** Memory after the start, before the first listener. */
  readonly startedMebibytes: number
  /** Growth with all listeners, as the system reports it. */
  readonly grownMebibytes: number
  /** Growth with all listeners, with garbage collected before and after. */
  readonly keptMebibytes: number
}

/** The rows about idle listeners and idle memory. */
export const idleGroup: RowGroup = {
  name: 'idle',
  summary: 'memory of 10,000 idle listeners, what they cost etcd, and memory of the whole idle system',
  measure: async (bench) => {
    const results = await interleaveRuntimes(
      bench,
      (runtime) => measureIdle(bench, runtime, startAviso({ runtime }), OURS),
      (runtime) => measureIdle(bench, `bare ${runtime}`, startBareFanOut({ runtime }), BARE),
    )
    return [
      ...results.map(({ runtime, ours, bare }) => listenerRow(runtime, ours, bare)),
      ...(await measureEtcd(bench)),
      ...results.map(({ runtime, ours, bare }) => systemRow(runtime, ours, bare)),
    ]
  },
}

/** How to post to a server. */
interface Posting {
  readonly path: string
  readonly body: () => string
}

const OURS: Posting = { path: PUBLISH_PATH, body: () => createNotifications().next() }
const BARE: Posting = { path: '', body: () => '["x"]' }

async function measureIdle(
  bench: Bench,
  name: string,
  start: Promise<BenchProcess>,
  { path, body }: Posting,
): Promise<Idle> {
  bench.say(`idle: ${name}`)
  return withProcess(start, async (process) => {
    // Publish and listen once, so that code that is loaded at its first use is not counted.
    await postOnce(process.url + path, body())
    await withListeners(process, 100, async () => undefined)
    await process.collectGarbage()
    const startedMebibytes = process.residentMebibytes()
    return withListeners(process, LISTENERS, async () => {
      await new Promise((done) => setTimeout(done, HEARTBEATS_MS))
      const grownMebibytes = process.residentMebibytes() - startedMebibytes
      await process.collectGarbage()
      const keptMebibytes = process.residentMebibytes() - startedMebibytes
      return { startedMebibytes, grownMebibytes, keptMebibytes }
    })
  })
}

/** Runs `use` while listeners are open. */
async function withListeners<Result>(
  { url }: BenchProcess,
  count: number,
  use: () => Promise<Result>,
): Promise<Result> {
  let result: { readonly value: Result } | undefined
  // Nothing is posted, so the streams wait for nothing.
  const plan = { until: OPEN_LIMIT_MS, onOpen: async () => (result = { value: await use() }) }
  await runLoads(url, plan, [liveStreams(count)])
  if (result === undefined) throw new Error('The generator opened no stream')
  return result.value
}

function listenerRow(runtime: BenchRuntime, ours: readonly Idle[], bare: readonly Idle[]): Row {
  const each = ({ grownMebibytes }: Idle): number => (grownMebibytes * KIBIBYTES) / LISTENERS
  const runs = ours.map(each)
  const grown = median(ours.map(({ grownMebibytes }) => grownMebibytes))
  const kept = median(ours.map(({ keptMebibytes }) => keptMebibytes))
  const most = runtime === 'bun' ? 8 : 12
  const floor: Aim = { text: `${LISTENERS} in ≤ 300 MB`, isMet: grown <= 300 }
  return {
    name: `memory of an idle listener, ${LISTENERS} of them`,
    runtime,
    unit: 'KiB each',
    runs,
    limit: { name: `plain server on ${runtime}`, runs: bare.map(each) },
    floor,
    // The design names no figure for Deno.
    ...(runtime !== 'deno' && { goal: atMost(most, median(runs), ' KiB') }),
    notes: [
      `all ${LISTENERS}: ${grown.toFixed(0)} MiB with heartbeats running`,
      `after a collection: ${((kept * KIBIBYTES) / LISTENERS).toFixed(1)} KiB each`,
    ],
  }
}

function systemRow(runtime: BenchRuntime, ours: readonly Idle[], bare: readonly Idle[]): Row {
  const started = ({ startedMebibytes }: Idle): number => startedMebibytes
  return {
    name: 'memory of the whole idle system, embedded store',
    runtime,
    unit: 'MiB',
    runs: ours.map(started),
    limit: { name: `plain server on ${runtime}`, runs: bare.map(started) },
  }
}

/** Measures etcd's memory and watches with all listeners, beside those with one listener. */
async function measureEtcd(bench: Bench): Promise<readonly Row[]> {
  const { one, all } = await interleave(bench.runs, {
    one: () => measureEtcdShare(bench, 1),
    all: () => measureEtcdShare(bench, LISTENERS),
  })
  const more = all.map(({ mebibytes }, run) => mebibytes - (one[run]?.mebibytes ?? Number.NaN))
  const [watchers, watchersOfOne] = [all, one].map((runs) => median(runs.map((share) => share.watchers)))
  const isFlat = watchers === watchersOfOne
  return [
    {
      name: `etcd's memory with ${LISTENERS} listeners, beyond that with one`,
      runtime: 'node + etcd',
      unit: 'MiB',
      runs: more,
      floor: atMost(20, median(more), ' MiB'),
      goal: { text: 'flat', isMet: isFlat && median(more) <= 2 },
      notes: [`watches in etcd: ${watchers} with ${LISTENERS} listeners, ${watchersOfOne} with one`],
    },
  ]
}

interface EtcdShare {
  /** Growth since before the first listener. */
  readonly mebibytes: number
  readonly watchers: number
}

function measureEtcdShare(bench: Bench, count: number): Promise<EtcdShare> {
  bench.say(`idle: etcd with ${count} listener(s)`)
  return withEtcd((etcd) =>
    withProcess(startAviso({ store: etcd.store }), async (process) => {
      const before = await settledFigures(process, etcd)
      return withListeners(process, count, async () => {
        const after = await settledFigures(process, etcd)
        return { mebibytes: after.residentMebibytes - before.residentMebibytes, watchers: after.watchers }
      })
    }),
  )
}

/** The figures of etcd after some notifications have been stored. */
async function settledFigures(
  { url }: BenchProcess,
  etcd: EtcdCluster,
): Promise<Awaited<ReturnType<typeof etcdFigures>>> {
  const notifications = createNotifications()
  for (let batch = 0; batch < 10; batch++) await postOnce(url + PUBLISH_PATH, notifications.batch(100))
  return etcdFigures(etcd)
}
