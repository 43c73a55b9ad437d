/**
 * Finds the notification schema among a service's files, as clients of 1.x do.
 *
 * @module
 */

import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { AvisoError } from '#shared/errors.ts'
import { createSchemas, type SchemaFile, type Schemas } from '#shared/notification/schema.ts'
import { toText } from '#shared/bytes/bytes.ts'

const SCHEMA_NAME = 'event_listener_schema.json'
/** File of the MARS language. Its values are added to those of the schema, as 1.x's parser `ecmwf` does. */
const LANGUAGE_NAME = 'language.json'

/** Whether a path is that of a file that contributes to the schema. */
export function isSchemaPath(path: string): boolean {
  return path.includes(SCHEMA_NAME) || path.includes(LANGUAGE_NAME)
}

/** Makes schemas of schema files. @throws {AvisoError} `ERR_CONFIG` for files that cannot be used. */
export type CompileSchemas = (files: readonly SchemaFile[]) => Schemas

/**
 * Compiles the schema from a service's files.
 *
 * @param files Path → content. Only the paths of {@link isSchemaPath} are used.
 * @param compile Default: nothing is added to what the files say.
 * @returns the schema; `undefined` when no file holds one
 * @throws {AvisoError} `ERR_CONFIG` when there are several schemas, or the schema cannot be used.
 */
export function schemasOfFiles(
  files: ReadonlyMap<string, Uint8Array>,
  compile: CompileSchemas = createSchemas,
): Schemas | undefined {
  const schema = single(files, SCHEMA_NAME)
  if (schema === undefined) return undefined
  const language = single(files, LANGUAGE_NAME)
  const content = parseJson(schema.path, schema.content)
  const complete =
    language === undefined ? content : addValues(content, parseJson(language.path, language.content))
  const file: SchemaFile = { source: schema.path, content: complete }
  return compile([file])
}

function single(
  files: ReadonlyMap<string, Uint8Array>,
  name: string,
): { readonly path: string; readonly content: Uint8Array } | undefined {
  const found = [...files].filter(([path]) => path.includes(name))
  if (found.length > 1)
    throw new AvisoError(
      'ERR_CONFIG',
      `There are several files called ${name}, and only one is allowed: ${found.map(([path]) => path).join(', ')}`,
    )
  const [first] = found
  return first === undefined ? undefined : { path: first[0], content: first[1] }
}

function parseJson(path: string, content: Uint8Array): unknown {
  try {
    return JSON.parse(toText(content))
  } catch (cause) {
    throw new AvisoError('ERR_CONFIG', `Schema ${path}: the file is not valid JSON`, { cause })
  }
}

/** Adds the language's values of a field, including all synonyms, to every enumeration of that name. */
function addValues(schema: unknown, language: unknown): unknown {
  const fields = membersOf(membersOf(language)['_field'])
  return mapMembers(schema, (event) => {
    if (!isJsonRecord(event) || !isJsonRecord(event['request'])) return event
    const request = mapMembers(event['request'], (types, name) => {
      const values = membersOf(fields[name])['values']
      if (!Array.isArray(types) || !Array.isArray(values)) return types
      return types.map((type: unknown) => {
        const options = membersOf(type)
        if (options['type'] !== 'EnumHandler') return type
        const own = Array.isArray(options['values']) ? (options['values'] as unknown[]) : []
        return { ...options, values: [...own, ...values.flat()] }
      })
    })
    return { ...event, request }
  })
}

function mapMembers(value: unknown, change: (member: unknown, name: string) => unknown): unknown {
  if (!isJsonRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, change(member, name)]))
}

function membersOf(value: unknown): JsonRecord {
  return isJsonRecord(value) ? value : {}
}
