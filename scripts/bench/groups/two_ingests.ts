/**
 * Measures two ingests that publish the same event types, beside one.
 *
 * @module
 */

import { withEtcd } from '../etcd_figures.ts'
import { notificationOfTypes, writeEventTypes } from '../event_types.ts'
import { ownCost, runPosts, type PostResult } from '../generator.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import { atLeast, atMost, ratio, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess, type Configuration } from '../systems.ts'
import { WIRES } from '../bare_grpc.ts'
import type { Wire } from '../bare_store.ts'

const CONNECTIONS = 64
const WARM_UP_MS = 4_000
/** One lane that both want, and many that they meet in by chance. */
const TYPES = [1, 200] as const

/** The rows about several ingests. */
export const twoIngestsGroup: RowGroup = {
  name: 'two-ingests',
  summary: `two ingests that publish ${TYPES.join(', ')} event types to one etcd, ${CONNECTIONS} connections in all, beside one`,
  placement: 'together',
  measure: async (bench) => {
    const rows: Row[] = []
    for (const wire of WIRES) {
      rows.push(...(await withEtcd((etcd) => measure(bench, wire, etcd.store.replace('http:', wire.scheme)))))
    }
    return rows
  },
}

function measure(bench: Bench, wire: Wire, store: string): Promise<readonly Row[]> {
  const most = Math.max(...TYPES)
  const config = (folder: string): Promise<Configuration> => writeEventTypes(folder, most)
  const ingest = { store, services: ['rest'], config }
  return withProcess(startAviso(ingest), (first) =>
    withProcess(startAviso(ingest), async (second) => {
      const rows: Row[] = []
      for (const types of TYPES)
        rows.push(...(await measureTypes(bench, wire, [first.url, second.url], types)))
      return rows
    }),
  )
}

async function measureTypes(
  bench: Bench,
  wire: Wire,
  urls: readonly [string, string],
  types: number,
): Promise<readonly Row[]> {
  const post = async (to: readonly string[], durationMs: number): Promise<readonly PostResult[]> => {
    const loads = to.map((url, index) => {
      // Each provider begins with another event type.
      const revision = 1 + Math.floor((index * types) / to.length)
      const load = { path: PUBLISH_PATH, body: notificationOfTypes(), modulo: types, revision }
      return runPosts(url, durationMs, [{ ...load, connections: CONNECTIONS / to.length }])
    })
    return (await Promise.all(loads)).flat()
  }
  const what = types === 1 ? 'one event type' : `${types} event types`
  bench.say(`two ingests${wire.name}: ${what}, ${CONNECTIONS} connections`)
  for (const each of [[urls[0]], [urls[1]], urls]) await post(each, WARM_UP_MS / 2)
  const results = await interleave(bench.runs, {
    one: () => post([urls[0]], loadMs(bench)),
    two: () => post(urls, loadMs(bench)),
  })
  const rates = (runs: readonly (readonly PostResult[])[]): number[] =>
    runs.map((run) => run.reduce((sum, { perSecond }) => sum + perSecond, 0))
  const latest = (runs: readonly (readonly PostResult[])[]): number[] =>
    runs.map((run) => Math.max(...run.map(({ latencyMs }) => latencyMs.p99)))
  const [one, two] = [rates(results.one), rates(results.two)]
  const [oneP99, twoP99] = [latest(results.one), latest(results.two)]
  const common = { runtime: 'node + etcd' }
  return [
    {
      ...common,
      name: `two ingests, ${what}, ${CONNECTIONS} connections${wire.name}`,
      unit: '/s',
      runs: two,
      limit: { name: 'one ingest', runs: one },
      goal: atLeast(0.9, ratio(two, one), ' of one'),
      notes: [ownCost(results.two.flat())],
    },
    {
      ...common,
      name: `two ingests, ${what}, p99${wire.name}`,
      unit: ' ms',
      runs: twoP99,
      limit: { name: 'one ingest', runs: oneP99 },
      goal: atMost(2, median(twoP99) / median(oneP99), ' × one'),
    },
  ]
}
