/**
 * The command `aviso schema`: prints the event types that the service knows, or the fields of one.
 *
 * @module
 */

import { call } from '#shared/client/call.ts'
import { ClientError } from '#shared/client/client_error.ts'
import { closest } from '#shared/closest.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { printAnswer } from './answer.ts'
import type { CommandContext } from './context.ts'
import { tableText } from './table.ts'

/** Few attempts, so that a read ends before its user loses patience. */
const ATTEMPTS = 4
/** Longest list of values in a table; the rest is counted. `--json` has all. */
const MAX_VALUES_CHARACTERS = 60

/**
 * Prints the schema of one event type, or all event types with their fields.
 *
 * @throws {ClientError} for an event type that the service does not know.
 */
export async function printSchema(event: string | undefined, context: CommandContext): Promise<void> {
  const { schema } = await call(context, {
    path: '/api/v1/schema',
    method: 'GET',
    attempts: ATTEMPTS,
    failure: 'Not able to read the schema',
  })
  if (!isJsonRecord(schema)) throw new ClientError('The service answered without a schema')
  if (event === undefined) return printAnswer({ text: eventsText(schema), json: schema }, context)
  const definition = schema[event]
  if (!isJsonRecord(definition)) throw unknownEvent(event, Object.keys(schema))
  printAnswer({ text: fieldsText(definition), json: definition }, context)
}

function unknownEvent(event: string, known: readonly string[]): ClientError {
  const meant = closest(event, known)
  const hint = meant === undefined ? '' : `. Did you mean ${meant}?`
  return new ClientError(`The service has no event type ${event}; it has ${known.join(', ')}${hint}`)
}

function eventsText(schema: JsonRecord): string {
  const rows = Object.entries(schema).map(([event, definition]) => [
    event,
    Object.keys(partOf(definition, 'identifier')).join(', '),
    payloadText(definition),
  ])
  return tableText(['event', 'fields', 'payload'], rows)
}

function fieldsText(definition: JsonRecord): string {
  const fields = Object.entries(partOf(definition, 'identifier')).map(([name, field]) => {
    const { type, required, values, range } = isJsonRecord(field) ? field : {}
    const allowed = Array.isArray(values)
      ? valuesText(values)
      : Array.isArray(range)
        ? range.join(' to ')
        : ''
    return [
      name,
      String(type)
        .replace(/Handler$/, '')
        .toLowerCase(),
      required === true ? 'yes' : '',
      allowed,
    ]
  })
  return `${tableText(['field', 'type', 'required', 'values'], fields)}\n\n${tableText(['payload'], [[payloadText(definition)]])}`
}

function payloadText(definition: unknown): string {
  const { name, required } = partOf(definition, 'payload')
  return typeof name === 'string' ? `${name}${required === true ? ' (required)' : ''}` : ''
}

function valuesText(values: readonly unknown[]): string {
  const shown: string[] = []
  let characters = 0
  for (const value of values) {
    characters += String(value).length + 2
    if (characters > MAX_VALUES_CHARACTERS)
      return `${shown.join(', ')} and ${values.length - shown.length} more`
    shown.push(String(value))
  }
  return shown.join(', ')
}

function partOf(record: unknown, name: string): JsonRecord {
  const value = isJsonRecord(record) ? record[name] : undefined
  return isJsonRecord(value) ? value : {}
}
