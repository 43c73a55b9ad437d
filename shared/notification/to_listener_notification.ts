/**
 * The form in which listeners and their triggers see a notification.
 *
 * @module
 */

import type { EventSchema } from './event_schema.ts'
import type { NotificationRequest } from './notification.ts'
import { decodePayload } from './value.ts'

/** 1.x's notification: event, request, and the payload under the schema's name for it, absent where there is none. */
export interface ListenerNotification {
  readonly event: string
  readonly request: NotificationRequest
  readonly [payloadName: string]: unknown
}

/** Builds a listener's notification from what the store holds. */
export function toListenerNotification(
  schema: EventSchema,
  request: NotificationRequest,
  value: Uint8Array,
): ListenerNotification {
  const payload = decodePayload(value)
  const notification = { event: schema.event, request }
  return payload === undefined ? notification : { ...notification, [schema.payloadName]: payload }
}
