/**
 * Measures memory over an hour of ordinary work: notifications at an even rate, to very many listeners.
 *
 * @module
 */

import { liveStreams, runLoads } from '../generator.ts'
import { LIVE_PATH } from '../listeners.ts'
import { dailyNotification, EXPERIMENTS_OF_A_DAY } from '../notifications.ts'
import type { Bench, RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atMost, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'

/** An hour of notifications, ten listeners of each experiment, and how often memory is read. */
const FULL = { loads: 10, each: 100_000, ratePerSecond: 280, listeners: 10_000, sampleMs: 10_000 } as const
/** The same work in half a minute, which says little about memory. */
const QUICK = { loads: 3, each: 5_000, ratePerSecond: 500, listeners: 1_000, sampleMs: 500 } as const
const CONNECTIONS = 16
/** Time to open all streams and to deliver the rest, beyond that of the posts. */
const MARGIN_MS = 120_000
/** Memory of the last third of the time, in that of the third before. The first one fills what is bounded: ids, pages, the ring. */
const MOST_GROWTH = 1.05
const SHOWN_SAMPLES = 7

/** The row about an hour of work. */
export const soakGroup: RowGroup = {
  name: 'soak',
  summary: `memory while ${FULL.listeners.toLocaleString('en')} listeners get 1,000,000 notifications in an hour (--quick: half a minute); only on request`,
  isOnRequest: true,
  placement: 'together',
  measure: (bench) => withProcess(startAviso(), async (aviso) => [await measure(bench, aviso)]),
}

async function measure(bench: Bench, aviso: BenchProcess): Promise<Row> {
  const plan = bench.isQuick ? QUICK : FULL
  const count = plan.loads * plan.each
  const postMs = (count / plan.ratePerSecond) * 1_000
  bench.say(`soak: ${count.toLocaleString('en')} notifications in ${(postMs / 60_000).toFixed(1)} minutes`)
  const samples: number[] = []
  let cpu = 0
  const onOpen = async (): Promise<void> => {
    const cpuBefore = aviso.cpuSeconds()
    const timer = setInterval(() => samples.push(aviso.residentMebibytes()), plan.sampleMs)
    try {
      // Each load has keys of its own.
      for (let load = 0; load < plan.loads; load++) {
        await runLoads(aviso.url, { until: postMs + MARGIN_MS }, [
          {
            path: PUBLISH_PATH,
            body: dailyNotification(),
            connections: CONNECTIONS,
            ratePerSecond: plan.ratePerSecond,
            requests: plan.each,
          },
        ])
      }
    } finally {
      clearInterval(timer)
    }
    cpu = aviso.cpuSeconds() - cpuBefore
  }
  const streams = liveStreams(plan.listeners, {
    path: `${LIVE_PATH}&expver=0~~~`,
    isSparse: true,
    expect: count / EXPERIMENTS_OF_A_DAY,
  })
  const { results } = await runLoads(aviso.url, { until: postMs + MARGIN_MS, onOpen }, [streams])
  const third = Math.floor(samples.length / 3)
  const last = samples.slice(-third)
  const before = samples.slice(-2 * third, -third)
  return {
    name: `memory in the last third of ${count.toLocaleString('en')} notifications at ${plan.ratePerSecond}/s to ${plan.listeners.toLocaleString('en')} listeners`,
    runtime: 'node',
    unit: 'MiB',
    runs: [median(last)],
    limit: { name: 'in the third before', runs: [median(before)] },
    goal: atMost(MOST_GROWTH, median(last) / median(before), ' × the third before'),
    notes: [
      `${(results[0]?.count ?? 0).toLocaleString('en')} deliveries, none lost, repeated or out of order`,
      `MiB over the time: ${spread(samples, SHOWN_SAMPLES)
        .map((sample) => sample.toFixed(0))
        .join(', ')}`,
      `${((cpu * 1e6) / count).toFixed(0)} µs of processor time a notification with its deliveries and heartbeats`,
    ],
  }
}

/** Some of the samples, evenly, with the first and the last one. */
function spread(samples: readonly number[], count: number): readonly number[] {
  const step = (samples.length - 1) / (count - 1)
  return Array.from({ length: count }, (_, index) => samples[Math.round(index * step)] ?? Number.NaN)
}
