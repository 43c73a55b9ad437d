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
  const { event, request, committedAt, time, key, revision, traceparent } = notification
  const { origin, dataschema } = constantsOf(event, baseUrl)
  // Written by hand, because this is made for each notification: JSON.stringify takes twice as long for an object as for its texts.
  let text = `{"specversion":"1.0","id":${JSON.stringify(id)},${origin}`
  text += optional('time', committedAt ?? time)
  text += `,"datacontenttype":"application/json",${dataschema}`
  // Attributes beyond 2.x: where the notification is, and what its provider called it.
  text += `,"subject":${JSON.stringify(key)},"revision":"${revision}"`
  text += optional('providerid', notification.id) + optional('providersource', notification.source)
  text += optional('providertime', time) + optional('traceparent', traceparent)
  return `${text},"data":{"identifier":${JSON.stringify(request)},"payload":${payloadText(notification.value)}}}`
}

function optional(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`
}

/** The attributes that all notifications of an event type share. */
interface Constants {
  readonly event: string
  readonly baseUrl: string
  readonly origin: string
  readonly dataschema: string
}

/** Those of the last notification, because the next one usually has the same. */
let known: Constants | undefined

function constantsOf(event: string, baseUrl: string): Constants {
  if (known?.event === event && known.baseUrl === baseUrl) return known
  const schema = `${baseUrl}/api/v1/schema/${encodeURIComponent(event)}`
  known = {
    event,
    baseUrl,
    origin: `"source":${JSON.stringify(baseUrl)},"type":${JSON.stringify(TYPE_PREFIX + event)}`,
    dataschema: `"dataschema":${JSON.stringify(schema)}`,
  }
  return known
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
