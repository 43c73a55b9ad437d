/**
 * Reads a listener's request from a 2.x body or from a query string.
 *
 * @module
 */

import { DATE_FORMS, parseDate } from '#shared/time/written_date.ts'
import { AvisoError } from '#shared/errors.ts'
import { isJsonObject, parseStrictJson, type JsonObject, type JsonValue } from '#shared/json/strict_json.ts'

/** A watch goes on with live notifications; a replay ends where history ends. */
export type ListenMode = 'watch' | 'replay'

/** What a listener wants of a field: one value, any of several values, or an object with one comparison. */
export type FieldQuery = string | number | boolean | bigint | readonly JsonValue[] | JsonObject
export type FieldScalar = string | number | boolean | bigint

/** A place in history as the client gave it. */
export type Place =
  /** The notification with this number. */
  | { readonly kind: 'sequence'; readonly sequence: bigint }
  /** A time, in milliseconds since the epoch. */
  | { readonly kind: 'date'; readonly at: number; readonly text: string }

/** The start of a stream, inclusive. */
export type StartRequest =
  | { readonly kind: 'live' }
  /** Everything after a position that this service gave out. */
  | { readonly kind: 'cursor'; readonly text: string }
  | Place

/** A listener's request. */
export interface ListenRequest {
  readonly event: string
  readonly identifier: Readonly<Record<string, FieldQuery>>
  readonly start: StartRequest
  /** Whether notifications go to a browser's `onmessage`, without a name of their own. Default: they have one. */
  readonly asMessages?: boolean
  /** Last place of a replay, inclusive; absent: the last notification in the store when the request comes. */
  readonly end?: Place
}

/** Depth of `{"identifier":{"polygon":{"coordinates":[[[[0,0]]]]}}}`, and room for an ignored payload. A polygon has up to 10,000 points. */
const JSON_LIMITS = { maxDepth: 8, maxNames: 64, maxArray: 10_000 }
const BODY_FIELDS = ['event_type', 'identifier', 'from_id', 'from_date', 'to_id', 'to_date', 'payload']
/** Query parameters that are not fields of the event. `ticket` was read with the credentials. */
const QUERY_CONTROLS: ReadonlySet<string> = new Set([
  'event',
  'from_id',
  'from_date',
  'from',
  'events',
  'ticket',
])
/** The number in an id that an acknowledgement or an event has, such as `flight@5`. */
const ID = /^([^@/]{1,64})@(\d{1,20})$/
const MAX_QUERY_VALUES = 256
/** What listeners of event types with a geometry ask for, in 2.x. */
const PLACES: ReadonlySet<string> = new Set(['polygon', 'point'])
const MAX_SEQUENCE = 2n ** 64n - 1n

/**
 * Reads the body of `POST /api/v1/watch` and `/api/v1/replay`.
 *
 * @param now Milliseconds since 1970, for dates such as `-3h`.
 * @throws {AvisoError} `ERR_INVALID_JSON`, `ERR_BAD_REQUEST` (`details.field`; `details.wire_code` for a wrong shape).
 */
export function parseListenBody(bytes: Uint8Array, now: number): ListenRequest {
  const body = parseStrictJson(bytes, JSON_LIMITS)
  if (!isJsonObject(body)) throw wrongShape('The body must be a JSON object')
  const unknown = Object.keys(body).find((name) => !BODY_FIELDS.includes(name))
  if (unknown !== undefined) {
    const message = `Unknown field '${clip(unknown)}'; allowed are ${BODY_FIELDS.join(', ')}`
    throw refuse(message, unknown, 'UNKNOWN_FIELD')
  }
  const event = body['event_type']
  if (typeof event !== 'string') throw wrongShape("Field 'event_type' must be a string", 'event_type')
  const { identifier } = body
  if (!isJsonObject(identifier))
    throw wrongShape("Field 'identifier' must be an object; {} asks for everything", 'identifier')
  const readEnd = (side: 'from' | 'to'): Place | undefined =>
    placeOf({ side, event, now }, optionalText(body, `${side}_id`), optionalText(body, `${side}_date`))
  const start = readEnd('from')
  const end = readEnd('to')
  return {
    event,
    identifier: Object.fromEntries(
      Object.entries(identifier).map(([name, value]) => [name, fieldQuery(name, value)]),
    ),
    start: start ?? { kind: 'live' },
    ...(end !== undefined && { end }),
  }
}

/**
 * Reads the query of `GET /api/v1/watch`. A parameter given several times accepts any of its values.
 *
 * @param lastEventId - The position that a browser sends when it connects again. It overrides the start in the address, which the browser
 *   repeats.
 * @param now Milliseconds since 1970, for dates such as `-3h`.
 * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`).
 */
export function parseListenQuery(
  query: URLSearchParams,
  lastEventId: string | null,
  now: number,
): ListenRequest {
  if (query.size > MAX_QUERY_VALUES) throw refuse(`At most ${MAX_QUERY_VALUES} query parameters are accepted`)
  const control = (name: string): string | undefined => {
    const values = query.getAll(name)
    if (values.length > 1) throw refuse(`Query parameter '${name}' must be given once`, name)
    return values[0]
  }
  const event = control('event')
  if (event === undefined) throw refuse("Query parameter 'event' is missing", 'event')
  const fields = [...new Set(query.keys())].filter((name) => !QUERY_CONTROLS.has(name))
  const identifier = Object.fromEntries(
    fields.map((name) => {
      const values = query.getAll(name)
      return [name, values.length === 1 && values[0] !== undefined ? values[0] : values]
    }),
  )
  const place = placeOf({ side: 'from', event, now }, control('from_id'), control('from_date'))
  const cursor = control('from')
  if (place !== undefined && cursor !== undefined) {
    throw refuse('A stream has one start: give from, from_id or from_date', 'from')
  }
  const last = lastEventId === null || lastEventId === '' ? undefined : lastEventId
  const start = last ?? cursor
  return {
    event,
    identifier,
    start:
      start === undefined
        ? (place ?? { kind: 'live' })
        : startAfter(start, event, last === undefined ? 'from' : 'Last-Event-ID'),
    ...(areMessages(control('events')) && { asMessages: true }),
  }
}

/** What comes after an event that the client has: its cursor, or its id. */
function startAfter(text: string, event: string, name: string): StartRequest {
  if (!ID.test(text)) return { kind: 'cursor', text }
  return { kind: 'sequence', sequence: parseSequence(name, text, event) + 1n }
}

/** @throws {AvisoError} `ERR_BAD_REQUEST` for another value than `message`. */
function areMessages(events: string | undefined): boolean {
  if (events === undefined || events === 'message') return events !== undefined
  throw refuse(
    "Query parameter 'events' can be message: notifications then have no name of their own, as onmessage expects",
    'events',
  )
}

/** Which end of a stream a place is, of which event type, and the time for dates such as `-3h`. */
interface PlaceContext {
  readonly side: 'from' | 'to'
  readonly event: string
  readonly now: number
}

function placeOf(
  { side, event, now }: PlaceContext,
  id: string | undefined,
  date: string | undefined,
): Place | undefined {
  if (id !== undefined && date !== undefined) {
    throw refuse(
      `Cannot specify both ${side}_id and ${side}_date: a stream has one start and one end`,
      `${side}_date`,
    )
  }
  if (id !== undefined) return { kind: 'sequence', sequence: parseSequence(`${side}_id`, id, event) }
  return date === undefined
    ? undefined
    : { kind: 'date', at: readDate(date, `${side}_date`, now), text: date }
}

/**
 * Checks that start and end fit the kind of stream: a replay needs a start, and only a replay may have an end.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`).
 */
export function checkSpan(mode: ListenMode, { start, end }: ListenRequest): void {
  if (mode === 'replay' && start.kind === 'live') {
    throw refuse('A replay needs a start: from_id or from_date', 'from_id')
  }
  if (end === undefined) return
  const field = end.kind === 'sequence' ? 'to_id' : 'to_date'
  if (mode === 'watch') throw refuse('to_id and to_date are only supported for replay', field)
  if (isBefore(end, start)) throw refuse('The end lies before the start', field)
}

/** Whether the end certainly comes before the start. A number and a time cannot be compared before they are looked up. */
function isBefore(end: Place, start: StartRequest): boolean {
  if (end.kind === 'sequence') return start.kind === 'sequence' && end.sequence < start.sequence
  return start.kind === 'date' && end.at < start.at
}

/** Reads a number, or the id of an acknowledgement, which has the event type before it. */
function parseSequence(name: string, text: string, event: string): bigint {
  const [, idEvent = event, number = text] = ID.exec(text) ?? []
  const sequence = /^\d{1,20}$/.test(number) ? BigInt(number) : undefined
  if (sequence === undefined || sequence > MAX_SEQUENCE) {
    throw refuse(
      `Field '${name}' must be a sequence number as decimal text, e.g. "10", or an id, e.g. "${clip(event)}@10"`,
      name,
    )
  }
  if (idEvent === event) return sequence
  throw refuse(
    `Field '${name}' is an id of the event type '${clip(idEvent)}', and the request is for '${clip(event)}'`,
    name,
  )
}

/** @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`) for text that {@link parseDate} does not read. */
function readDate(text: string, name: string, now: number): number {
  const at = parseDate(text, now)
  if (at !== undefined) return at
  // In an address, "+" is a space, so the offset of a date comes as one.
  const hint = / \d{2}:?\d{2}$/.test(text) ? ' ("+" in an address is written %2B)' : ''
  throw refuse(`Field '${name}' must be ${DATE_FORMS}${hint}`, name)
}

function fieldQuery(name: string, value: JsonValue): FieldQuery {
  if (isScalar(value) || isJsonObject(value)) return value
  // What the coordinates must be, the event type says.
  if (PLACES.has(name) && Array.isArray(value)) return value as readonly JsonValue[]
  if (!Array.isArray(value)) throw wrongShape(`Identifier '${clip(name)}' must not be null`, name)
  if (value.length > 0 && value.every(isScalar)) return value
  throw wrongShape(
    `Identifier '${clip(name)}' must be a list of at least one string, number or boolean`,
    name,
  )
}

/** Whether a value is a string, number or boolean. */
export function isScalar(value: JsonValue | undefined): value is FieldScalar {
  return value !== undefined && value !== null && typeof value !== 'object'
}

function optionalText(body: JsonObject, name: string): string | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw wrongShape(`Field '${name}' must be a string`, name)
  return value
}

function clip(name: string): string {
  return name.slice(0, 64)
}

function wrongShape(message: string, field?: string): AvisoError {
  return refuse(message, field, 'INVALID_REQUEST_SHAPE')
}

/** @param wireCode - The code of 2.x, if it does not follow from the route. */
function refuse(message: string, field?: string, wireCode?: string): AvisoError {
  const details = {
    ...(field !== undefined && { field: clip(field) }),
    ...(wireCode !== undefined && { wire_code: wireCode }),
  }
  return new AvisoError('ERR_BAD_REQUEST', message, { details })
}
