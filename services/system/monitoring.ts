/**
 * Starts the monitoring service as configured.
 *
 * @module
 */

import { startMonitoring, type Monitoring } from '#services/monitoring/monitoring.ts'
import type { EtcdOptions } from '#services/monitoring/checks/watcher.ts'
import type { MonitoringOptions, OpsviewOptions } from '#services/monitoring/options.ts'
import type { MonitoringVars } from '#services/monitoring/settings.ts'
import type { PodsOptions } from '#services/monitoring/checks/pods_check.ts'
import type { InstrumentPowers } from './instruments.ts'
import type { Config } from './settings.ts'
import type { Access } from '#shared/access/access.ts'
import { AvisoError } from '#shared/errors.ts'
import type { MetricsRegistry } from '#shared/observe/metrics/registry.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { ReadSecret } from '#shared/secret.ts'

export interface SystemMonitoringParts extends InstrumentPowers {
  readonly config: Config
  readonly metrics: MetricsRegistry
  /** `fetch` for the members of a store that wants certificates. */
  readonly fetchOfStore?: (url: string, init: RequestInit) => Promise<Response>
  readonly store: Store
  readonly schemas: Schemas
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly access: Pick<Access, 'forAdministration'>
}

type SharedVars = Config['vars']

/**
 * Starts the service.
 *
 * @throws {AvisoError} `ERR_CONFIG` when a secret is missing, or when UDP is configured on a runtime without it.
 */
export function startSystemMonitoring(parts: SystemMonitoringParts): Monitoring {
  const { config, clock, logger, metrics, random, schemas, store, udp } = parts
  const vars = config.workers.monitoring.vars
  const address = vars.udp
  if (address !== undefined && udp === undefined)
    throw new AvisoError(
      'ERR_CONFIG',
      'workers.monitoring.vars.udp: this runtime has no UDP; remove the setting',
    )
  return startMonitoring({
    options: toOptions(vars, config.vars, parts.readSecret),
    metrics,
    fetch: parts.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    ...(parts.fetchOfStore !== undefined && { fetchOfStore: parts.fetchOfStore }),
    store,
    events: schemas.events,
    clock,
    random,
    logger,
    access: parts.access,
    ...(address !== undefined &&
      udp !== undefined && { openSocket: (onDatagram) => udp.openReceiver(address, onDatagram) }),
  })
}

function toOptions(vars: MonitoringVars, shared: SharedVars, readSecret: ReadSecret): MonitoringOptions {
  const { telemetryTokenEnv, etcd, pods, opsview } = vars
  const watched = toEtcd(etcd, shared)
  return {
    windowMinutes: vars.windowMinutes,
    usersWindowHours: vars.usersWindowHours,
    pollSeconds: vars.pollSeconds,
    restResponseSeconds: vars.restResponseSeconds,
    authResponseSeconds: vars.authResponseSeconds,
    opsview: opsview.map((server) => toOpsview(server, readSecret)),
    ...(telemetryTokenEnv !== undefined && { telemetryToken: readSecret(telemetryTokenEnv, 'token') }),
    ...(watched !== undefined && { etcd: watched }),
    ...(pods !== undefined && { pods: toPods(pods, readSecret) }),
  }
}

/** The configured etcd; otherwise the store, if it is an etcd and not another Aviso. etcd answers HTTP on the port of its gRPC too. */
function toEtcd(etcd: MonitoringVars['etcd'], { store, storeTokenEnv }: SharedVars): EtcdOptions | undefined {
  if (etcd === null) return undefined
  if (etcd !== undefined)
    return { urls: etcd.urls, expectedMembers: etcd.expectedMembers ?? etcd.urls.length }
  const address = parseStoreAddress(store)
  if (storeTokenEnv !== undefined || address.kind === 'embedded') return undefined
  const urls = address.endpoints
  return { urls, expectedMembers: urls.length }
}

function toPods(pods: NonNullable<MonitoringVars['pods']>, readSecret: ReadSecret): PodsOptions {
  const { url, namespace, tokenEnv, warning, critical } = pods
  return {
    url,
    namespace,
    thresholds: { warning, critical },
    ...(tokenEnv !== undefined && { token: readSecret(tokenEnv, 'token') }),
  }
}

function toOpsview(server: MonitoringVars['opsview'][number], readSecret: ReadSecret): OpsviewOptions {
  const { passwordEnv, ...rest } = server
  return { ...rest, password: readSecret(passwordEnv) }
}
