/**
 * Reads CloudEvents 1.0 and 0.3 as aviso 1.x accepts them: structured or binary mode, `data` or `data_base64`.
 *
 * Refusals have the message texts of 1.x, because providers match on them.
 *
 * @module
 */

import type { HandlerHeaders } from '#shared/handler.ts'
import { isJsonObject, parseStrictJson } from '#shared/json/strict_json.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import { decodeBase64 } from '#shared/bytes/base64.ts'
import { NOTIFICATION_JSON } from './limits.ts'
import { checkId, checkSource, invalid, parseTtl, usableTime, usableTraceparent } from './submission.ts'
import type { Submission } from './submission.ts'

/** What the request around a notification adds to it. */
export interface EnvelopeContext {
  /** Request headers that may hold a binary-mode envelope. Absent for an item of a batch or a stream, which cannot have one. */
  readonly headers?: HandlerHeaders
  /** `traceparent` header of the request. */
  readonly traceparent?: string | undefined
  /** `Idempotency-Key` of the request, made unique per notification. */
  readonly idempotencyKey?: string | undefined
  readonly random: () => string
}

interface Envelope {
  /** The headers with the attributes, in binary mode; absent: the attributes are in the body. */
  readonly headers: HandlerHeaders | undefined
  readonly body: JsonObject
  readonly data: JsonValue | undefined
}

const REQUIRED = ['id', 'source', 'type'] as const
/** A version that a message may repeat. Arbitrary text may not be repeated. */
const PRINTABLE_VERSION = /^[\w.-]{1,16}$/

/** Whether the request says that it carries its event in binary mode. */
export function hasEnvelopeHeaders(headers: HandlerHeaders): boolean {
  return headers.has('ce-specversion')
}

/**
 * Reads a CloudEvent. With a `ce-specversion` header the body is the `data` (binary mode), unless the body has a `specversion`. Without
 * the header, the body is the whole event.
 *
 * @throws {AvisoError} `ERR_INVALID_NOTIFICATION`.
 */
export function parseCloudEvent(body: JsonValue, context: EnvelopeContext): Submission {
  if (!isJsonObject(body)) throw invalid('A notification must be a JSON object')
  const { headers } = context
  const binary = headers !== undefined && hasEnvelopeHeaders(headers) && body['specversion'] === undefined
  const envelope = binary ? { headers, body, data: body } : { headers: undefined, body, data: dataOf(body) }
  return fromEnvelope(envelope, context)
}

/** The data of a structured event. */
function dataOf(body: JsonObject): JsonValue | undefined {
  const { data, data_base64: base64 } = body
  if (base64 !== undefined && base64 !== null) {
    if (data !== undefined && data !== null)
      throw invalid('Only one of data and data_base64 is allowed', 'data_base64')
    return decodeData(base64, 'data_base64')
  }
  // CloudEvents 0.3 has no data_base64; it marks encoded data with the attribute datacontentencoding.
  const encoded = body['specversion'] === '0.3' && body['datacontentencoding'] === 'base64'
  return encoded && typeof data === 'string' ? decodeData(data, 'data') : data
}

function attributeOf({ headers, body }: Envelope, name: string): JsonValue | undefined {
  if (headers === undefined) return body[name]
  const value = headers.get(`ce-${name}`)
  return value === null ? undefined : decodeHeader(value, name)
}

/** What a header may hold: everything else is percent-encoded (HTTP binding §3.1.3.2), and a runtime would guess its encoding. */
const PRINTABLE = /^[\t\x20-\x7e]*$/
const QUOTED = /^"((?:[^"\\]|\\.)*)"$/

/** Reads a header by the HTTP binding: first a quoted string is unquoted, then one round of percent-decoding as UTF-8. */
function decodeHeader(value: string, name: string): string {
  if (!PRINTABLE.test(value))
    throw invalid(`The header ce-${name} has characters that must be percent-encoded as UTF-8`, name)
  const inner = QUOTED.exec(value)?.[1]
  const text = inner === undefined ? value : inner.replaceAll(/\\(.)/g, '$1')
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`The header ce-${name} is not percent-encoded UTF-8`, name)
  }
}

function decodeData(base64: JsonValue, field: string): JsonValue {
  const bytes = typeof base64 === 'string' ? decodeBase64(base64) : undefined
  if (bytes === undefined) throw invalid(`The ${field} is not base64`, field)
  return parseStrictJson(bytes, NOTIFICATION_JSON)
}

function checkVersion(version: JsonValue | undefined): void {
  if (version === undefined || version === null)
    throw invalid('Failed to find specversion in HTTP request', 'specversion')
  if (version === '1.0' || version === '0.3') return
  const shown = typeof version === 'object' ? '' : String(version)
  throw invalid(`Found invalid specversion${PRINTABLE_VERSION.test(shown) ? ` ${shown}` : ''}`, 'specversion')
}

/** An attribute's text. A number is accepted as its digits, because 1.x never checked and some providers number their events. */
function textOf(envelope: Envelope, name: string): string {
  const value = attributeOf(envelope, name)
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  throw invalid(`The attribute ${name} must be text`, name)
}

function isMissing(envelope: Envelope, name: string): boolean {
  return (attributeOf(envelope, name) ?? null) === null
}

function fromEnvelope(envelope: Envelope, context: EnvelopeContext): Submission {
  checkVersion(attributeOf(envelope, 'specversion'))
  if (REQUIRED.some((name) => isMissing(envelope, name))) {
    const missing = REQUIRED.filter((name) => isMissing(envelope, name))
    const names = missing.map((name) => `'${name}'`).join(', ')
    throw invalid(`Missing required attributes: {${names}}`, missing[0])
  }
  const id = checkId(textOf(envelope, 'id'))
  const source = checkSource(textOf(envelope, 'source'))
  const time = usableTime(attributeOf(envelope, 'time'))
  const traceparent = usableTraceparent(attributeOf(envelope, 'traceparent'), context.traceparent)
  return {
    generation: 1,
    ...readData(envelope.data),
    // 1.x accepted an empty id. It gets a random one here, because two events with an empty id are not the same event.
    id: id === '' ? context.random() : id,
    source,
    time,
    traceparent,
  }
}

/**
 * The notification inside `data`. Members of `request` override their siblings, as in 1.x. An `event` inside `request` counts as a field,
 * so the schema refuses it (in 1.x it replaced the event type).
 */
function readData(data: JsonValue | undefined): Pick<Submission, 'event' | 'fields' | 'ttlSeconds'> {
  if (data === undefined || data === null)
    throw invalid("Invalid notification, 'data' could not be located", 'data')
  if (!isJsonObject(data)) throw invalid("Invalid notification, 'data' must be a JSON object", 'data')
  const { event, request } = data
  if (event === undefined || event === null)
    throw invalid("Invalid notification, 'event' could not be located", 'event')
  if (request === undefined || request === null)
    throw invalid("Invalid notification, 'request' could not be located", 'request')
  if (typeof event !== 'string') throw invalid("Invalid notification, 'event' must be text", 'event')
  if (!isJsonObject(request))
    throw invalid("Invalid notification, 'request' must be a JSON object", 'request')
  // Assigned, because spreads take longer. There is no `__proto__` among the names: strict JSON refuses it.
  const fields: Record<string, JsonValue> = {}
  for (const name of Object.keys(data)) if (!BESIDE_FIELDS.has(name)) fields[name] = data[name] ?? null
  for (const name of Object.keys(request)) if (name !== TTL) fields[name] = request[name] ?? null
  return { event, fields, ttlSeconds: parseTtl(Object.hasOwn(request, TTL) ? request[TTL] : data[TTL]) }
}

const TTL = 'ttl'
/** Members of `data` that are no fields. */
const BESIDE_FIELDS: ReadonlySet<string> = new Set(['event', 'request', TTL])
