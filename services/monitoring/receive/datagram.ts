/**
 * Reads received bytes as a telemetry message or a log line. Anything else is refused with a reason, at low cost.
 *
 * Flow: rest, auth → **monitoring** → reports
 *
 * @module
 */

import { isJsonObject, parseStrictJson, type JsonObject, type JsonValue } from '#shared/json/strict_json.ts'
import type { Telemetry, TelemetryMessage } from '#shared/observe/telemetry/message.ts'
import { isSyslog, parseSyslog, type LogLine } from './syslog.ts'

/** Why a datagram was refused. */
export type DatagramRefusal =
  | 'empty'
  | 'too_large'
  /** Not UTF-8, not JSON, too deep, too many names, a number that is not finite, `__proto__`. */
  | 'malformed'
  /** JSON in which one of the five members is missing, empty or of the wrong kind. */
  | 'not_telemetry'
  /** A log line that belongs to none of the services. */
  | 'unknown_log'

/** The content of a datagram. */
export type Datagram =
  | { readonly kind: 'telemetry'; readonly message: TelemetryMessage }
  | { readonly kind: 'log'; readonly line: LogLine }
  | { readonly kind: 'refused'; readonly reason: DatagramRefusal }

/** The largest possible datagram, because 1.x sends lists of users of any length. */
export const MAX_DATAGRAM_BYTES = 65_536
/**
 * Three levels: the object, its `telemetry`, and a list in that. 1.x sends few names in each object; other senders may send up to 64.
 */
const JSON_LIMITS = { maxDepth: 3, maxNames: 64, maxArray: 10_000, maxNumberDigits: 64 }
const BRACE_OPEN = 0x7b
/** The name of a type or a measurement. It becomes a label value and part of a report's name. */
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/
const MAX_TEXT_CHARACTERS = 128

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Reads one datagram. Never throws. */
export function parseDatagram(bytes: Uint8Array): Datagram {
  if (bytes.byteLength === 0) return refused('empty')
  if (bytes.byteLength > MAX_DATAGRAM_BYTES) return refused('too_large')
  if (isSyslog(bytes)) return parseLog(bytes)
  // This cheap test refuses most datagrams that are not meant for us.
  if (bytes[0] !== BRACE_OPEN) return refused('malformed')
  let value: JsonValue
  try {
    value = parseStrictJson(bytes, JSON_LIMITS)
  } catch {
    return refused('malformed')
  }
  const message = isJsonObject(value) ? toMessage(value) : undefined
  return message === undefined ? refused('not_telemetry') : { kind: 'telemetry', message }
}

function refused(reason: DatagramRefusal): Datagram {
  return { kind: 'refused', reason }
}

function parseLog(bytes: Uint8Array): Datagram {
  try {
    const line = parseSyslog(decoder.decode(bytes))
    return line === undefined ? refused('unknown_log') : { kind: 'log', line }
  } catch {
    return refused('malformed')
  }
}

/** Checks the object: as in 1.x, each of the five members must be present and not empty. */
function toMessage(object: JsonObject): TelemetryMessage | undefined {
  const { telemetry_type: type, component_name: component, hostname, time, telemetry } = object
  if (typeof type !== 'string' || !NAME.test(type)) return undefined
  if (!isShortText(component) || !isShortText(hostname)) return undefined
  if (typeof time !== 'number' || time === 0) return undefined
  const values = isJsonObject(telemetry) ? toTelemetry(telemetry) : undefined
  if (values === undefined) return undefined
  return { telemetry_type: type, component_name: component, hostname, time, telemetry: values }
}

function isShortText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_CHARACTERS
}

/** @returns the values; `undefined` when there are none, or when one is neither a number nor a list of texts */
function toTelemetry(object: JsonObject): Telemetry | undefined {
  const values: Record<string, number | readonly string[]> = {}
  for (const [name, value] of Object.entries(object)) {
    if (!NAME.test(name)) return undefined
    if (typeof value === 'number') values[name] = value
    else if (isTextList(value)) values[name] = value.map((text) => text.slice(0, MAX_TEXT_CHARACTERS))
    else return undefined
  }
  return Object.keys(values).length === 0 ? undefined : values
}

function isTextList(value: JsonValue | undefined): value is readonly string[] {
  return (
    Array.isArray(value) && (value as readonly JsonValue[]).every((element) => typeof element === 'string')
  )
}
