/**
 * What the monitoring is told: thresholds, where to look, whom to report to. Secrets are in it by reference: each is looked up when it is used.
 *
 * @module
 */

import type { Secret } from '#shared/secret.ts'
import type { OpsviewServer } from './opsview.ts'
import type { MonitoringVars } from './settings.ts'
import type { WatcherOptions } from './checks/watcher.ts'

/** A server to report to. */
export type OpsviewOptions = OpsviewServer &
  Pick<MonitoringVars['opsview'][number], 'everyMinutes' | 'checks'>

/** Settings that the service takes as they are. */
type TakenSettings = 'windowMinutes' | 'usersWindowHours' | 'restResponseSeconds' | 'authResponseSeconds'

/** Options of the service. */
export interface MonitoringOptions extends Pick<MonitoringVars, TakenSettings>, WatcherOptions {
  /** Bearer token of services that send by HTTP; absent: nobody may. */
  readonly telemetryToken?: Secret
  readonly opsview: readonly OpsviewOptions[]
}
