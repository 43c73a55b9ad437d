/**
 * Measures the cost of matching when every listener has a different filter.
 *
 * @module
 */

import { withEtcd } from '../etcd_figures.ts'
import { runPaced } from '../http_load.ts'
import { LIVE_PATH, openListeners } from '../listeners.ts'
import { createNotifications, EXPERIMENTS } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { atMost, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'

const RATE = 1_000
const BATCH = 10
const SETTLE_LIMIT_MS = 30_000

/** The row about filters. */
export const filtersGroup: RowGroup = {
  name: 'filters',
  summary: '10,000 listeners with different filters, 1,000 notifications/s',
  measure: async (bench) => {
    const { all, one } = await interleave(bench.runs, {
      all: () => measureCores(bench, EXPERIMENTS),
      one: () => measureCores(bench, 1),
    })
    return [toRow(all, one)]
  },
}

/**
 * Measures the listening service in a separate process, so that its processor time is only that of following the store, matching and
 * delivering.
 *
 * @returns the number of cores that it used
 */
function measureCores(bench: Bench, count: number): Promise<number> {
  bench.say(`filters: ${count} listener(s)`)
  return withEtcd((etcd) =>
    withProcess(startAviso({ store: etcd.store, services: ['rest'] }), (rest) =>
      withProcess(startAviso({ store: etcd.store, services: ['auth'] }), async (auth) => {
        const path = (n: number): string => `${LIVE_PATH}&expver=${n}`
        const listeners = await openListeners({ url: auth.url, path, count, isDense: false })
        try {
          const notifications = createNotifications()
          const [cpuBefore, startedAt] = [auth.cpuSeconds(), performance.now()]
          await runPaced({
            url: rest.url + PUBLISH_PATH,
            body: () => notifications.batch(BATCH),
            connections: 16,
            ratePerSecond: RATE / BATCH,
            requests: EXPERIMENTS / BATCH,
          })
          // Each experiment was published once.
          await listeners.settled(1, SETTLE_LIMIT_MS)
          return (auth.cpuSeconds() - cpuBefore) / ((performance.now() - startedAt) / 1_000)
        } finally {
          listeners.close()
        }
      }),
    ),
  )
}

function toRow(all: readonly number[], one: readonly number[]): Row {
  const cores = median(all)
  return {
    name: `${EXPERIMENTS} distinct filters, ${RATE} notifications/s`,
    runtime: 'node + etcd',
    unit: 'cores',
    runs: all,
    limit: { name: 'the same with one listener', runs: one },
    floor: atMost(1, cores, ' core'),
    goal: atMost(0.2, cores, ' core'),
    notes: ['processor time of the listening service, with 2,000 heartbeats/s'],
  }
}
