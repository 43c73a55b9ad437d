/**
 * Asks the service whether listeners name event types and fields that it knows, before they listen.
 *
 * @module
 */

import { call } from '#shared/client/call.ts'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import type { CommandContext } from './context.ts'
import { allowedText } from './faults.ts'
import type { ListenerDefinition } from './listener_file.ts'

/** A service that does not answer by then is waited for with open streams, as every listener does. */
const PATIENCE_MS = 5_000

/**
 * Compares listeners with the schema of the service. Where the service does not say it (it is down, or older), it judges itself later.
 *
 * @throws {ClientError} with a line for each event type and field that the service does not know.
 */
export async function judgeListeners(
  definitions: readonly ListenerDefinition[],
  context: CommandContext,
): Promise<void> {
  const schema = await schemaOf(context)
  if (schema === undefined) return
  const faults = definitions.flatMap((definition) => faultsOf(definition, schema))
  if (faults.length > 0) throw new ClientError(faults.join('\n'))
}

async function schemaOf(context: CommandContext): Promise<JsonRecord | undefined> {
  const { config, output } = context
  const timeoutMs = Math.min(config.timeoutMs ?? PATIENCE_MS, PATIENCE_MS)
  const request = { path: '/api/v1/schema', method: 'GET', attempts: 1, failure: 'Not judged' } as const
  try {
    const { schema } = await call({ ...context, config: { ...config, timeoutMs } }, request)
    return isJsonRecord(schema) && Object.keys(schema).length > 0 ? schema : undefined
  } catch (error) {
    output.log('DEBUG', messageOf(error))
    return undefined
  }
}

function faultsOf({ event, request, place }: ListenerDefinition, schema: JsonRecord): readonly string[] {
  const name = known(event, Object.keys(schema))
  if (name === undefined) {
    const allowed = allowedText(event, Object.keys(schema))
    return [`${place(['event'])}: the service has no event type ${event}${allowed}`]
  }
  const definition = schema[name]
  const identifier = isJsonRecord(definition) ? definition['identifier'] : undefined
  if (!isJsonRecord(identifier)) return []
  const fields = Object.keys(identifier)
  return Object.keys(request)
    .filter((field) => known(field, fields) === undefined)
    .map(
      (field) => `${place(['request', field])}: ${name} has no field ${field}${allowedText(field, fields)}`,
    )
}

/** The service decides about capital letters. */
function known(name: string, names: readonly string[]): string | undefined {
  return names.find((each) => each.toLowerCase() === name.toLowerCase())
}
