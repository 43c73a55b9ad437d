/**
 * Measures a process, and takes what others measure.
 *
 * @module
 */

import type { Monitoring } from '#services/monitoring/monitoring.ts'
import { observeWorkers } from '#shared/observe/metrics/observe_workers.ts'
import type { MetricFamily } from '#shared/observe/metrics/registry.ts'
import type { SystemAccess } from './access.ts'
import { createInstruments, type Instruments } from './instruments.ts'
import type { RunningServices } from './services.ts'
import type { SystemParts } from './system_parts.ts'

/** What other workers are told, and tell. */
export interface Figures {
  /** Takes a telemetry message of a service in another worker. Without the monitoring it is dropped. */
  acceptTelemetry(message: Uint8Array): void
  /** What was measured here. */
  families(): Promise<readonly MetricFamily[]>
  /** Open listener streams here. */
  streams(): number
}

/** What measures this process, and the monitoring where it is one of the services. */
export interface Measuring {
  readonly instruments: Instruments
  readonly monitoring: Monitoring | undefined
}

/** Starts the instruments, and the monitoring if it is one of the services. It then gets the telemetry of the others directly. */
export function startMeasuring(parts: SystemParts, access: SystemAccess): Measuring {
  const { startMonitoring } = parts
  const isHere = startMonitoring !== undefined && parts.services.includes('monitoring')
  let monitoring: Monitoring | undefined
  const accept = isHere
    ? (message: Uint8Array): void => void monitoring?.accept(message)
    : parts.acceptElsewhere
  const otherFamilies = parts.others?.families
  const instruments = createInstruments({ ...parts, accessCounts: access.counts, accept, otherFamilies })
  if (parts.others !== undefined) observeWorkers(instruments.metrics, parts.others.replaced)
  if (isHere) {
    const { metrics, store } = instruments
    monitoring = startMonitoring({ ...parts, metrics, store, access })
  }
  return { instruments, monitoring }
}

/** Figures of this process. @param running The services; absent until the store has answered. */
export function figuresOf(
  { instruments, monitoring }: Measuring,
  running: () => RunningServices | undefined,
): Figures {
  return {
    acceptTelemetry: (message) => void monitoring?.accept(message),
    families: () => instruments.metrics.collect(),
    streams: () => running()?.listening().streams ?? 0,
  }
}
