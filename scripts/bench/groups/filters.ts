/**
 * Measures the cost of matching when every listener has a different filter.
 *
 * @module
 */

import { withEtcd } from '../etcd_figures.ts'
import { liveStreams, runLoads } from '../generator.ts'
import { LIVE_PATH } from '../listeners.ts'
import { numberedNotification } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { atMost, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'

/** Listeners, each with a filter of its own. */
const LISTENERS = 10_000
const RATE = 1_000
const CONNECTIONS = 16
const SETTLE_LIMIT_MS = 60_000

/** The row about filters. */
export const filtersGroup: RowGroup = {
  name: 'filters',
  summary: '10,000 listeners with different filters, 1,000 single notifications/s',
  measure: async (bench) => {
    const { all, one } = await interleave(bench.runs, {
      all: () => measureCores(bench, LISTENERS),
      one: () => measureCores(bench, 1),
    })
    return [toRow(all, one)]
  },
}

/** What the listening service used. */
interface Use {
  readonly cores: number
}

/**
 * Measures the listening service in a separate process, so that its processor time is only that of following the store, matching and
 * delivering.
 */
function measureCores(bench: Bench, count: number): Promise<Use> {
  bench.say(`filters: ${count} listener(s)`)
  return withEtcd((etcd) =>
    withProcess(startAviso({ store: etcd.store, services: ['rest'] }), (rest) =>
      withProcess(startAviso({ store: etcd.store, services: ['auth'] }), async (auth) => {
        const before = { cpu: 0, at: 0 }
        let cores = 0
        const onOpen = async (): Promise<void> => {
          before.cpu = auth.cpuSeconds()
          before.at = performance.now()
          await runLoads(rest.url, { until: SETTLE_LIMIT_MS }, [
            {
              path: PUBLISH_PATH,
              body: numberedNotification(),
              connections: CONNECTIONS,
              ratePerSecond: RATE,
              requests: LISTENERS,
            },
          ])
        }
        const onSettled = (): void => {
          cores = (auth.cpuSeconds() - before.cpu) / ((performance.now() - before.at) / 1_000)
        }
        // Each step is published once, and each listener waits for the one of its number.
        const path = `${LIVE_PATH}&step=~~~~~`
        const streams = liveStreams(count, { path, isSparse: true, expect: 1 })
        await runLoads(auth.url, { until: SETTLE_LIMIT_MS, onOpen, onSettled }, [streams])
        return { cores }
      }),
    ),
  )
}

function toRow(all: readonly Use[], one: readonly Use[]): Row {
  const cores = all.map((use) => use.cores)
  return {
    name: `${LISTENERS} distinct filters, ${RATE} notifications/s`,
    runtime: 'node + etcd',
    unit: 'cores',
    runs: cores,
    limit: { name: 'the same with one listener', runs: one.map((use) => use.cores) },
    floor: atMost(1, median(cores), ' core'),
    goal: atMost(0.2, median(cores), ' core'),
    notes: ['processor time of the listening service, with 2,000 heartbeats/s'],
  }
}
