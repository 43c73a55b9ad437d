/**
 * Reads which runs a person means: `mars class=od date=today time=12`.
 *
 * @module
 */

import { call } from '#shared/client/call.ts'
import { ClientError, EXIT_USAGE, messageOf } from '#shared/client/client_error.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { parseDate } from '#shared/time/written_date.ts'
import { allowedText } from '../faults.ts'
import { fieldsOfWords } from '../listen_words.ts'
import type { Source } from './run_changes.ts'
import type { Asking } from './run_service.ts'
import { RUN_EVENT } from './run_view.ts'

/** The runs that are meant. */
export interface RunRequest {
  /** Event type of the products; absent: of every event type that has runs. */
  readonly event: string | undefined
  /** Field → accepted values. */
  readonly fields: Readonly<Record<string, readonly string[]>>
}

/** A request, and what the service says about its event type. */
export interface KnownRequest extends RunRequest {
  /** Field → type, such as `date`. Empty: the service did not say. */
  readonly types: Readonly<Record<string, string>>
  /** What the service follows runs of; `undefined`: it did not say. */
  readonly followed: Followed | undefined
}

/** What is said about runs in the schema of the service. */
export interface Followed {
  /** Event types whose runs are followed. Empty: none, because the services are not told to. */
  readonly events: readonly string[]
  /** Fields of notifications of runs. */
  readonly fields: readonly string[]
  /** Event type → fields that a stream of its runs must name, such as a destination. */
  readonly needed: Readonly<Record<string, readonly string[]>>
}

/** Their field with the event type of the products. */
export const EVENT_FIELD = 'event_type'
/** Their field that says how the run is. */
export const STATE_FIELD = 'state'

/** Words for a day that moves with the clock. */
const DAY_WORD = /^(?:now|today|yesterday|-\d{1,6}[smhdw])$/i
/** `12Z`, `12 UTC`. All times of runs are in UTC. */
const ZONE = /^(\d{1,2}(?::?\d{2})?) ?(?:z|utc)$/i

/** Whether a word is the id of a run: `mars:od,oper,0001,20260810,12`. */
export function isRunId(word: string): boolean {
  const [, event] = /^([\w.-]+):/.exec(word) ?? []
  return event !== undefined
}

/**
 * Reads `EVENT FIELD=VALUE…`. Fields are compared with the schema of the service, and dates such as `today` become days.
 *
 * @param attempts Most attempts to read the schema. A service that does not answer is asked for the runs, and judges then.
 * @throws {ClientError} with exit code 2 for an event type or a field that the service does not know.
 */
export async function readRunRequest(
  words: readonly string[],
  context: Asking,
  attempts: number,
): Promise<KnownRequest> {
  const [event, ...pairs] = words
  if (event?.includes('=') === true)
    throw usage(`${event} is no event type: name it first, as in mars ${event}`)
  const fields = fieldsOfWords(pairs, 'Behind the event type write')
  const schema = await schemaOf(context, attempts)
  if (schema === undefined)
    return { event, fields: withDays(fields, {}, context), types: {}, followed: undefined }
  const followed = followedIn(schema)
  if (event === undefined) return { event, fields, types: {}, followed }
  const name = nameIn(event, Object.keys(schema))
  if (name === undefined) {
    const offered = followed.events.length === 0 ? Object.keys(schema) : followed.events
    throw usage(`The service has no event type ${event}${allowedText(event, offered)}`)
  }
  const types = typesOf(schema[name])
  const known: Record<string, readonly string[]> = {}
  for (const [given, values] of Object.entries(fields)) {
    const field = nameIn(given, Object.keys(types))
    if (field === undefined) throw noFieldOfRun(name, given, { types, followed })
    known[field] = values
  }
  return { event: name, fields: withDays(known, types, context), types, followed }
}

/** The event types and the fields of runs, as the schema of the service has them. */
export function followedIn(schema: JsonRecord): Followed {
  const types = typesOf(schema[RUN_EVENT])
  const definition = schema[RUN_EVENT]
  const identifier = isJsonRecord(definition) ? definition['identifier'] : undefined
  const field = isJsonRecord(identifier) ? identifier[EVENT_FIELD] : undefined
  const values = isJsonRecord(field) ? field['values'] : undefined
  const events = Array.isArray(values) ? values.map(String) : []
  const required = requiredOf(definition).filter((name) => name !== EVENT_FIELD)
  // What the event type does not have, its runs need not name.
  const neededOf = (event: string): readonly string[] =>
    required.filter((name) => Object.hasOwn(typesOf(schema[event]), name))
  return {
    events,
    fields: Object.keys(types),
    needed: Object.fromEntries(events.map((event) => [event, neededOf(event)])),
  }
}

/** The fields that a stream must name, as the schema of an event type has them. */
export function requiredOf(definition: unknown): readonly string[] {
  const identifier = isJsonRecord(definition) ? definition['identifier'] : undefined
  return Object.entries(isJsonRecord(identifier) ? identifier : {})
    .filter(([, field]) => isJsonRecord(field) && field['required'] === true)
    .map(([name]) => name)
}

/**
 * What to listen to for news of these runs: a stream for each event type, because a stream of runs must name one. A field that notifications
 * of runs do not have is left out: a look follows in any case.
 */
export function runSources({ event, fields, followed }: KnownRequest): readonly Source[] {
  const known = Object.entries(fields).filter(([field]) => followed?.fields.includes(field) === true)
  const events = event === undefined ? (followed?.events ?? []) : [event]
  return events.map((each) => ({
    name: `runs of ${each}`,
    event: RUN_EVENT,
    request: { [EVENT_FIELD]: [each], ...Object.fromEntries(known) },
    lacks: (followed?.needed[each] ?? []).filter((field) => !Object.hasOwn(fields, field)),
  }))
}

/** The same for one run by its id, which begins with the event type. */
export function runSourcesOfId(id: string): readonly Source[] {
  const event = id.slice(0, id.indexOf(':'))
  return runSources({ event, fields: {}, types: {}, followed: undefined })
}

/** How services are told what a run is. */
export function howToFollow(event = 'mars'): string {
  const expectation = ['mars', 'dissemination'].includes(event) ? 'true' : '{ … }'
  return `The services follow runs when their configuration says what a run is:
  "vars": { "runs": { "${event}": ${expectation} } }
See services/runs/README.md`
}

/** The services are there, but have no runs. */
export function followsNone(event?: string): ClientError {
  return usage(`The services follow no runs. ${howToFollow(event)}`)
}

/** @throws {ClientError} with exit code 2 for a field that the event type does not have. */
export function requireField({ event = '', types }: KnownRequest, field: string): void {
  if (Object.keys(types).length > 0 && !Object.hasOwn(types, field)) throw unknownField(event, field, types)
}

/** Only fields that name a run are of use; the state is chosen by flags. */
function noFieldOfRun(
  event: string,
  field: string,
  { types, followed }: { readonly types: KnownRequest['types']; readonly followed: Followed },
): ClientError {
  const isState = field.toLowerCase() === STATE_FIELD
  if (isState)
    return usage(`${event} has no field ${field}. States are chosen by --state of runs, or --until of wait`)
  const ofRuns = Object.entries(types).filter(([name]) => followed.fields.includes(name))
  return unknownField(event, field, ofRuns.length === 0 ? types : Object.fromEntries(ofRuns))
}

function unknownField(event: string, field: string, types: KnownRequest['types']): ClientError {
  return usage(`${event} has no field ${field}${allowedText(field, Object.keys(types))}`)
}

async function schemaOf(context: Asking, attempts: number): Promise<JsonRecord | undefined> {
  try {
    const { schema } = await call(context, {
      path: '/api/v1/schema',
      method: 'GET',
      attempts,
      failure: 'Not able to read the schema',
    })
    return isJsonRecord(schema) && Object.keys(schema).length > 0 ? schema : undefined
  } catch (error) {
    context.output.log('DEBUG', messageOf(error))
    return undefined
  }
}

/** The service decides about capital letters. */
function nameIn(word: string, names: readonly string[]): string | undefined {
  return names.find((name) => name.toLowerCase() === word.toLowerCase())
}

/** `DateHandler` of 1.x is `date`. */
function typesOf(definition: unknown): Readonly<Record<string, string>> {
  const identifier = isJsonRecord(definition) ? definition['identifier'] : undefined
  if (!isJsonRecord(identifier)) return {}
  return Object.fromEntries(
    Object.entries(identifier).map(([name, field]) => [
      name,
      String(isJsonRecord(field) ? field['type'] : '')
        .replace(/Handler$/, '')
        .toLowerCase(),
    ]),
  )
}

/** Turns `today` of a date into a day, and `12Z` of a time into `12`. Everything else goes as it is written: the service reads it. */
function withDays(
  fields: RunRequest['fields'],
  types: KnownRequest['types'],
  { clock }: Asking,
): RunRequest['fields'] {
  return Object.fromEntries(
    Object.entries(fields).map(([field, values]) => {
      const type = types[field] ?? field
      if (type === 'date') return [field, values.map((value) => dayOf(value, clock.now()))]
      return [field, type === 'time' ? values.map((value) => value.replace(ZONE, '$1')) : values]
    }),
  )
}

/** `20260810` */
function dayOf(value: string, now: number): string {
  const at = DAY_WORD.test(value) ? parseDate(value, now) : undefined
  return at === undefined ? value : new Date(at).toISOString().slice(0, 10).replaceAll('-', '')
}

/** A mistake in the command line. */
export function usage(message: string): ClientError {
  return new ClientError(message, { exitCode: EXIT_USAGE })
}
