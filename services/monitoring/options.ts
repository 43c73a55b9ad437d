/**
 * What the monitoring is told: thresholds, where to look, whom to report to. Secrets are in it, so it is never logged.
 *
 * @module
 */

import type { Thresholds } from './checks/check.ts'
import type { OpsviewServer } from './opsview.ts'
import type { WatcherOptions } from './checks/watcher.ts'

/** A server to report to. */
export interface OpsviewOptions extends OpsviewServer {
  readonly everyMinutes: number
  /** Names of the checks it gets; absent: those that 1.x has. */
  readonly checks?: readonly string[]
}

/** Options of the service. */
export interface MonitoringOptions extends WatcherOptions {
  /** Durations and log lines are looked at over this long. */
  readonly windowMinutes: number
  readonly usersWindowHours: number
  /** Thresholds of the slowest response, seconds. */
  readonly restResponseSeconds: Thresholds
  readonly authResponseSeconds: Thresholds
  /** Bearer token of services that send by HTTP; absent: nobody may. */
  readonly telemetryToken?: string
  readonly opsview: readonly OpsviewOptions[]
}

/** Checks that Opsview knows from 1.x; it refuses others until somebody adds them. */
export const CHECKS_OF_1: readonly string[] = [
  'rest_resp_time',
  'rest_error_log',
  'rest_pod_available',
  'auth_resp_time',
  'auth_error_log',
  'auth_pod_available',
  'etcd_store_size',
  'etcd_cluster_status',
  'etcd_error_log',
]
