/**
 * Opens a store and starts services on it: the one way in which a system is put together, for the launcher, for modules that are loaded
 * alone, and for a Durable Object.
 *
 * @module
 */

import packageFile from '../../package.json' with { type: 'json' }
import type { AuditSink } from '#shared/access/audit/audit.ts'
import type { Logger } from '#shared/logger.ts'
import type { SchemaFile } from '#shared/notification/schema.ts'
import type { Tracer } from '#shared/observe/telemetry/tracing.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import type { ReadSecret } from '#shared/secret.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import { openBackup } from '#shared/store/open/backup.ts'
import { openMaintenance } from '#shared/store/open/maintenance.ts'
import { openStore } from '#shared/store/open/open.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createDocumentReader } from './documents.ts'
import type { Config, ServiceName } from './settings.ts'
import { createConfiguredSchemas } from './runs.ts'
import { readStoreCredentials } from './store_credentials.ts'
import { loadServices } from './services.ts'
import { startSystem, type System } from './system.ts'
import type { SystemParts } from './system_parts.ts'

/** The version of this program. */
export const VERSION = packageFile.version

/** What a system is opened with. */
export interface OpenSystemParts extends Pick<
  SystemParts,
  'inFront' | 'others' | 'acceptElsewhere' | 'nextRun' | 'quotas' | 'elsewhere'
> {
  readonly config: Config
  readonly services: readonly ServiceName[]
  readonly schemaFiles: readonly SchemaFile[]
  readonly platform: Platform
  readonly logger: Logger
  readonly readSecret: ReadSecret
  /** Address for others, where the configuration has none. */
  readonly baseUrl: () => string
  readonly auditSink?: AuditSink | undefined
  readonly tracer?: Tracer | undefined
  /** The store, opened and ended by the system; absent: that of the configuration. */
  readonly store?: Store | undefined
  /** Whether an embedded store is opened that lost acknowledged writes. */
  readonly acceptLoss?: boolean
}

/** @throws {AvisoError} `ERR_CONFIG` for a store that cannot be opened; a store that cannot be reached is waited for. */
export async function openSystem(parts: OpenSystemParts): Promise<System> {
  const { config, platform, logger, readSecret, auditSink, acceptLoss = false, baseUrl } = parts
  const { store: address } = config.vars
  const clock = systemClock
  const storeParts = {
    platform,
    dataFolder: config.dev.data,
    clock,
    logger,
    acceptLoss,
    ...readStoreCredentials(config.vars, readSecret),
  }
  const store = parts.store ?? (await openStore(address, storeParts))
  const monitoring = parts.services.includes('monitoring') ? await import('./monitoring.ts') : undefined
  const { newSha256, udp, usage, fetchOfStore } = platform
  return startSystem({
    config,
    services: parts.services,
    loaded: await loadServices(parts.services),
    store,
    ownsStore: parseStoreAddress(address).kind === 'embedded',
    maintenance: await openMaintenance(address, storeParts),
    ...(newSha256 !== undefined && {
      backups: { power: await openBackup(address, store, storeParts), newSha256 },
    }),
    schemas: createConfiguredSchemas(parts.schemaFiles, config.vars),
    clock,
    random: platform.random,
    logger,
    identity: platform.identity,
    readSecret,
    tracer: parts.tracer,
    inFront: parts.inFront,
    startMonitoring: monitoring?.startSystemMonitoring,
    others: parts.others,
    acceptElsewhere: parts.acceptElsewhere,
    quotas: parts.quotas,
    elsewhere: parts.elsewhere,
    nextRun: parts.nextRun,
    ...(auditSink !== undefined && { auditSink }),
    ...(udp !== undefined && { udp }),
    ...(fetchOfStore !== undefined && { fetchOfStore }),
    ...(usage !== undefined && { usage }),
    readDocument: createDocumentReader(platform.readText),
    baseUrl: () => config.vars.baseUrl ?? baseUrl(),
    // workerd compresses by itself what says that it is compressed.
    compresses: platform.name !== 'workerd',
    version: VERSION,
  })
}
