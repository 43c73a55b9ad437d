/**
 * The Durable Object that runs the services on workerd. `serve_workerd.ts` bundles it, and no other runtime imports it.
 *
 * @module
 */

import packageFile from '../../package.json' with { type: 'json' }
import { startSystem, type System } from '#services/system/system.ts'
import { readStoreCredentials } from '#services/system/store_credentials.ts'
import type { Config, ServiceName } from '#services/system/settings.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { answeringSenders, createWorkerdPlatform, type DurableObjectState } from '#shared/runtime/workerd.ts'
import { openStore } from '#shared/store/open/open.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createLogger } from '#shared/logger.ts'
import { createSecretReader } from '#shared/secret.ts'

/** The bindings that the launcher sets, with everything that it has read from files. */
interface HostEnvironment {
  readonly CONFIG: Config
  readonly SERVICES: readonly ServiceName[]
  readonly SCHEMAS: readonly { readonly source: string; readonly content: unknown }[]
  readonly BASE_URL: string
  /** Secrets that the configuration names. The prefix is repeated here, because the launcher's modules are not in the bundle. */
  readonly [secret: `SECRET_${string}`]: string | undefined
}

/** Hosts one system for all requests. */
export class AvisoHost {
  readonly #system: Promise<System>

  constructor(state: DurableObjectState, environment: HostEnvironment) {
    this.#system = start(state, environment)
  }

  async fetch(request: Request): Promise<Response> {
    const system = await this.#system
    return answeringSenders(system.handle)(request)
  }
}

async function start(state: DurableObjectState, environment: HostEnvironment): Promise<System> {
  const config = environment.CONFIG
  const platform = createWorkerdPlatform(state, {})
  const logger = createLogger(platform.log, systemClock.now, config.vars.logLevel)
  const readSecret = createSecretReader(secretsOf(environment))
  const store = await openStore(config.vars.store, {
    platform,
    dataFolder: config.dev.data,
    clock: systemClock,
    logger,
    ...readStoreCredentials(config.vars, readSecret),
  })
  return startSystem({
    config,
    services: environment.SERVICES,
    store,
    schemas: createSchemas(environment.SCHEMAS),
    clock: systemClock,
    random: platform.random,
    logger,
    identity: platform.identity,
    readSecret,
    // workerd writes no files, so audit records go where its log goes.
    ...(config.vars.audit !== undefined && { auditSink: (lines: string) => platform.log(lines.trimEnd()) }),
    baseUrl: () => config.vars.baseUrl ?? environment.BASE_URL,
    version: packageFile.version,
  })
}

/** The secrets by the names of their environment variables. */
function secretsOf(environment: HostEnvironment): Readonly<Record<string, string | undefined>> {
  const bindings = Object.entries(environment).filter(([name]) => name.startsWith('SECRET_'))
  return Object.fromEntries(
    bindings.flatMap(([name, value]: [string, unknown]) =>
      typeof value === 'string' ? [[name.slice('SECRET_'.length), value]] : [],
    ),
  )
}
