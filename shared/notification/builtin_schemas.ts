/**
 * Schemas that come with the system: 1.x's default and the ECMWF one with MARS values.
 *
 * @module
 */

import ecmwf from './schemas/ecmwf.json' with { type: 'json' }
import flight from './schemas/flight.json' with { type: 'json' }
import { createSchemas, type Schemas } from './schema.ts'
import type { SchemaFile } from './schema_file.ts'

/** Name → content of a schema file. */
export const BUILTIN_SCHEMAS: ReadonlyMap<'flight' | 'ecmwf', unknown> = new Map<'flight' | 'ecmwf', unknown>(
  [
    ['flight', flight],
    ['ecmwf', ecmwf],
  ],
)

/** The event types of {@link BUILTIN_SCHEMAS}, and of further files where there are any. */
export function createBuiltinSchemas(...files: readonly SchemaFile[]): Schemas {
  return createSchemas([
    ...Array.from(BUILTIN_SCHEMAS, ([source, content]) => ({ source, content })),
    ...files,
  ])
}
