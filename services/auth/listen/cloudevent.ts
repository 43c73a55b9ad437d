/**
 * Makes the CloudEvent that listeners receive from a stored notification: aviso 2.x's shape, with additional attributes.
 *
 * @module
 */

import type { Notification } from '#shared/notification/notification.ts'
import { containerOrText, payloadJson } from '#shared/notification/value.ts'

const TYPE_PREFIX = 'int.ecmwf.aviso.'

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
  const { event, committedAt, time, key, revision, traceparent } = notification
  const { origin, dataschema } = constantsOf(event, baseUrl)
  // Written by hand, because this is made for each notification: JSON.stringify takes twice as long for an object as for its texts.
  let text = `{"specversion":"1.0","id":${JSON.stringify(id)},${origin}`
  text += optional('time', committedAt ?? time)
  text += `,"datacontenttype":"application/json",${dataschema}`
  // Attributes beyond 2.x: where the notification is, and what its provider called it.
  text += `,"subject":${JSON.stringify(key)},"revision":"${revision}"`
  text += optional('providerid', notification.id) + optional('providersource', notification.source)
  text += optional('providertime', time) + optional('traceparent', traceparent)
  const payload = payloadJson(notification.value, notification.payloadKind)
  return `${text},"data":{"identifier":${identifierText(notification)},"payload":${payload}}}`
}

/** As in 2.x, values are text, except that a geometry is the JSON of its coordinates. */
function identifierText({ request, unkeyed }: Notification): string {
  if (unkeyed === undefined) return JSON.stringify(request)
  const members = Object.entries(request).map(([name, text]) => {
    const value = unkeyed[name] === undefined ? JSON.stringify(text) : containerOrText(text)
    return `${JSON.stringify(name)}:${value}`
  })
  return `{${members.join(',')}}`
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
