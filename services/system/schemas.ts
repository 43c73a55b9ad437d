/**
 * The schemas of a system: those of its configuration, or those that the files of a service in the store hold, followed while it runs.
 *
 * @module
 */

import type { Config } from './settings.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { followSchemas, readSchemas } from '#shared/service_files/follow_schemas.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'

/** What finding them takes. */
export interface SchemasParts {
  readonly config: Config
  readonly store: Store
  /** Those of the configuration. */
  readonly schemas: Schemas
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
}

/** The schemas to start with. */
export interface StartSchemas {
  readonly schemas: Schemas
  /** What the store held up to this revision is in them; absent where the store is not asked. */
  readonly revision?: Revision
}

/**
 * The schemas to start with. Where the store's cannot be used, those of the configuration serve: a wrong push must not keep a system from
 * starting.
 *
 * @throws {AvisoError} What the store throws.
 */
export async function findSchemas({ config, store, schemas, logger }: SchemasParts): Promise<StartSchemas> {
  const service = config.vars.schemaService
  if (service === undefined) return { schemas }
  try {
    const stored = await readSchemas({ store, service })
    if (stored.schemas === undefined)
      logger('warn', 'The store has no schema: that of the configuration is used', { service })
    return { schemas: stored.schemas ?? schemas, revision: stored.revision }
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    logger('error', 'The schema in the store cannot be used: that of the configuration is', {
      service,
      reason: error.message,
    })
    const { revision } = await store.status()
    return { schemas, revision }
  }
}

/** Calls `onChange` for every later schema of the store; ends at once where the store is not asked, else when `signal` aborts. */
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
  await followSchemas({ ...parts, service }, revision, { onChange, signal })
}
