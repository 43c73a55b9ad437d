/**
 * All event types of a system: from events to their schemas, and from store keys to notifications.
 *
 * Flow: ingest → **schema** → store → **schema** → hub → listener
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

import { createEventReader2, createEventSchema2 } from './aviso2/event_schema.ts'
import {
  createGenericSchema,
  genericBaseOf,
  genericRoot,
  GENERIC_ROOT,
  readGenericKey,
} from './aviso2/generic.ts'
import { isSchema2, parseSchemaFile2, ROOT_2, type EventDefinition2 } from './aviso2/schema_file.ts'
import { createEventReader, createEventSchema, type EventReader, type EventSchema } from './event_schema.ts'
import { showValue } from './fields.ts'
import { formatsOverlap, type KeyFormat } from './key_format.ts'
import type { NotificationRequest } from './notification.ts'
import { failureOf, parseSchemaFile, type EventDefinition, type SchemaFile } from './schema_file.ts'

export type { EventSchema, SchemaFile }

/** What a notification key says. */
export interface DecodedKey {
  readonly event: string
  readonly request: NotificationRequest
}

/** The event types of one or more schema files. */
export interface Schemas {
  readonly events: readonly string[]
  /** Whether event types without a schema are accepted, too. They are not among `events`. */
  readonly isPermissive: boolean
  /** Literal prefixes, each ending in a slash, that together cover all notification and status keys; none covers another. */
  readonly roots: readonly string[]
  /** The literal prefix of all notification and status keys of an event type. */
  rootOf(event: string): string | undefined
  get(event: string): EventSchema | undefined
  /** @throws {AvisoError} `ERR_UNKNOWN_EVENT` (`details.event`). */
  require(event: string): EventSchema
  /**
   * Event type and request of a notification key; `undefined` for status, admin and unknown keys. Keys that other writers stored with
   * slashes in their fields are read too, as 1.x does, except in the fields of the base, which decide who may see them.
   */
  decodeKey(key: string): DecodedKey | undefined
  /** The event type whose status key this is. */
  baseOf(key: string): string | undefined
}

/** An event type of either generation. */
type Definition = EventDefinition | EventDefinition2

/**
 * Compiles and combines schema files of both generations, which their content tells apart. Each event type keeps its file's payload name.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a malformed file, an event type defined twice, and keys that two event types could both write.
 */
export function createSchemas(files: readonly SchemaFile[]): Schemas {
  const definitions: Definition[] = []
  let isPermissive = false
  for (const file of files) {
    if (!isSchema2(file.content)) {
      definitions.push(...parseSchemaFile(file))
      continue
    }
    const schema = parseSchemaFile2(file)
    definitions.push(...schema.definitions)
    isPermissive ||= !schema.isStrict
  }
  checkUnique(definitions)
  checkBases(definitions)
  checkKeysDistinct(definitions)
  const schemas = new Map(definitions.map((definition) => [definition.event, schemaOf(definition)]))
  // The most specific root first: it decides where a key with slashes in its fields could be read in two ways.
  const readers = definitions
    .map((definition) => readerOf(definition))
    .toSorted((a, b) => b.root.length - a.root.length)

  function baseOf(key: string): string | undefined {
    if (!key.endsWith('/')) return undefined
    const event = readers.find((reader) => reader.isBase(key))?.event
    return event === undefined && isGeneric(key) ? genericBaseOf(key) : event
  }

  function isGeneric(key: string): boolean {
    return isPermissive && key.startsWith(GENERIC_ROOT)
  }

  function get(event: string): EventSchema | undefined {
    const schema = schemas.get(event)
    return schema === undefined && isPermissive ? createGenericSchema(event) : schema
  }

  return {
    events: [...schemas.keys()],
    isPermissive,
    roots: shortestPrefixes([
      ...readers.map((reader) => reader.root),
      ...(isPermissive ? [GENERIC_ROOT] : []),
    ]),
    rootOf: (event) => {
      const root = readers.find((reader) => reader.event === event)?.root
      return root === undefined && get(event) !== undefined ? genericRoot(event) : root
    },
    get,
    require(event) {
      const schema = get(event)
      if (schema !== undefined) return schema
      const shown = showValue(event)
      throw new AvisoError(
        'ERR_UNKNOWN_EVENT',
        `Invalid notification, ${shown} could not be located in the schema`,
        {
          details: { event: shown },
        },
      )
    },
    decodeKey(key) {
      if (isGeneric(key)) return readGenericKey(key)
      const decoded = readFirst(readers, key, false)
      if (decoded !== undefined) return decoded
      if (baseOf(key) !== undefined || readers.some((reader) => reader.isAdmin(key))) return undefined
      return readFirst(readers, key, true)
    },
    baseOf,
  }
}

function schemaOf(definition: Definition): EventSchema {
  return definition.generation === 1 ? createEventSchema(definition) : createEventSchema2(definition)
}

function readerOf(definition: Definition): EventReader {
  return definition.generation === 1 ? createEventReader(definition) : createEventReader2(definition)
}

function readFirst(
  readers: readonly EventReader[],
  key: string,
  allowSlashes: boolean,
): DecodedKey | undefined {
  for (const reader of readers) {
    if (!key.startsWith(reader.root)) continue
    const request = reader.read(key, allowSlashes)
    if (request !== undefined) return { event: reader.event, request }
  }
  return undefined
}

function checkUnique(definitions: readonly Definition[]): void {
  const seen = new Map<string, string>()
  for (const { event, source } of definitions) {
    const other = seen.get(event)
    if (other !== undefined) throw failureOf(source)(event, `This event type is already defined in ${other}`)
    seen.set(event, source)
  }
}

/** Operators name a 2.x stream by its base in any case, so two that differ only by case cannot be told apart. */
function checkBases(definitions: readonly Definition[]): void {
  const seen = new Map<string, Definition>()
  for (const definition of definitions) {
    if (definition.generation === 1) continue
    const { source, event, root } = definition
    const other = seen.get(root.toLowerCase())
    if (other !== undefined) {
      const bases = [other.root, root].map((text) => `"${text.slice(ROOT_2.length, -1)}"`)
      const reason = `The bases ${bases.join(' and ')} of ${other.event} and ${event} are the same, give each event type its own`
      throw failureOf(source)(`notification_schema.${event}.topic.base`, reason)
    }
    seen.set(root.toLowerCase(), definition)
  }
}

interface OwnedFormat {
  readonly definition: Definition
  readonly role: 'notification' | 'status' | 'admin'
  readonly format: KeyFormat
}

/** Every key must tell what it is: the notification or the status of one event type, or neither. */
function checkKeysDistinct(definitions: readonly Definition[]): void {
  const formats = definitions.flatMap((definition): OwnedFormat[] => [
    { definition, role: 'notification', format: definition.key },
    { definition, role: 'status', format: definition.base },
    ...(definition.admin === undefined
      ? []
      : [{ definition, role: 'admin' as const, format: definition.admin }]),
  ])
  for (const [index, one] of formats.entries()) {
    for (const other of formats.slice(index + 1)) {
      // Two event types may share an admin key: it only says that there was something.
      if (one.role === 'admin' && other.role === 'admin') continue
      if (!formatsOverlap(one.format, other.format)) continue
      const { source, event } = other.definition
      const reason = `Its ${other.role} keys could be ${one.role} keys of ${one.definition.event}, give them different prefixes`
      throw failureOf(source)(`${event}.endpoint`, reason)
    }
  }
}

function shortestPrefixes(prefixes: readonly string[]): readonly string[] {
  const sorted = [...new Set(prefixes)].toSorted((a, b) => a.length - b.length)
  return sorted.filter(
    (prefix, index) => !sorted.slice(0, index).some((shorter) => prefix.startsWith(shorter)),
  )
}
