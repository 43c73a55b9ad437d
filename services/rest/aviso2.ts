/**
 * The body of aviso 2.x: `{event_type, identifier, payload}`.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import { isJsonObject } from '#shared/json/strict_json.ts'
import type { EnvelopeContext } from './cloud_event.ts'
import { checkId, invalid, usableTraceparent } from './submission.ts'
import type { Submission } from './submission.ts'

/** Start and end points are for listening; on a notification they are checked for their type and otherwise ignored. */
const POSITIONS = ['from_id', 'from_date', 'to_id', 'to_date'] as const
const ALLOWED: readonly string[] = ['event_type', 'identifier', 'payload', ...POSITIONS]

/** The `source` of notifications whose form has none. */
const SOURCE = 'urn:aviso:ingest'

function shapeError(message: string, field: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, {
    details: { field, wire_code: 'INVALID_REQUEST_SHAPE' },
  })
}

/**
 * Reads a 2.x body. An `Idempotency-Key` header becomes the notification's id, so that a repeated request is answered with the
 * first one's result; without, every request is a new notification.
 *
 * @throws AvisoError with the 2.x code in `details.wire_code`: `UNKNOWN_FIELD`, then `INVALID_REQUEST_SHAPE`; or
 * `ERR_INVALID_NOTIFICATION`.
 */
export function parseAviso2(body: JsonObject, context: EnvelopeContext): Submission {
  const unknown = Object.keys(body).find((name) => !ALLOWED.includes(name))
  if (unknown !== undefined) {
    throw new AvisoError('ERR_BAD_REQUEST', `Only these fields may be there: ${ALLOWED.join(', ')}`, {
      details: { wire_code: 'UNKNOWN_FIELD', field: printable(unknown) },
    })
  }
  const { event_type: event, identifier, payload = null } = body
  if (typeof event !== 'string') throw shapeError('The event_type must be there, as text', 'event_type')
  if (!isJsonObject(identifier))
    throw shapeError('The identifier must be there, as a JSON object', 'identifier')
  for (const name of POSITIONS) {
    const value = body[name] ?? null
    if (value !== null && typeof value !== 'string') throw shapeError(`The ${name} must be text`, name)
  }
  if (identifier['point'] !== undefined)
    throw invalid('The point is for listening, a notification cannot have one', 'point')
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

/** 2.x makes text of numbers and booleans; everything else is no value of a field. */
function scalars(identifier: JsonObject): JsonObject {
  const fields: Record<string, JsonValue> = {}
  for (const name of Object.keys(identifier)) {
    const value = identifier[name] ?? null
    fields[name] = typeof value === 'boolean' ? String(value) : value
  }
  return fields
}

/** Client text that goes into an answer: short. */
function printable(name: string): string {
  return name.slice(0, 64)
}
