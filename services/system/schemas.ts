/**
 * The schemas of a system. They come from its configuration, or from the files of a service in the store. The files are followed while
 * the system runs.
 *
 * @module
 */

import type { Config } from './settings.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { followSchemas, readSchemas } from '#shared/service_files/follow_schemas.ts'
import type { CompileSchemas } from '#shared/service_files/schema_files.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { createStoredSchemas } from './runs.ts'

export interface SchemasParts {
  readonly config: Config
  readonly store: Store
  /** The schemas of the configuration. */
  readonly schemas: Schemas
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  /** Whether the system can run with them. */
  readonly access: { readonly checkSchemas: (schemas: Schemas) => void }
}

/** The schemas to start with. */
export interface StartSchemas {
  readonly schemas: Schemas
  /** The revision of the store that they were read at; absent when the store is not asked. */
  readonly revision?: Revision
}

/**
 * Finds the schemas to start with. If the schemas in the store cannot be used, those of the configuration are used, because a wrong push
 * must not keep a system from starting.
 *
 * @throws {AvisoError} The store's error.
 */
export async function findSchemas({
  config,
  store,
  schemas,
  logger,
  access,
}: SchemasParts): Promise<StartSchemas> {
  const service = config.vars.schemaService
  if (service === undefined) return { schemas }
  try {
    const stored = await readSchemas({ store, service, compile: compilerOf(config) })
    if (stored.schemas !== undefined) access.checkSchemas(stored.schemas)
    if (stored.schemas === undefined)
      logger('warn', 'The store has no schema; the schema of the configuration is used', { service })
    return { schemas: stored.schemas ?? schemas, revision: stored.revision }
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    logger('error', 'The schema in the store cannot be used; the schema of the configuration is used', {
      service,
      reason: error.message,
    })
    const { revision } = await store.status()
    return { schemas, revision }
  }
}

/** Calls `onChange` for every later schema in the store, until `signal` aborts. It ends at once when the store is not asked. */
export async function keepSchemas(
  parts: SchemasParts,
  { revision }: StartSchemas,
  {
    onChange,
    signal,
  }: { readonly onChange: (schemas: Schemas) => Promise<void>; readonly signal: AbortSignal },
): Promise<void> {
  const service = parts.config.vars.schemaService
  if (service === undefined || revision === undefined) return
  const compile = compilerOf(parts.config)
  await followSchemas({ ...parts, service, compile }, revision, { onChange, signal })
}

/** Schemas in the store count only if all of `vars.runs` can be followed with them. */
function compilerOf({ vars }: Config): CompileSchemas {
  return (files) => createStoredSchemas(files, vars)
}
