/**
 * The monitoring service: a receiver collects telemetry, a watcher polls etcd and Kubernetes, checks judge both, and reports go out.
 *
 * Flow: rest, auth, etcd → **monitoring** → Opsview, Prometheus, people
 *
 * @module
 */

import type { Access } from '#shared/access/access.ts'
import type { RoutedHandler } from '#shared/http/route.ts'
import type { Metrics } from '#shared/observe/metrics/metrics.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { MonitoringFetch } from './checks/bounded_fetch.ts'
import type { CheckResult } from './checks/check.ts'
import {
  checkAlarms,
  checkClusterStatus,
  checkFileSize,
  checkHeadroom,
  checkStoreSize,
  checkTotalKeys,
} from './checks/etcd_checks.ts'
import { createMonitoringHandler } from './handler.ts'
import { createOpsviewReporter } from './opsview.ts'
import type { MonitoringOptions, OpsviewOptions } from './options.ts'
import { AUTH_RESPONSE, createReceiver, REST_RESPONSE, type Receiver } from './receive/receiver.ts'
import { checkErrorLog, checkResponseTime } from './checks/service_checks.ts'
import { statusBody } from './status.ts'
import { openUdpGate, type OpenSocket, type UdpGate } from './receive/udp_gate.ts'
import { startWatcher, type Watcher } from './checks/watcher.ts'

export interface MonitoringParts {
  readonly options: MonitoringOptions
  readonly metrics: Metrics
  readonly fetch: MonitoringFetch
  /** Asks the members of the store, where they want certificates. Default: `fetch`. */
  readonly fetchOfStore?: MonitoringFetch
  readonly store: Store
  readonly events: readonly string[]
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  /** Binds the UDP socket; absent when the runtime has no UDP or no address is configured. */
  readonly openSocket?: OpenSocket
  /** Decides who may see the status. */
  readonly access: Pick<Access, 'forAdministration'>
}

export interface Monitoring {
  readonly handle: RoutedHandler
  /** Takes one telemetry message or log line. @returns whether it was understood */
  accept(datagram: Uint8Array): boolean
  /** Resolves when the first attempt to bind the UDP socket has ended. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/** The parts of a running service that make checks. */
interface Works {
  readonly parts: MonitoringParts
  readonly receiver: Receiver
  readonly watcher: Watcher
}

/** Starts the service. */
export function startMonitoring(parts: MonitoringParts): Monitoring {
  const { options, metrics, clock, logger } = parts
  const windowMs =
    Math.max(options.windowMinutes, ...options.opsview.map(({ everyMinutes }) => everyMinutes)) * 60_000
  const { usersWindowHours } = options
  const receiver = createReceiver({ clock, metrics, windowMs, usersWindowHours })
  const works: Works = { parts, receiver, watcher: startWatcher(parts) }
  const gate: UdpGate | undefined =
    parts.openSocket === undefined
      ? undefined
      : openUdpGate({ open: parts.openSocket, accept: receiver.accept, clock, metrics, logger })
  const reports = options.opsview.map((server) => startReports(works, server))
  return {
    handle: createMonitoringHandler({ ...parts, accept: receiver.accept, status: () => readStatus(works) }),
    accept: receiver.accept,
    ready: gate?.ready ?? Promise.resolve(),
    async close() {
      for (const stop of reports) stop()
      await Promise.all([works.watcher.close(), gate?.close()])
    },
  }
}

/** @param since Start of the time that is looked at, in monotonic time. */
async function runChecks(
  { parts, receiver, watcher }: Works,
  since: number,
): Promise<readonly CheckResult[]> {
  await watcher.seen()
  const { options, clock } = parts
  const { times, logs } = receiver
  const span = { since, now: clock.monotonic() }
  const { etcd, growth } = watcher
  const etcdChecks =
    etcd === undefined
      ? []
      : [
          checkStoreSize(etcd),
          checkFileSize(etcd),
          checkClusterStatus(etcd, options.etcd?.expectedMembers ?? 1),
          checkTotalKeys(etcd),
          checkAlarms(etcd),
          checkHeadroom(etcd, growth),
          checkErrorLog('etcd', logs, since),
        ]
  return [
    checkResponseTime(REST_RESPONSE, times, options.restResponseSeconds, span),
    checkErrorLog('rest', logs, since),
    checkResponseTime(AUTH_RESPONSE, times, options.authResponseSeconds, span),
    checkErrorLog('auth', logs, since),
    ...watcher.pods,
    ...etcdChecks,
  ]
}

async function readStatus(works: Works): Promise<Readonly<Record<string, unknown>>> {
  const { parts, receiver, watcher } = works
  const { clock } = parts
  const { windowMinutes } = parts.options
  const checks = await runChecks(works, clock.monotonic() - windowMinutes * 60_000)
  const { etcd, growth } = watcher
  const users = receiver.users.count(clock.monotonic())
  return statusBody({
    now: clock.now(),
    windowMinutes,
    checks,
    users,
    growth,
    ...(etcd !== undefined && { etcd }),
  })
}

/** Reports to one server at an interval, one report at a time. @returns a function that stops the reports */
function startReports(works: Works, options: OpsviewOptions): () => void {
  const { clock, fetch, logger } = works.parts
  const reporter = createOpsviewReporter({ server: options, fetch, clock, logger })
  const wanted = new Set(options.checks)
  let reportedAt = clock.monotonic()
  let isReporting = false
  const report = async (): Promise<void> => {
    const since = reportedAt
    reportedAt = clock.monotonic()
    const checks = await runChecks(works, since)
    await reporter.report(checks.filter(({ name }) => wanted.has(name)))
  }
  return clock.every(options.everyMinutes * 60_000, () => {
    if (isReporting) return
    isReporting = true
    void report().finally(() => (isReporting = false))
  })
}
