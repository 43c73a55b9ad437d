/**
 * Reads the schemas that a configuration names: those that are shipped, and files.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import type { SchemaFile } from '#shared/notification/schema.ts'
import { parseSchemaText } from './schema_text.ts'

type ReadText = (path: string) => Promise<string>

/**
 * The contents of the configured schemas.
 *
 * @param names Each is the name of a shipped schema or the path of a file.
 * @throws {AvisoError} `ERR_CONFIG` for a file that cannot be read, or is neither JSON nor YAML.
 */
export async function readSchemaFiles(names: readonly string[], readText: ReadText): Promise<SchemaFile[]> {
  return Promise.all(
    names.map(async (name) => {
      const builtin = name === 'flight' || name === 'ecmwf' ? BUILTIN_SCHEMAS.get(name) : undefined
      return {
        source: name,
        content: builtin ?? (await parseSchemaText(name, await readSchemaText(name, readText))),
      }
    }),
  )
}

async function readSchemaText(path: string, readText: ReadText): Promise<string> {
  return readText(path).catch((cause: unknown) => {
    throw new AvisoError(
      'ERR_CONFIG',
      `Cannot read the schema file "${path}" (shipped schemas are ${[...BUILTIN_SCHEMAS.keys()].join(', ')})`,
      { cause },
    )
  })
}
