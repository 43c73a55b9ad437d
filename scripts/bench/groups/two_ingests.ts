/**
 * Measures two ingests that publish the same event type, beside one.
 *
 * @module
 */

import { withEtcd } from '../etcd_figures.ts'
import { ownCost, runPosts, type PostLoad, type PostResult } from '../generator.ts'
import { numberedNotification } from '../notifications.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import { atLeast, atMost, ratio, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'
import { WIRES } from '../bare_grpc.ts'
import type { Wire } from '../bare_store.ts'

const CONNECTIONS = 64
const WARM_UP_MS = 4_000

/** The rows about several ingests. */
export const twoIngestsGroup: RowGroup = {
  name: 'two-ingests',
  summary: `two ingests that publish one event type to one etcd, ${CONNECTIONS} connections in all, beside one`,
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
  const ingest = { store, services: ['rest'] }
  return withProcess(startAviso(ingest), (first) =>
    withProcess(startAviso(ingest), async (second) => {
      const post = async (urls: readonly string[], durationMs: number): Promise<readonly PostResult[]> => {
        const connections = CONNECTIONS / urls.length
        const load = (): PostLoad => ({ path: PUBLISH_PATH, body: numberedNotification(), connections })
        return (await Promise.all(urls.map((url) => runPosts(url, durationMs, [load()])))).flat()
      }
      const urls = [first.url, second.url]
      bench.say(`two ingests${wire.name}: ${CONNECTIONS} connections`)
      for (const each of [[first.url], [second.url], urls]) await post(each, WARM_UP_MS / 2)
      const results = await interleave(bench.runs, {
        one: () => post([first.url], loadMs(bench)),
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
          name: `two ingests, one event type, ${CONNECTIONS} connections${wire.name}`,
          unit: '/s',
          runs: two,
          limit: { name: 'one ingest', runs: one },
          goal: atLeast(0.9, ratio(two, one), ' of one'),
          notes: [ownCost(results.two.flat())],
        },
        {
          ...common,
          name: `two ingests, one event type, p99${wire.name}`,
          unit: ' ms',
          runs: twoP99,
          limit: { name: 'one ingest', runs: oneP99 },
          goal: atMost(2, median(twoP99) / median(oneP99), ' × one'),
        },
      ]
    }),
  )
}
