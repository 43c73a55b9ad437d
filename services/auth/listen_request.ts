/**
 * What a listener asks for, from a 2.x body or from a query string.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { isJsonObject, parseStrictJson, type JsonObject, type JsonValue } from '#shared/http/strict_json.ts'

/** A field's wanted value: one, any of several, or an object with one comparison. */
export type FieldQuery = string | number | boolean | bigint | readonly FieldScalar[] | JsonObject
export type FieldScalar = string | number | boolean | bigint

/** A start as the client gave it; at most one. */
export type StartRequest =
  | { readonly kind: 'live' }
  /** The notification with this number and everything after it; 0: everything that is kept. */
  | { readonly kind: 'sequence'; readonly sequence: bigint }
  /** Everything stored at or after this time. */
  | { readonly kind: 'date'; readonly at: number; readonly text: string }
  /** Everything behind a position that this service gave out. */
  | { readonly kind: 'cursor'; readonly text: string }

/** A listener's request. */
export interface ListenRequest {
  readonly event: string
  readonly identifier: Readonly<Record<string, FieldQuery>>
  readonly start: StartRequest
}

/** Depth of `{"identifier":{"step":{"in":[1]}}}`, and room for an ignored payload. */
const JSON_LIMITS = { maxDepth: 8, maxNames: 64, maxArray: 1024 }
const BODY_FIELDS = ['event_type', 'identifier', 'from_id', 'from_date', 'payload']
/** Query parameters that are not fields of the event. */
const QUERY_CONTROLS: ReadonlySet<string> = new Set(['event', 'from_id', 'from_date', 'from'])
const MAX_QUERY_VALUES = 256
const MAX_SEQUENCE = 2n ** 64n - 1n

/**
 * Reads the body of `POST /api/v1/watch` and `/api/v1/replay`.
 *
 * @throws {AvisoError} `ERR_INVALID_JSON`, `ERR_BAD_REQUEST`; `details.reason` holds the code of 2.x where the shape is wrong.
 */
export function parseListenBody(bytes: Uint8Array): ListenRequest {
  const body = parseStrictJson(bytes, JSON_LIMITS)
  if (!isJsonObject(body)) throw wrongShape('The body must be a JSON object')
  const unknown = Object.keys(body).find((name) => !BODY_FIELDS.includes(name))
  if (unknown !== undefined) {
    throw refuse('UNKNOWN_FIELD', `Unknown field '${clip(unknown)}'; allowed are ${BODY_FIELDS.join(', ')}`)
  }
  const event = body['event_type']
  if (typeof event !== 'string') throw wrongShape("Field 'event_type' must be a string")
  const identifier = body['identifier'] ?? {}
  if (!isJsonObject(identifier)) throw wrongShape("Field 'identifier' must be an object")
  return {
    event,
    identifier: Object.fromEntries(
      Object.entries(identifier).map(([name, value]) => [name, fieldQuery(name, value)]),
    ),
    start: startRequest(optionalText(body, 'from_id'), optionalText(body, 'from_date')),
  }
}

/**
 * Reads the query of `GET /api/v1/watch`. A parameter given several times accepts any of its values.
 *
 * @param lastEventId - What a browser sends when it connects again; it wins over the start in the address, which the browser repeats.
 * @throws {AvisoError} `ERR_BAD_REQUEST`.
 */
export function parseListenQuery(query: URLSearchParams, lastEventId: string | null): ListenRequest {
  if (query.size > MAX_QUERY_VALUES)
    throw invalid(`At most ${MAX_QUERY_VALUES} query parameters are accepted`)
  const control = (name: string): string | undefined => {
    const values = query.getAll(name)
    if (values.length > 1) throw invalid(`Query parameter '${name}' must be given once`)
    return values[0]
  }
  const event = control('event')
  if (event === undefined) throw invalid("Query parameter 'event' is missing")
  const fields = [...new Set(query.keys())].filter((name) => !QUERY_CONTROLS.has(name))
  const identifier = Object.fromEntries(
    fields.map((name) => {
      const values = query.getAll(name)
      return [name, values.length === 1 && values[0] !== undefined ? values[0] : values]
    }),
  )
  const start = startRequest(control('from_id'), control('from_date'), control('from'))
  const resumed = lastEventId !== null && lastEventId !== ''
  return { event, identifier, start: resumed ? { kind: 'cursor', text: lastEventId } : start }
}

function startRequest(fromId?: string, fromDate?: string, cursor?: string): StartRequest {
  if ([fromId, fromDate, cursor].filter((value) => value !== undefined).length > 1) {
    throw invalid('Cannot specify both from_id and from_date: a stream has one start')
  }
  if (fromId !== undefined) return { kind: 'sequence', sequence: parseSequence(fromId) }
  if (fromDate !== undefined) return { kind: 'date', at: parseStartDate(fromDate), text: fromDate }
  return cursor === undefined ? { kind: 'live' } : { kind: 'cursor', text: cursor }
}

function parseSequence(text: string): bigint {
  const sequence = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined
  if (sequence === undefined || sequence > MAX_SEQUENCE) {
    throw invalid('Field \'from_id\' must be a sequence number as decimal text, e.g. "10"')
  }
  return sequence
}

const UNIX_TIME = /^\+?\d+$/
/** Unix seconds have at most this many significant digits; longer ones are milliseconds (2.x's rule). */
const MAX_SECONDS_DIGITS = 11
const MAX_MILLISECONDS_DIGITS = 15
const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))? ?([Zz]|[+-]\d{2}:\d{2})?$/

/**
 * Milliseconds since the epoch of a start date: RFC 3339, the same with a space, without zone (UTC), or Unix seconds or milliseconds.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for anything else, dates without time among it.
 */
export function parseStartDate(text: string): number {
  const at = UNIX_TIME.test(text) ? parseUnixTime(text) : parseDateTime(text)
  if (at === undefined) {
    throw invalid(
      "Field 'from_date' must be a date and time such as 2026-08-10T12:00:00Z, or Unix seconds or milliseconds",
    )
  }
  return at
}

function parseUnixTime(text: string): number | undefined {
  const digits = text.replace(/^\+?0*/, '')
  if (digits.length > MAX_MILLISECONDS_DIGITS) return undefined
  return digits.length <= MAX_SECONDS_DIGITS ? Number(digits) * 1000 : Number(digits)
}

function parseDateTime(text: string): number | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', zone = 'Z'] =
    match
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const local = Date.parse(`${written}Z`)
  // Date.parse takes 31 February for 3 March and 24:00 for the next day on some runtimes: written back, it must be the same.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 19) !== written) return undefined
  const offset = offsetMs(zone)
  return offset === undefined ? undefined : local - offset + Math.floor(Number(`0.${fraction}0`) * 1000)
}

function offsetMs(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(4, 6))
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

function fieldQuery(name: string, value: JsonValue): FieldQuery {
  if (isScalar(value)) return value
  if (Array.isArray(value)) {
    if (value.length > 0 && value.every(isScalar)) return value
    throw wrongShape(`Identifier '${clip(name)}' must not be an empty list or hold anything but plain values`)
  }
  if (isJsonObject(value)) return value
  throw wrongShape(`Identifier '${clip(name)}' must not be null`)
}

/** Whether a value is a string, number or truth value. */
export function isScalar(value: JsonValue | undefined): value is FieldScalar {
  return value !== undefined && value !== null && typeof value !== 'object'
}

function optionalText(body: JsonObject, name: string): string | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw wrongShape(`Field '${name}' must be a string`)
  return value
}

function clip(name: string): string {
  return name.slice(0, 64)
}

function wrongShape(message: string): AvisoError {
  return refuse('INVALID_REQUEST_SHAPE', message)
}

function invalid(message: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message)
}

function refuse(reason: string, message: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { reason } })
}
