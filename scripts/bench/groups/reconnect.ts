/**
 * Measures a restarted service to which all listeners come back, each a thousand notifications behind.
 *
 * @module
 */

import type { EtcdCluster } from '../../etcd/cluster.ts'
import { etcdFigures, withEtcd } from '../etcd_figures.ts'
import { liveStreams, runLoads, theOnly } from '../generator.ts'
import { LIVE_PATH } from '../listeners.ts'
import { createNotifications } from '../notifications.ts'
import type { Bench, RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atMost, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { currentCursor, PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'
import { publishBurst } from '../targets.ts'

const LISTENERS = 5_000
const BEHIND = 1_000
const LIMIT_MS = 90_000
/** Most reads of the store that do not depend on the number of listeners: those of a start, and some pages. */
const FEW_READS = 100
/** Enough listeners to see whether each of them costs a read. */
const NUMBERED_LISTENERS = 200

/** Cost of a reconnection. */
interface Reconnection {
  readonly seconds: number
  readonly reads: number
  readonly watches: number
  /** Processor time of the server. */
  readonly serverSeconds: number
  /** Processor time of the load generator. */
  readonly loadSeconds: number
}

/** The row about reconnection. */
export const reconnectGroup: RowGroup = {
  name: 'reconnect',
  summary: '5,000 listeners come back to a restarted service, 1,000 notifications behind',
  measure: (bench) => withEtcd((etcd) => measure(bench, etcd)),
}

async function measure(bench: Bench, etcd: EtcdCluster): Promise<readonly Row[]> {
  const notifications = createNotifications()
  const publish = (url: string): Promise<void> =>
    publishBurst({ publishUrl: url + PUBLISH_PATH, many: notifications.batch }, BEHIND)
  const runs: Reconnection[] = []
  const warm: Reconnection[] = []
  let numbered: Reconnection | undefined
  for (let run = 0; run < bench.runs; run++) {
    bench.say('reconnect')
    const { cursor, after } = await withProcess(startAviso({ store: etcd.store }), async ({ url }) => {
      await publish(url)
      const here = { cursor: await currentCursor(url), after: notifications.count }
      await publish(url)
      return here
    })
    await withProcess(startAviso({ store: etcd.store }), async (server) => {
      const path = `${LIVE_PATH}&from=${cursor}`
      runs.push(await reconnect(etcd, { server, path, after, count: LISTENERS }))
      warm.push(await reconnect(etcd, { server, path, after, count: LISTENERS }))
      const numberedPath = `${LIVE_PATH}&from_id=${after + 1}`
      numbered = await reconnect(etcd, { server, path: numberedPath, after, count: NUMBERED_LISTENERS })
    })
  }
  const seconds = runs.map((result) => result.seconds)
  const reads = median(runs.map((result) => result.reads))
  const watches = median(runs.map((result) => result.watches))
  return [
    {
      name: `${LISTENERS} listeners reconnect ${BEHIND} notifications back, after a restart`,
      runtime: 'node + etcd',
      unit: 's',
      runs: seconds,
      floor: atMost(10, median(seconds), ' s'),
      goal: {
        text: 'store reads O(1)',
        isMet: median(seconds) <= 10 && reads + watches <= FEW_READS,
      },
      notes: [
        `processor time of the server ${median(runs.map((result) => result.serverSeconds)).toFixed(1)} s, of the load generator ${median(runs.map((result) => result.loadSeconds)).toFixed(1)} s`,
        `store reads ${reads}, watches opened ${watches}`,
        `once more with the same process: ${median(warm.map((result) => result.seconds)).toFixed(1)} s`,
        `asking by number instead of position: ${((numbered?.reads ?? 0) / NUMBERED_LISTENERS).toFixed(1)} reads each`,
      ],
    },
  ]
}

interface Storm {
  readonly server: BenchProcess
  readonly path: string
  /** Sequence number of the last notification that the listeners have. */
  readonly after: number
  readonly count: number
}

async function reconnect(etcd: EtcdCluster, { server, path, after, count }: Storm): Promise<Reconnection> {
  const before = await etcdFigures(etcd)
  const cpuBefore = server.cpuSeconds()
  let serverSeconds = Number.NaN
  const onSettled = (): void => void (serverSeconds = server.cpuSeconds() - cpuBefore)
  const streams = liveStreams(count, { path, after, expect: BEHIND })
  const { results, ownMicros } = await runLoads(server.url, { until: LIMIT_MS, onSettled }, [streams])
  const { seconds, count: deliveries } = theOnly(results)
  const figures = await etcdFigures(etcd)
  return {
    seconds,
    reads: figures.reads - before.reads,
    watches: figures.watchesOpened - before.watchesOpened,
    serverSeconds,
    loadSeconds: (ownMicros * deliveries) / 1e6,
  }
}
