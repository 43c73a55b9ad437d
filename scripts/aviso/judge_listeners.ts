/**
 * Asks the service whether listeners name event types, fields and values that it knows, before they listen.
 *
 * @module
 */

import { call } from '#shared/client/call.ts'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import type { CommandContext } from './context.ts'
import { allowedText } from './faults.ts'
import { EVENT_FIELD, followedIn, requiredOf, STATE_FIELD } from './runs/run_request.ts'
import { RUN_EVENT } from './runs/run_view.ts'
import { doubtsOf, refusedValues, type Doubt } from './judge_values.ts'
import { ListenerFaults, type ListenerDefinition } from './listener_file.ts'

/** A service that does not answer by then is waited for with open streams, as every listener does. */
const PATIENCE_MS = 5_000

const SAID_BY_WHEN: readonly string[] = [EVENT_FIELD, STATE_FIELD]

/** What payloads are called, whatever the service says: schemas of the client's own can name them, too. */
const PAYLOAD_NAMES = ['payload', 'location'] as const

/**
 * Compares listeners with the schema of the service. Where the service does not say it (it is down, or older), it judges itself later.
 *
 * @throws {ClientError} with a line for each event type, field and value that the service does not know, in requests and in commands.
 */
export async function judgeListeners(
  definitions: readonly ListenerDefinition[],
  context: CommandContext,
): Promise<void> {
  const patient = withPatience(context)
  const schema = await schemaOf(patient)
  if (schema === undefined) return
  const doubts = definitions.map((definition) => doubtsIn(definition, schema))
  const refused = await refusedValues(doubts.flat(), patient)
  const faults = definitions.flatMap((definition, index) => [
    ...faultsOf(definition, schema),
    ...(doubts[index] ?? []).flatMap((doubt) => refused.get(doubt) ?? []),
  ])
  if (faults.length > 0) throw new ClientError(faults.join('\n'))
}

/** The faults of files, and behind them what the service says of the listeners that are right so far. */
export async function withFaultsOfService(error: unknown, context: CommandContext): Promise<unknown> {
  if (!(error instanceof ListenerFaults)) return error
  try {
    await judgeListeners(error.sound, context)
    return error
  } catch (found) {
    return found instanceof ClientError ? new ClientError(`${error.message}\n${found.message}`) : error
  }
}

function withPatience(context: CommandContext): CommandContext {
  const { config } = context
  return {
    ...context,
    config: { ...config, timeoutMs: Math.min(config.timeoutMs ?? PATIENCE_MS, PATIENCE_MS) },
  }
}

async function schemaOf(context: CommandContext): Promise<JsonRecord | undefined> {
  const { output } = context
  const request = { path: '/api/v1/schema', method: 'GET', attempts: 1, failure: 'Not judged' } as const
  try {
    const { schema } = await call(context, request)
    return isJsonRecord(schema) && Object.keys(schema).length > 0 ? schema : undefined
  } catch (error) {
    output.log('DEBUG', messageOf(error))
    return undefined
  }
}

/** Values that may be wrong. What `when` says is right. */
function doubtsIn(listener: ListenerDefinition, schema: JsonRecord): readonly Doubt[] {
  const identifier = identifierOf(schema, known(listener.event, Object.keys(schema)))
  if (identifier === undefined) return []
  return doubtsOf(listener, identifier, listener.isOfRuns === true ? SAID_BY_WHEN : [])
}

function identifierOf(schema: JsonRecord, event: string | undefined): JsonRecord | undefined {
  const definition = event === undefined ? undefined : schema[event]
  const identifier = isJsonRecord(definition) ? definition['identifier'] : undefined
  return isJsonRecord(identifier) ? identifier : undefined
}

function faultsOf(listener: ListenerDefinition, schema: JsonRecord): readonly string[] {
  const { event, request, place } = listener
  const faultOfRuns = listener.isOfRuns === true ? faultOfFollowing(listener, schema) : undefined
  if (faultOfRuns !== undefined) return [faultOfRuns]
  const name = known(event, Object.keys(schema))
  if (name === undefined) {
    const allowed = allowedText(event, Object.keys(schema))
    return [`${place(['event'])}: the service has no event type ${event}${allowed}`]
  }
  const identifier = identifierOf(schema, name)
  if (identifier === undefined) return []
  const fields = Object.keys(identifier)
  // What a listener for runs may name besides, its file says in other words.
  const own = listener.isOfRuns === true ? fields.filter((field) => !SAID_BY_WHEN.includes(field)) : fields
  const what = listener.isOfRuns === true ? 'a run' : name
  const unknown = Object.keys(request)
    .filter((field) => known(field, fields) === undefined)
    .map((field) => `${place(['request', field])}: ${what} has no field ${field}${allowedText(field, own)}`)
  return [
    ...unknown,
    ...faultsOfMissing(listener, name, schema),
    ...faultsOfTriggers(listener, { name, fields, payload: payloadNameIn(schema[name]) }),
  ]
}

/** What a stream must name. Which of its other fields one of runs needs depends on the event type that it names. */
function faultsOfMissing(
  { request, place }: ListenerDefinition,
  name: string,
  schema: JsonRecord,
): readonly string[] {
  const given = Object.keys(request)
  // It stands for the field of a shape, whatever that is called: the service judges it.
  if (known('point', given) !== undefined) return []
  const { events, needed } = followedIn(schema)
  const named = name === RUN_EVENT ? request[EVENT_FIELD] : undefined
  const ofRuns = [EVENT_FIELD, ...(named ?? []).flatMap((event) => needed[known(event, events) ?? ''] ?? [])]
  const required = requiredOf(schema[name]).filter((field) => name !== RUN_EVENT || ofRuns.includes(field))
  return required
    .filter((field) => known(field, given) === undefined)
    .map((field) => {
      const values = field === EVENT_FIELD && name === RUN_EVENT ? `: one of ${events.join(', ')}` : ''
      return `${place(['request'])}: a listener to ${name} must name ${field}${values}`
    })
}

/** @returns why the service has no runs of a listener's event type. */
function faultOfFollowing({ request, place }: ListenerDefinition, schema: JsonRecord): string | undefined {
  const { events } = followedIn(schema)
  const [event = ''] = request[EVENT_FIELD] ?? []
  if (known(event, events) !== undefined) return undefined
  if (known(event, Object.keys(schema)) === undefined)
    return `${place(['event'])}: the service has no event type ${event}${allowedText(event, Object.keys(schema))}`
  const those = events.length === 0 ? 'no runs' : `runs of ${events.join(', ')} only`
  return `${place(['when'])}: the service follows ${those}. An operator sets vars.runs.${event} in its configuration`
}

interface EventType {
  readonly name: string
  readonly fields: readonly string[]
  readonly payload: string | undefined
}

/** A command that asks for what no notification has would fail at the first one. */
function faultsOfTriggers(
  { triggers, place, isOfRuns }: ListenerDefinition,
  type: EventType,
): readonly string[] {
  const payloads = [...PAYLOAD_NAMES, ...(type.payload === undefined ? [] : [type.payload])]
  const allowed = [
    'event',
    'request',
    ...type.fields.map((field) => `request.${field}`),
    'json',
    'jsonpath',
    ...(isOfRuns === true ? ['runpath'] : []),
  ]
  return triggers.flatMap(({ names = [] }, index) =>
    names
      .filter((name) => !allowed.includes(name) && !payloads.includes(name.split('.', 1)[0] ?? ''))
      .map((name) => {
        const text = allowedText(name, [...allowed, type.payload ?? PAYLOAD_NAMES[0]])
        return `${place(['triggers', index, 'command'])}: no notification of ${type.name} has \${${name}}${text}`
      }),
  )
}

function payloadNameIn(definition: unknown): string | undefined {
  const payload = isJsonRecord(definition) ? definition['payload'] : undefined
  const name = isJsonRecord(payload) ? payload['name'] : undefined
  return typeof name === 'string' ? name : undefined
}

/** The service decides about capital letters. */
function known(name: string, names: readonly string[]): string | undefined {
  return names.find((each) => each.toLowerCase() === name.toLowerCase())
}
