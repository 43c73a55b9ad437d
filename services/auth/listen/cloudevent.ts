/**
 * Makes the CloudEvent that listeners receive from a stored notification: aviso 2.x's shape, with additional attributes.
 *
 * @module
 */

import type { Notification } from '#shared/notification/notification.ts'
import { toText } from '#shared/bytes/bytes.ts'

const TYPE_PREFIX = 'int.ecmwf.aviso.'
/** The stored value of a notification without payload. */
const NO_PAYLOAD = 'None'

/**
 * `<event>@<sequence>`. A notification from another writer (such as a 1.x service) has no sequence number. Its id is
 * `<event>@r<revision>.<index>`, which no client can read as a number.
 */
export function notificationId({ event, sequence, revision, index }: Notification): string {
  return sequence === undefined ? `${event}@r${revision}.${index}` : `${event}@${sequence}`
}

/** JSON text of the event, on one line. `baseUrl` is the public address of the service. @param id An id that replaces its own. */
export function cloudEventText(
  notification: Notification,
  baseUrl: string,
  id = notificationId(notification),
): string {
  const { event, request, committedAt, time } = notification
  const envelope = JSON.stringify({
    specversion: '1.0',
    id,
    source: baseUrl,
    type: TYPE_PREFIX + event,
    ...((committedAt ?? time) !== undefined && { time: committedAt ?? time }),
    datacontenttype: 'application/json',
    dataschema: `${baseUrl}/api/v1/schema/${encodeURIComponent(event)}`,
    // Attributes beyond 2.x: where the notification is, and what its provider called it.
    subject: notification.key,
    revision: notification.revision.toString(),
    ...(notification.id !== undefined && { providerid: notification.id }),
    ...(notification.source !== undefined && { providersource: notification.source }),
    ...(time !== undefined && { providertime: time }),
    ...(notification.traceparent !== undefined && { traceparent: notification.traceparent }),
  })
  const identifier = JSON.stringify(request)
  return `${envelope.slice(0, -1)},"data":{"identifier":${identifier},"payload":${payloadText(notification.value)}}}`
}

/**
 * The stored value as JSON. The text of an object or an array is sent as it was stored, digit for digit. Any other text is opaque and is
 * sent as a string.
 */
function payloadText(value: Uint8Array): string {
  const text = toText(value)
  if (text === NO_PAYLOAD || text === '') return 'null'
  return isJsonContainer(text) ? text.replaceAll(/[\r\n]+/g, ' ') : JSON.stringify(text)
}

function isJsonContainer(text: string): boolean {
  // Most values are locations. Only a text that can be an object or an array is worth parsing.
  if (!/^\s*[[{]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
