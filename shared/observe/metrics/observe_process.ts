/**
 * Measures the process: memory, processor time, and the delay of its event loop.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import type { MetricsRegistry } from './registry.ts'

/** Memory and processor time of a process, as `shared/runtime` reads them. */
export interface ProcessUsage {
  readonly residentBytes: number
  readonly cpuSeconds: number
}

export interface ProcessMetricsParts {
  readonly metrics: MetricsRegistry
  readonly clock: Clock
  /** Absent when the runtime does not report them. */
  readonly usage?: () => ProcessUsage
  readonly version: string
}

const LOOP_MS = 500
const LOOP_SECONDS: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

/** Starts measuring. @returns a function that stops it */
export function observeProcess({ metrics, clock, usage, version }: ProcessMetricsParts): () => void {
  metrics.info('aviso_build', 'Version that is running', { version })
  const startedAt = clock.now() / 1_000
  metrics.read({
    kind: 'gauge',
    name: 'process_start_time_seconds',
    unit: 'seconds',
    help: 'When the process started, in seconds since 1970',
    read: () => [{ value: startedAt }],
  })
  if (usage !== undefined) {
    metrics.read({
      kind: 'gauge',
      name: 'process_resident_memory_bytes',
      unit: 'bytes',
      help: 'Memory of the process',
      read: () => [{ value: usage().residentBytes }],
    })
    metrics.read({
      kind: 'counter',
      name: 'process_cpu_seconds',
      unit: 'seconds',
      help: 'Processor time of the process',
      read: () => [{ value: usage().cpuSeconds }],
    })
  }
  const delays = metrics.histogram({
    name: 'aviso_event_loop_delay_seconds',
    unit: 'seconds',
    help: 'How late a timer of half a second fires',
    bounds: LOOP_SECONDS,
  })
  let expectedAt = clock.monotonic() + LOOP_MS
  return clock.every(LOOP_MS, () => {
    const now = clock.monotonic()
    delays.observe(Math.max(0, now - expectedAt) / 1_000)
    expectedAt = now + LOOP_MS
  })
}
