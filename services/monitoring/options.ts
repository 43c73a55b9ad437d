/**
 * The options of the monitoring: thresholds, what to watch, and where to report. They hold secrets by reference: each secret is looked up
 * when it is used.
 *
 * @module
 */

import type { Secret } from '#shared/secret.ts'
import type { OpsviewServer } from './opsview.ts'
import type { MonitoringVars } from './settings.ts'
import type { WatcherOptions } from './checks/watcher.ts'

/** An Opsview server that gets reports. */
export type OpsviewOptions = OpsviewServer &
  Pick<MonitoringVars['opsview'][number], 'everyMinutes' | 'checks'>

/** Settings that the service takes unchanged. */
type TakenSettings = 'windowMinutes' | 'usersWindowHours' | 'restResponseSeconds' | 'authResponseSeconds'

/** Options of the service. */
export interface MonitoringOptions extends Pick<MonitoringVars, TakenSettings>, WatcherOptions {
  /** Bearer token of services that send telemetry over HTTP; absent: no service may. */
  readonly telemetryToken?: Secret
  readonly opsview: readonly OpsviewOptions[]
}
