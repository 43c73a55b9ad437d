/**
 * Reads the schema from a service's files in the store, and follows its changes.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { followStore } from '#shared/hub/source/follow.ts'
import { serviceRange } from './layout.ts'
import { listService, readFile } from './read_service.ts'
import { isSchemaPath, schemasOfFiles, type CompileSchemas } from './schema_files.ts'

/**
 * Wait before files are read after a change. A push of many files takes several transactions, so the files are complete only after a while.
 */
const SETTLE_MS = 1_000
/** Wait before all files are read again when the watch has failed. */
const RESTART_MS = 1_000

/** The service whose schema is read, and what reading needs. */
export interface SchemaSource {
  readonly store: Store
  /** e.g. `aviso/v1` */
  readonly service: string
  /** Default: nothing is added to what the files say. */
  readonly compile?: CompileSchemas | undefined
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
}

/** The schemas in the store at a revision. */
export interface StoredSchemas {
  /** `undefined`: the service has no schema. */
  readonly schemas: Schemas | undefined
  readonly revision: Revision
}

/**
 * Reads the schema of a service.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a schema that cannot be used, and what the store throws.
 */
export async function readSchemas({
  store,
  service,
  compile,
}: Pick<SchemaSource, 'store' | 'service' | 'compile'>): Promise<StoredSchemas> {
  const { files, revision } = await listService(store, service)
  const contents = new Map<string, Uint8Array>()
  for (const path of [...files.keys()].filter(isSchemaPath)) {
    const kv = await readFile(store, { service, path, at: revision })
    if (kv !== undefined) contents.set(path, kv.value)
  }
  return { schemas: schemasOfFiles(contents, compile), revision }
}

/**
 * Calls `onChange` for every usable schema after a revision. A schema that cannot be used is logged, and the last usable one stays. Ends
 * when `signal` aborts.
 */
export async function followSchemas(
  source: SchemaSource,
  from: Revision,
  {
    onChange,
    signal,
  }: { readonly onChange: (schemas: Schemas) => Promise<void>; readonly signal: AbortSignal },
): Promise<void> {
  const { store, service, clock, logger } = source
  const range = serviceRange(service)
  let next = from + 1n
  while (!signal.aborted) {
    try {
      for await (const message of followStore({ ...source, range, from: next, signal })) {
        if (message.kind !== 'revision' || message.revision < next) continue
        await clock.sleep(SETTLE_MS, signal)
        if (signal.aborted) return
        next = (await change(source, onChange)) ?? message.revision + 1n
      }
    } catch (error) {
      logger('warn', 'The watch of the configuration in the store failed: reading it again', {
        service,
        code: codeOf(error),
      })
      await clock.sleep(RESTART_MS, signal)
      const { revision } = await store.status({ signal }).catch(() => ({ revision: next - 1n }))
      next = (await change(source, onChange)) ?? revision + 1n
    }
  }
}

/** @returns the first revision that was not looked at yet; `undefined` when the schema could not be read */
async function change(
  source: SchemaSource,
  onChange: (schemas: Schemas) => Promise<void>,
): Promise<Revision | undefined> {
  const { logger, service } = source
  try {
    const { schemas, revision } = await readSchemas(source)
    if (schemas === undefined)
      logger('warn', 'The store has no schema any more: the last one stays in use', { service })
    else await onChange(schemas)
    return revision + 1n
  } catch (error) {
    const reason = isAvisoError(error) ? error.message : 'unknown'
    logger('error', 'A schema in the store cannot be used: the last one stays in use', {
      service,
      code: codeOf(error),
      reason,
    })
    return undefined
  }
}

function codeOf(error: unknown): string {
  return isAvisoError(error) ? error.code : 'ERR_INTERNAL'
}
