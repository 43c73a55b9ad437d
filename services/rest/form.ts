/**
 * Tells the forms of a notification apart.
 *
 * @module
 */

import type { HandlerHeaders } from '#shared/handler.ts'
import { isJsonObject } from '#shared/json/strict_json.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import { parseAviso2 } from './aviso2.ts'
import { hasEnvelopeHeaders, parseCloudEvent } from './cloud_event.ts'
import type { EnvelopeContext } from './cloud_event.ts'
import type { Generation, Submission } from './submission.ts'

/** Members that only a CloudEvent has: with one of them, a body without `specversion` is an incomplete CloudEvent. */
const CLOUD_EVENT_MEMBERS = ['specversion', 'source', 'type', 'data', 'data_base64']

/** The generation whose texts a refusal of this body uses. It is 2, whose codes say more, when the body fits neither. */
export function generationOf(body: JsonValue | undefined, headers?: HandlerHeaders): Generation {
  if (headers !== undefined && hasEnvelopeHeaders(headers)) return 1
  if (!isJsonObject(body) || isAviso2(body)) return 2
  return CLOUD_EVENT_MEMBERS.some((name) => body[name] !== undefined) ? 1 : 2
}

/** Reads one notification of either form. A body that fits neither is refused as an incomplete CloudEvent, as in 1.x. */
export function parseSubmission(body: JsonValue, context: EnvelopeContext): Submission {
  const binary = context.headers !== undefined && hasEnvelopeHeaders(context.headers)
  return !binary && isJsonObject(body) && isAviso2(body)
    ? parseAviso2(body, context)
    : parseCloudEvent(body, context)
}

/** Whether a body has the form of aviso 2.x, and is not a CloudEvent. */
function isAviso2(body: JsonObject): boolean {
  return (
    body['specversion'] === undefined &&
    (body['event_type'] !== undefined || body['identifier'] !== undefined)
  )
}
