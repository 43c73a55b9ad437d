/**
 * Runs a closed loop: several workers, each of which makes one call after the other for a time.
 *
 * @module
 */

import { toPercentiles, type Percentiles } from './statistics.ts'

/** One worker. It makes the n-th call, counted over all workers from 0. */
export interface Worker {
  call(n: number): Promise<void>
  close?(): void
}

export interface ClosedLoop {
  readonly workers: number
  readonly durationMs: number
  readonly open: () => Worker | Promise<Worker>
}

/** The result of a load. */
export interface LoadResult {
  readonly calls: number
  readonly perSecond: number
  readonly latencyMs: Percentiles
}

/**
 * Runs the loop.
 *
 * @throws what a worker throws, because the figures of a load with failures mean nothing.
 */
export async function runClosedLoop({ workers, durationMs, open }: ClosedLoop): Promise<LoadResult> {
  const opened = await Promise.all(Array.from({ length: workers }, async () => open()))
  const latencies: number[] = []
  const startedAt = performance.now()
  const endAt = startedAt + durationMs
  let next = 0
  const work = async (worker: Worker): Promise<void> => {
    for (let before = performance.now(); before < endAt;) {
      await worker.call(next++)
      const after = performance.now()
      latencies.push(after - before)
      before = after
    }
  }
  try {
    await Promise.all(opened.map(work))
  } finally {
    for (const worker of opened) worker.close?.()
  }
  const seconds = (performance.now() - startedAt) / 1_000
  return {
    calls: latencies.length,
    perSecond: latencies.length / seconds,
    latencyMs: toPercentiles(latencies),
  }
}
