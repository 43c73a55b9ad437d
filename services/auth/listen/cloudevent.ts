/**
 * Makes the CloudEvent that listeners receive from a stored notification: aviso 2.x's shape, with additional attributes.
 *
 * @module
 */

import type { Notification, NotificationRequest } from '#shared/notification/notification.ts'
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
  text += timeOf(committedAt ?? time)
  text += `,"datacontenttype":"application/json",${dataschema}`
  // Attributes beyond 2.x: where the notification is, and what its provider called it.
  text += `,"subject":${JSON.stringify(key)},"revision":"${revision}"`
  text += optional('providerid', notification.id) + providerSourceOf(notification.source)
  text += providerTimeOf(time) + optional('traceparent', traceparent)
  const payload = payloadJson(notification.value, notification.payloadKind)
  return `${text},"data":{"identifier":${identifierText(notification)},"payload":${payload}}}`
}

/** As in 2.x, values are text, except that a geometry is the JSON of its coordinates. */
function identifierText({ request, unkeyed }: Notification): string {
  if (unkeyed === undefined) return requestText(request)
  const members = Object.entries(request).map(([name, text]) => {
    const value = unkeyed[name] === undefined ? JSON.stringify(text) : containerOrText(text)
    return `${JSON.stringify(name)}:${value}`
  })
  return `{${members.join(',')}}`
}

/** Text between two values of the last request: the next one usually has the same fields. */
let fields: readonly { readonly name: string; readonly before: string }[] = []
/** What JSON writes as it is. */
const PLAIN = /^[ !#-[\]-~]*$/

/** As `JSON.stringify`, which takes twice as long for an object of a few short texts. */
function requestText(request: NotificationRequest): string {
  let text = ''
  let values = ''
  let count = 0
  for (const name in request) {
    const field = fields[count++]
    const value = request[name]
    if (field?.name !== name || value === undefined) return relearn(request)
    text += field.before + value
    values += value
  }
  return count > 0 && PLAIN.test(values) ? `${text}"}` : JSON.stringify(request)
}

function relearn(request: NotificationRequest): string {
  fields = Object.keys(request).map((name, index) => ({
    name,
    before: `${index === 0 ? '{' : '",'}${JSON.stringify(name)}:"`,
  }))
  return JSON.stringify(request)
}

/** Members that neighbours have in common. */
const timeOf = remembering('time')
const providerSourceOf = remembering('providersource')
const providerTimeOf = remembering('providertime')

/** As {@link optional}; the last one is known. */
function remembering(name: string): (value: string | undefined) => string {
  let last: string | undefined
  let text = ''
  return (value) => {
    if (value === last) return text
    last = value
    text = optional(name, value)
    return text
  }
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
