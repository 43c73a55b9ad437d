/**
 * What `vars.runs` adds to a system besides the service of runs: the event type `run`, and who may see which of its notifications.
 *
 * @module
 */

import type { Config } from './settings.ts'
import { runFieldsOf } from '#services/runs/run_fields.ts'
import { createRunSchema, refuseOwnRuns, RUN_EVENT } from '#services/runs/run_schema.ts'
import type { Following } from '#shared/access/policy/following.ts'
import { createSchemas, type SchemaFile, type Schemas } from '#shared/notification/schema.ts'

type Vars = Pick<Config['vars'], 'runs'>

/**
 * The event types of schema files, and `run` where runs are configured.
 *
 * @throws {AvisoError} `ERR_CONFIG` as {@link createSchemas}, and where a file has an event type `run` too.
 */
export function createConfiguredSchemas(files: readonly SchemaFile[], { runs }: Vars): Schemas {
  const schemas = createSchemas(files)
  if (runs === undefined) return schemas
  refuseOwnRuns(schemas)
  const { file, following } = createRunSchema(schemas, runFieldsOf(runs))
  return following.roots.length === 0 ? schemas : createSchemas([...files, file])
}

/** Whose rights the notifications of runs follow; `undefined` where there are none. */
export function followingOf(schemas: Schemas, { runs }: Vars): Following | undefined {
  return runs === undefined ? undefined : createRunSchema(schemas, runFieldsOf(runs)).following
}

/** Event types that no provider may publish, each with the reason. */
export function reservedEvents({ runs }: Vars): ReadonlyMap<string, string> {
  if (runs === undefined) return new Map()
  return new Map([
    [
      RUN_EVENT,
      `The event type "${RUN_EVENT}" is published by this service alone, from the notifications of the products`,
    ],
  ])
}
