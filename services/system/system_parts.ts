/**
 * What the launcher hands over to a system.
 *
 * @module
 */

import type { ReadDocument } from '#services/reference/document_page.ts'
import type { Handler } from '#shared/handler.ts'
import type { ReplacedWorkers } from '#shared/observe/metrics/observe_workers.ts'
import type { MetricFamily } from '#shared/observe/metrics/registry.ts'
import type { Store } from '#shared/store/store.ts'
import type { AccessPowers } from './access.ts'
import type { InstrumentPowers } from './instruments.ts'
import type { startSystemMonitoring } from './monitoring.ts'
import type { ServicesParts } from './services.ts'
import type { ServiceName } from './settings.ts'

/** What the launcher hands over. The system makes access and instruments from it itself. */
export interface SystemParts
  extends
    InstrumentPowers,
    AccessPowers,
    Omit<ServicesParts, 'access' | 'instruments' | 'streams' | 'tickets'> {
  readonly store: Store
  /** Puts the module that the configuration names in front of a service. Default: none, requests go to the service itself. */
  readonly inFront?: ((service: ServiceName, handle: Handler) => Handler) | undefined
  /** Finds documents of the repository. Default: there are none here. */
  readonly readDocument?: ReadDocument
  /** Whether the console compresses its files. Default: yes. */
  readonly compresses?: boolean
  /** Starts the monitoring where it is one of the services: only then it is loaded. */
  readonly startMonitoring?: typeof startSystemMonitoring | undefined
  /** The other workers of this launcher, for which this one speaks; absent: there are none. */
  readonly others?: OtherWorkers | undefined
  /** Takes the telemetry of services here where the monitoring is in another worker. */
  readonly acceptElsewhere?: ((message: Uint8Array) => void) | undefined
  /** `fetch` for the members of a store that wants certificates. Default: the runtime's own. */
  readonly fetchOfStore?: (url: string, init: RequestInit) => Promise<Response>
}

/** What other workers tell. No function rejects: one that does not answer counts as none. */
export interface OtherWorkers {
  families(): Promise<readonly (readonly MetricFamily[])[]>
  /** Open listener streams. */
  streams(): Promise<number>
  /** How many were replaced, by the reason. */
  replaced(): ReplacedWorkers
}
