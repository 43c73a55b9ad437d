/**
 * Reads the body of aviso 2.x: `{event_type, identifier, payload}`.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import { isJsonObject } from '#shared/json/strict_json.ts'
import type { EnvelopeContext } from './cloud_event.ts'
import { checkId, invalid, usableTraceparent } from './submission.ts'
import type { Submission } from './submission.ts'

/** Start and end points, which are for listening. Of a start only the type is checked, as in 2.x. */
const POSITIONS = ['from_id', 'from_date', 'to_id', 'to_date'] as const
const ALLOWED: readonly string[] = ['event_type', 'identifier', 'payload', ...POSITIONS]

/** The `source` of 2.x notifications, whose form has none. */
const SOURCE = 'urn:aviso:ingest'

function shapeError(message: string, field: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, {
    details: { field, wire_code: 'INVALID_REQUEST_SHAPE' },
  })
}

/**
 * Reads a 2.x body. An `Idempotency-Key` header becomes the notification's id, so that a repeated request gets the result of the first.
 * Without the header, every request is a new notification.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` with the 2.x code in `details.wire_code`: `UNKNOWN_FIELD`, then `INVALID_REQUEST_SHAPE`;
 *   `ERR_INVALID_NOTIFICATION`.
 */
export function parseAviso2(body: JsonObject, context: EnvelopeContext): Submission {
  const unknown = Object.keys(body).find((name) => !ALLOWED.includes(name))
  if (unknown !== undefined) {
    throw new AvisoError('ERR_BAD_REQUEST', `Only these fields are allowed: ${ALLOWED.join(', ')}`, {
      details: { wire_code: 'UNKNOWN_FIELD', field: printable(unknown) },
    })
  }
  const { event_type: event, identifier, payload = null } = body
  if (typeof event !== 'string') throw shapeError('The event_type is required, as text', 'event_type')
  if (!isJsonObject(identifier))
    throw shapeError('The identifier is required, as a JSON object', 'identifier')
  for (const name of POSITIONS) {
    const value = body[name] ?? null
    if (value !== null && typeof value !== 'string') throw shapeError(`The ${name} must be text`, name)
    if (value !== null && name.startsWith('to_'))
      throw invalid('to_id and to_date are only supported for replay', name)
  }
  if (identifier['point'] !== undefined)
    throw invalid('`point` is only allowed in listen requests, not in notifications', 'point')
  const { idempotencyKey } = context
  return {
    generation: 2,
    event,
    fields: scalars(identifier),
    payload,
    id: idempotencyKey === undefined ? context.random() : checkId(idempotencyKey, 'Idempotency-Key'),
    source: SOURCE,
    traceparent: usableTraceparent(context.traceparent),
  }
}

/** Converts booleans to text, as 2.x does. The schema converts numbers, and refuses lists and objects. */
function scalars(identifier: JsonObject): JsonObject {
  const fields: Record<string, JsonValue> = {}
  for (const name of Object.keys(identifier)) {
    const value = identifier[name] ?? null
    fields[name] = typeof value === 'boolean' ? String(value) : value
  }
  return fields
}

/** Shortens a client's text for an answer. */
function printable(name: string): string {
  return name.slice(0, 64)
}
