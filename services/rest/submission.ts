/**
 * A notification as a provider submitted it, in either form, and how it becomes an item for the publisher.
 *
 * Flow: body → **submission** → publisher
 *
 * @module
 */

import { toSlabBytes } from '#shared/bytes/slab.ts'
import { AvisoError } from '#shared/errors.ts'
import { exactJsonText } from '#shared/json/strict_json.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import type { EventSchema } from '#shared/notification/event_schema.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { storePayload, type StoredPayload } from '#shared/notification/value.ts'
import type { PublishItem } from '#shared/publish/publish.ts'

/** The form a notification came in: a CloudEvent (1.x) or `{event_type, identifier, payload}` (2.x). */
export type Generation = 1 | 2

/** A notification before its schema has checked it. */
export interface Submission {
  readonly generation: Generation
  readonly event: string
  /** Raw metadata. For 1.x it still holds the payload, whose name only the schema knows. */
  readonly fields: JsonObject
  /** 2.x only. */
  readonly payload?: JsonValue
  readonly ttlSeconds?: number | undefined
  readonly id: string
  readonly source: string
  readonly time?: string | undefined
  readonly traceparent?: string | undefined
}

/** Raw field values for which a notification is accepted and dropped, by field name. */
export type Skips = Readonly<Record<string, readonly (string | number)[]>>

/** Longest lifetime: 2^31 seconds are 68 years, below etcd's limit for a lease. */
const MAX_TTL_SECONDS = 2 ** 31
/** CloudEvents recommends to accept ids of at least this length. Every id is kept in the journal, the store's record of publishing. */
const MAX_ID_CHARACTERS = 256
const MAX_SOURCE_CHARACTERS = 2048
/** Control characters are refused, because they could forge a line where an id or a source is printed. */
// oxlint-disable-next-line no-control-regex -- the pattern looks for control characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/
/** W3C Trace Context level 1: version, trace id, parent id (neither all zero), flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** Makes an `ERR_INVALID_NOTIFICATION`. */
export function invalid(message: string, field?: string): AvisoError {
  return new AvisoError(
    'ERR_INVALID_NOTIFICATION',
    message,
    field === undefined ? {} : { details: { field } },
  )
}

/**
 * Reads the lifetime of a notification: a number, or text that 1.x's `int()` converts.
 *
 * @returns seconds, or `undefined` for no limit: absent, null, 0 and −1.
 */
export function parseTtl(raw: JsonValue | undefined): number | undefined {
  if (raw === undefined || raw === null) return undefined
  const isText = typeof raw === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(raw)
  const seconds = isText ? Number(raw) : raw
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds)) {
    throw invalid('The ttl must be a whole number of seconds', 'ttl')
  }
  if (seconds === 0 || seconds === -1) return undefined
  if (seconds > 0 && seconds <= MAX_TTL_SECONDS) return seconds
  throw invalid(`The ttl must be between 1 and ${MAX_TTL_SECONDS} seconds, or 0 or -1 for no limit`, 'ttl')
}

/** Checks an id: it is kept for ever, so it must be short and safe to print. */
export function checkId(id: string, field = 'id'): string {
  if (id.length <= MAX_ID_CHARACTERS && !CONTROL.test(id)) return id
  throw invalid(
    `The ${field} must have at most ${MAX_ID_CHARACTERS} characters, none of them a control character`,
    field,
  )
}

/** As {@link checkId}, for a `source`. */
export function checkSource(source: string): string {
  if (source.length <= MAX_SOURCE_CHARACTERS && !CONTROL.test(source)) return source
  throw invalid(
    `The source must have at most ${MAX_SOURCE_CHARACTERS} characters, none of them a control character`,
    'source',
  )
}

/** The CloudEvents `time`, if it is a valid time. Any other value is dropped and not refused, because 1.x never checked it. */
export function usableTime(time: JsonValue | undefined): string | undefined {
  return typeof time === 'string' && RFC_3339.test(time) ? time : undefined
}

/** The first well-formed W3C `traceparent`. Malformed ones are ignored, as the specification requires. */
export function usableTraceparent(...candidates: readonly (JsonValue | undefined)[]): string | undefined {
  for (const candidate of candidates) {
    if (typeof candidate === 'string' && TRACEPARENT.test(candidate)) return candidate
  }
  return undefined
}

/** Whether the configuration drops this notification. As in 1.x, raw values are compared, not canonical ones. */
export function isSkipped(submission: Submission, skips: Skips): boolean {
  for (const name in skips) {
    const value = name === 'event' ? submission.event : submission.fields[name]
    if ((typeof value === 'string' || typeof value === 'number') && skips[name]?.includes(value) === true)
      return true
  }
  return false
}

/** Separates the payload from the fields of a 1.x notification. The schema knows the name of the payload. */
function splitPayload(
  fields: JsonObject,
  payloadName: string,
): { request: JsonObject; payload: JsonValue | undefined } {
  const request: Record<string, JsonValue> = {}
  let payload: JsonValue | undefined
  for (const name of Object.keys(fields)) {
    const value = fields[name] ?? null
    if (name === payloadName) payload = value
    else request[name] = value
  }
  return { request, payload }
}

/**
 * Validates a submission against its schema.
 *
 * @throws {AvisoError} `ERR_UNKNOWN_EVENT`, `ERR_INVALID_NOTIFICATION`, `ERR_TOO_LARGE` (the stored value).
 */
export function toPublishItem(submission: Submission, schemas: Schemas, payloadBytes: number): PublishItem {
  const { event, ttlSeconds, id, source, time, traceparent } = submission
  const schema = schemas.require(event)
  const { request, payload } = partsOf(submission, schema)
  const keys = schema.encode(request)
  const lacking = payloadFault(payload, schema)
  if (lacking !== undefined) throw lacking
  const { value, payloadKind } = storeExactly(payload)
  if (value.byteLength > payloadBytes) {
    throw new AvisoError(
      'ERR_TOO_LARGE',
      `The ${schema.payloadName} must not be larger than ${payloadBytes} bytes`,
      {
        details: { field: schema.payloadName, limit_bytes: payloadBytes },
      },
    )
  }
  return { event, keys, value, payloadKind, ttlSeconds, id, source, time, traceparent }
}

/** All faults of fields and payload for which {@link toPublishItem} would refuse a submission with `ERR_INVALID_NOTIFICATION`. */
export function faultsOf(submission: Submission, schemas: Schemas): readonly AvisoError[] {
  const schema = schemas.require(submission.event)
  const { request, payload } = partsOf(submission, schema)
  return [...schema.faults(request), ...[payloadFault(payload, schema) ?? []].flat()]
}

function partsOf(
  { generation, fields, payload }: Submission,
  { payloadName }: EventSchema,
): { readonly request: JsonObject; readonly payload: JsonValue | undefined } {
  return generation === 1 ? splitPayload(fields, payloadName) : { request: fields, payload }
}

function payloadFault(
  payload: JsonValue | undefined,
  { isPayloadRequired, payloadName }: EventSchema,
): AvisoError | undefined {
  if (!isPayloadRequired || (payload !== undefined && payload !== null)) return undefined
  return invalid('Payload is required for this event type, and must not be null', payloadName)
}

/** JSON.stringify would lose digits of a structured payload. */
function storeExactly(payload: JsonValue | undefined): StoredPayload {
  if (typeof payload !== 'object' || payload === null) return storePayload(payload)
  return { value: toSlabBytes(exactJsonText(payload)) }
}
