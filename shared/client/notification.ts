/**
 * Reads notifications from the stream, and makes the form in which triggers see them.
 *
 * @module
 */

import {
  exactJsonText,
  isJsonObject,
  parseStrictJson,
  type JsonObject,
  type JsonValue,
} from '#shared/json/strict_json.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { ClientError, messageOf } from './client_error.ts'

/** A delivered notification. */
export interface ReceivedNotification {
  /** CloudEvents id, `<event>@<sequence>`. */
  readonly id: string
  /** CloudEvents source: the service that delivered it. */
  readonly source: string
  readonly event: string
  /** Sequence number; absent when another writer than the ingest stored the notification. */
  readonly sequence?: string
  /** When the notification was stored, RFC 3339; absent for other writers. */
  readonly time?: string
  /** W3C trace context of the provider's request, with which a trigger can continue the trace. */
  readonly traceparent?: string
  readonly request: Readonly<Record<string, string>>
  /** The schema's name for the payload, e.g. `location`. */
  readonly payloadName: string
  /** Absent when the notification has no payload. */
  readonly payload?: JsonValue
}

/** Deepest nesting. Services accept less, so this limit only keeps hostile data from ending the process. */
const MAX_JSON_DEPTH = 500

/** Form of a trace context. It is checked, because the text goes unchanged into headers and environments. */
const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

/** A notification from a frame of the stream, before the schema has named its payload. */
export type CloudEvent = Omit<ReceivedNotification, 'payloadName'>

/**
 * Reads the data of a `live-notification` or `replay` frame.
 *
 * @returns the notification; `undefined` for the control message that opens a live stream
 * @throws {ClientError} for any other data, because a notification that cannot be read must not be skipped.
 */
export function parseCloudEvent(data: string): CloudEvent | undefined {
  const event = parseEvent(data)
  if (event['specversion'] === undefined && typeof event['type'] === 'string') return undefined
  const { id, source, time, traceparent, data: content } = event
  const identifier = isJsonObject(content) ? content['identifier'] : undefined
  if (typeof id !== 'string' || !isJsonObject(content) || !isJsonObject(identifier)) throw unreadable()
  const name = id.slice(0, id.lastIndexOf('@'))
  if (name === '') throw unreadable()
  const number = id.slice(name.length + 1)
  const { payload } = content
  return {
    id,
    event: name,
    source: typeof source === 'string' ? source : '',
    request: Object.fromEntries(
      Object.entries(identifier).map(([field, value]) => [
        field,
        typeof value === 'string' ? value : exactJsonText(value),
      ]),
    ),
    ...(/^\d+$/.test(number) && { sequence: number }),
    ...(typeof time === 'string' && { time }),
    ...(typeof traceparent === 'string' && TRACEPARENT.test(traceparent) && { traceparent }),
    ...(payload !== undefined && payload !== null && { payload }),
  }
}

/**
 * Reads an event. A payload that is JSON for others but not for us (a name twice, nested too deep) becomes its own text, because what a
 * service has stored must not stop a listener.
 */
function parseEvent(data: string): JsonObject {
  try {
    return parseObject(data)
  } catch (error) {
    const parts = splitPayload(data)
    if (parts === undefined) throw error
    const event = parseObject(`${parts.before}null${parts.after}`)
    const content = event['data']
    if (!isJsonObject(content)) throw error
    return { ...event, data: { ...content, payload: parts.payload } }
  }
}

/** How our services write the payload: last, after the identifier, in which no quotation mark stands without a backslash. */
const PAYLOAD_START = ',"payload":'
const PAYLOAD_END = '}}'

function splitPayload(
  data: string,
): { readonly before: string; readonly payload: string; readonly after: string } | undefined {
  const start = data.indexOf(PAYLOAD_START, data.indexOf('"data":{"identifier":'))
  if (start === -1 || !data.endsWith(PAYLOAD_END)) return undefined
  const before = data.slice(0, start + PAYLOAD_START.length)
  const payload = data.slice(before.length, -PAYLOAD_END.length)
  return isJson(payload) ? { before, payload, after: PAYLOAD_END } : undefined
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function parseObject(data: string): JsonObject {
  try {
    const value = parseStrictJson(toBytes(data), { maxDepth: MAX_JSON_DEPTH })
    if (isJsonObject(value)) return value
  } catch (cause) {
    throw unreadable(messageOf(cause), cause)
  }
  throw unreadable()
}

function unreadable(reason = 'it has no id or no identifier', cause?: unknown): ClientError {
  return new ClientError(`The service sent a notification that cannot be read: ${reason}`, { cause })
}

/** The notification in the form of 1.x: `event`, `request`, and the payload under its own name. */
export function toTriggerData({ event, request, payload, payloadName }: ReceivedNotification): JsonObject {
  return { event, request, ...(payload !== undefined && { [payloadName]: payload }) }
}
