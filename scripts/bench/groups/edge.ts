/**
 * Measures delivery on edge runtimes: workerd as our launcher starts it, and `wrangler dev` with what `aviso build wrangler` makes.
 *
 * @module
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outputOf } from '../../run_command.ts'
import { QUIET, wrangler, wranglerDev } from '../../wrangler_dev.ts'
import { withEtcd } from '../etcd_figures.ts'
import { liveStreams, ownCost, runLoads } from '../generator.ts'
import { numberedNotification } from '../notifications.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import { runtimeCommand, startProcess, type BenchProcess } from '../processes.ts'
import type { Row } from '../row.ts'
import type { Percentiles } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, untilReady, withProcess } from '../systems.ts'

const LISTENERS = 100
const RATE = 50
const WARM_UP_MS = 1_000
/** Few, so that one waits while another is stored. */
const CONNECTIONS = 4

/** What one server did in one run. */
interface Delivered {
  readonly latencyMs: Percentiles
  readonly ownMicros: number
}

/** The rows about edge runtimes. */
export const edgeGroup: RowGroup = {
  name: 'edge',
  summary: `one notification to ${LISTENERS} listeners on workerd and on "wrangler dev": latency`,
  measure: async (bench) => {
    const onWorkerd = (store: string): Promise<BenchProcess> =>
      ready(startProcess('node', ['scripts/serve_workerd.ts', '--port', '0', '--store', store]))
    const results = await interleave(bench.runs, {
      node: () => measure(bench, 'node', startAviso()),
      workerd: () => measure(bench, 'workerd, a store in memory', onWorkerd('embedded:memory')),
      'workerd + etcd': () => withEtcd(({ store }) => measure(bench, 'workerd with etcd', onWorkerd(store))),
      'wrangler dev': () => measure(bench, 'wrangler dev', startWrangler()),
    })
    const { node, ...edge } = results
    return Object.entries(edge).flatMap(([runtime, runs]) => toRows(runtime, runs, node))
  },
}

async function measure(bench: Bench, name: string, start: Promise<BenchProcess>): Promise<Delivered> {
  bench.say(`edge: ${name}`)
  return withProcess(start, async ({ url }) => {
    const deliver = async (milliseconds: number): Promise<Delivered> => {
      const posts = {
        path: PUBLISH_PATH,
        body: numberedNotification(),
        connections: CONNECTIONS,
        ratePerSecond: RATE,
      }
      const loads = [posts, liveStreams(LISTENERS, { isTimed: true })]
      const { results, ownMicros } = await runLoads(url, { until: milliseconds }, loads)
      const [, deliveries] = results
      if (deliveries === undefined) throw new Error('The generator gave no result')
      return { latencyMs: deliveries.latencyMs, ownMicros }
    }
    await deliver(WARM_UP_MS)
    return deliver(loadMs(bench))
  })
}

function toRows(runtime: string, runs: readonly Delivered[], node: readonly Delivered[]): readonly Row[] {
  const title = `one notification → ${LISTENERS} listeners, ${RATE}/s`
  const row = (name: string, figure: (percentiles: Percentiles) => number): Row => ({
    name: `${title}, ${name}`,
    runtime,
    unit: 'ms',
    runs: runs.map(({ latencyMs }) => figure(latencyMs)),
    limit: { name: 'ours on node', runs: node.map(({ latencyMs }) => figure(latencyMs)) },
  })
  return [{ ...row('p50', ({ p50 }) => p50), notes: [ownCost(runs)] }, row('p99', ({ p99 }) => p99)]
}

async function ready(started: Promise<BenchProcess>): Promise<BenchProcess> {
  const process = await started
  try {
    await untilReady(process.url)
    return process
  } catch (error) {
    await process.stop()
    throw error
  }
}

/** Builds workers in a new folder, and starts them as one who develops does. The store is in a Durable Object. */
async function startWrangler(): Promise<BenchProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const [node = '', ...options] = runtimeCommand('node')
    await outputOf(node, [...options, 'scripts/aviso.ts', 'build', 'wrangler', '--one', '--out', folder])
    const configs = [join(folder, 'aviso', 'wrangler.jsonc')]
    const argv = wranglerDev(await wrangler(), { configs, port: '0', state: join(folder, 'state') })
    const process = await ready(startProcess('node', argv, false, { ...QUIET, HOME: folder }))
    return { ...process, stop: () => process.stop().then(remove) }
  } catch (error) {
    await remove()
    throw error
  }
}
