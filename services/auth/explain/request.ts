/**
 * Reads the body of `POST /api/v1/explain`: a request of 2.x, a listener definition of 1.x, or a file of those.
 *
 * @module
 */

import { parseListenBody, type ListenRequest } from '../listen/request.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { hint } from '#shared/closest.ts'
import { AvisoError } from '#shared/errors.ts'
import { jsonText } from '#shared/http/respond.ts'
import { isJsonObject, parseStrictJson, type JsonObject, type JsonValue } from '#shared/json/strict_json.ts'
import { DATE_FORMS, parseDate } from '#shared/time/written_date.ts'

/** What is to be explained. */
export interface ExplainRequest {
  /** In milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly listeners: readonly Pick<ListenRequest, 'event' | 'identifier'>[]
}

/** Most listeners of one request: a file of a person. */
export const MOST_LISTENERS = 20
/** What a listener is, in either generation. */
const LISTENER_MEMBERS = ['event_type', 'event', 'identifier', 'request']
/** What a file has besides, which decides nothing about what a listener gets. */
const OTHER_MEMBERS = ['triggers', 'name', 'payload']
const ALL_LISTENER_MEMBERS = [...LISTENER_MEMBERS, ...OTHER_MEMBERS]
const BODY_MEMBERS = ['from', 'to', 'listeners', ...ALL_LISTENER_MEMBERS]
/** Longest name that an error repeats. */
const MAX_SHOWN = 64
/** Longest span. What is kept is usually shorter. */
const MOST_DAYS = 31
const DAY_MS = 86_400_000
/** Depth of `{"listeners":[{"triggers":[{"options":{…}}]}]}` with room. */
const JSON_LIMITS = { maxDepth: 16, maxNames: 256, maxArray: 1024 }

/**
 * Reads a body. Members of a listener that decide nothing about what it gets, such as `triggers`, are left aside. A member that is unknown
 * is refused: a misspelt `from` would otherwise explain another span.
 *
 * @param now Milliseconds since 1970.
 * @throws {AvisoError} `ERR_INVALID_JSON`, `ERR_BAD_REQUEST` (`details.field`; `details.wire_code` for an unknown member).
 */
export function parseExplainBody(bytes: Uint8Array, now: number): ExplainRequest {
  const body = parseStrictJson(bytes, JSON_LIMITS)
  if (!isJsonObject(body)) throw refuse('The body must be a JSON object')
  refuseUnknown(body, BODY_MEMBERS)
  const from = dateIn(body, 'from', now) ?? now - DAY_MS
  const to = dateIn(body, 'to', now) ?? now
  if (to <= from) throw refuse("'to' must be later than 'from'", 'to')
  if (to - from > MOST_DAYS * DAY_MS)
    throw refuse(`At most ${MOST_DAYS} days can be explained at a time`, 'from')
  const list = readOne(body, 'listeners', LISTENER_MEMBERS) ?? [body]
  if (!Array.isArray(list) || list.length === 0)
    throw refuse("'listeners' must be a list of at least one listener", 'listeners')
  if (list.length > MOST_LISTENERS)
    throw refuse(`At most ${MOST_LISTENERS} listeners can be explained at a time`, 'listeners')
  return { from, to, listeners: list.map((listener) => toListener(listener, { body, now })) }
}

function toListener(
  listener: JsonValue,
  { body, now }: { readonly body: JsonObject; readonly now: number },
): Pick<ListenRequest, 'event' | 'identifier'> {
  if (!isJsonObject(listener)) throw refuse('A listener must be an object', 'listeners')
  if (listener !== body) refuseUnknown(listener, ALL_LISTENER_MEMBERS)
  const event = readOne(listener, 'event_type', ['event']) ?? listener['event']
  if (typeof event !== 'string')
    throw refuse(
      "A listener must have an 'event' or 'event_type', and 'request' or 'identifier'",
      'event_type',
    )
  const identifier = readOne(listener, 'identifier', ['request']) ?? listener['request'] ?? {}
  return parseListenBody(toBytes(jsonText({ event_type: event, identifier })), now)
}

/** A member that stands in place of others: with both, one would be left aside without a word. @throws {AvisoError} `ERR_BAD_REQUEST`. */
function readOne(body: JsonObject, name: string, others: readonly string[]): JsonValue | undefined {
  const other = others.find((one) => (body[one] ?? null) !== null)
  const value = body[name] ?? undefined
  if (value !== undefined && other !== undefined)
    throw refuse(`Give '${name}' or '${other}', not both`, other)
  return value
}

/** @throws {AvisoError} `ERR_BAD_REQUEST`, with the code of a watch and a replay. */
function refuseUnknown(part: JsonObject, known: readonly string[]): void {
  const unknown = Object.keys(part).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const field = unknown.slice(0, MAX_SHOWN)
  throw new AvisoError('ERR_BAD_REQUEST', `Unknown field '${field}': ${hint(field, known)}`, {
    details: { field, wire_code: 'UNKNOWN_FIELD' },
  })
}

function dateIn(body: JsonObject, name: string, now: number): number | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  const at = typeof value === 'string' ? parseDate(value, now) : undefined
  if (at === undefined) throw refuse(`'${name}' must be ${DATE_FORMS}`, name)
  return at
}

function refuse(message: string, field?: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: field === undefined ? {} : { field } })
}
