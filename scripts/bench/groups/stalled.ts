/**
 * Measures readers that stop reading: their cost, and whether they get every notification when they go on.
 *
 * @module
 */

import { LIVE_PATH, openListeners } from '../listeners.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import type { BenchRuntime } from '../processes.ts'
import { atMost, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { withProcess } from '../systems.ts'
import { avisoTarget, bareTarget, publishBurst, type StartTarget } from '../targets.ts'

const STALLED = 20
const NOTIFICATIONS = 2_000
/** Together with its envelope this makes a frame of 3.4 kB. */
const PAYLOAD = 'x'.repeat(2_800)
const BATCH = 20
const SETTLE_LIMIT_MS = 40_000

/** The rows about stalled readers. */
export const stalledGroup: RowGroup = {
  name: 'stalled',
  summary:
    'memory cost of 20 readers that do not read 2,000 notifications of 3.4 kB, and whether they later get all',
  measure: async (bench) => {
    const measure = (name: string, start: StartTarget): (() => Promise<number>) => {
      return () => measureGrowth(bench, name, start)
    }
    const { bare, ...ours } = await interleave(bench.runs, {
      bare: measure('bare', bareTarget({ paddingBytes: 600, mode: 'write' })),
      ...Object.fromEntries(
        bench.runtimes.map((runtime) => [runtime, measure(runtime, avisoTarget(runtime))]),
      ),
    } as Record<BenchRuntime | 'bare', () => Promise<number>>)
    return bench.runtimes.map((runtime) => toRow(runtime, ours[runtime], bare))
  },
}

/** @returns the MiB that stalled readers cost, beyond the cost of publishing to one reader that reads */
async function measureGrowth(bench: Bench, name: string, start: StartTarget): Promise<number> {
  bench.say(`stalled: ${name}`)
  const without = await measureOnce(start, 0)
  return (await measureOnce(start, STALLED)) - without
}

async function measureOnce(start: StartTarget, count: number): Promise<number> {
  const target = await start()
  return withProcess(Promise.resolve(target.process), async (process) => {
    const { url } = process
    const healthy = await openListeners({ url, path: () => LIVE_PATH, count: 1 })
    const stalled = await openListeners({ url, path: () => LIVE_PATH, count })
    try {
      // A first burst fills buffers and pools and compiles code, so that memory for publishing itself is not counted.
      await publishBurst(target, NOTIFICATIONS, { payload: PAYLOAD, batch: BATCH })
      await Promise.all([healthy, stalled].map((group) => group.settled(NOTIFICATIONS, SETTLE_LIMIT_MS)))
      await process.collectGarbage()
      const before = process.residentMebibytes()
      stalled.pause()
      await publishBurst(target, NOTIFICATIONS, { payload: PAYLOAD, batch: BATCH })
      await healthy.settled(NOTIFICATIONS, SETTLE_LIMIT_MS)
      await process.collectGarbage()
      const grown = process.residentMebibytes() - before
      stalled.resume()
      await stalled.settled(NOTIFICATIONS, SETTLE_LIMIT_MS)
      return grown
    } finally {
      healthy.close()
      stalled.close()
    }
  })
}

function toRow(runtime: BenchRuntime, runs: readonly number[], bare: readonly number[]): Row {
  const grown = median(runs)
  return {
    name: `${STALLED} stalled readers, ${NOTIFICATIONS} × 3.4 kB`,
    runtime,
    unit: 'MiB more',
    runs,
    limit: { name: 'plain Node server', runs: bare },
    floor: atMost(66, grown, ' MiB'),
    goal: atMost(5, grown, ' MiB'),
    notes: ['all of them went on in order, none lost or repeated; memory after a collection'],
  }
}
