/**
 * Replaces `${…}` by parts of a notification.
 *
 * @module
 */

import { exactJsonText, isJsonObject, type JsonValue } from '#shared/json/strict_json.ts'
import { toPythonJson } from '#shared/notification/python_json.ts'
import { toTriggerData, type ReceivedNotification } from '#shared/client/notification.ts'
import { AT_TIMES, RUN_EVENT } from '../runs/run_view.ts'
import type { Handover } from './handover.ts'
import { TriggerError, type TriggerInput } from './trigger.ts'

const PLACEHOLDER = /\$\{([\w.]+)\}/g

/** The names in `${…}`. */
export function placeholders(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)].map((match) => match[1] ?? '')
}

/**
 * Replaces `${json}` (the notification as JSON), `${jsonpath}` (the path of a file with that), `${runpath}` (the path of a file with the
 * notifications of a whole run), and dotted names such as `${request.date}`.
 * An absent payload becomes an empty text, and so does a member that runs have at times, such as `${payload.complete_at}`. Values that are not texts become JSON. Replaced text is not searched again.
 *
 * @param handover Says what stands for a value that a program cannot get as it is.
 * @throws {TriggerError} for a name that the notification does not have.
 */
export function substitute(
  text: string,
  notification: TriggerInput,
  handover: Pick<Handover, 'give' | 'file'>,
): string {
  return text.replaceAll(PLACEHOLDER, (_match, name: string) => {
    if (name === 'jsonpath') return handover.file('notification.json', notificationJson(notification))
    if (name === 'runpath' && notification.runFile !== undefined) return notification.runFile
    return handover.give(name, name === 'json' ? notificationJson(notification) : valueOf(name, notification))
  })
}

/** The notification in the form of 1.x's `${json}`: ASCII, with `", "` and `": "` between its parts. */
export function notificationJson(notification: ReceivedNotification): string {
  return toPythonJson(toTriggerData(notification))
}

function valueOf(name: string, notification: TriggerInput): string {
  if (name === notification.payloadName && notification.payload === undefined) return ''
  let value: JsonValue | undefined = toTriggerData(notification)
  for (const step of name.split('.'))
    value = isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined
  if (value === undefined && isAtTimes(name, notification)) return ''
  if (value === undefined) {
    const known = [
      'event',
      ...Object.keys(notification.request).map((field) => `request.${field}`),
      notification.payloadName,
      'json',
      'jsonpath',
      ...(notification.runFile === undefined ? [] : ['runpath']),
    ]
    throw new TriggerError(`\${${name}} is not part of the notification; known are ${known.join(', ')}`, {
      retryable: false,
      // Payloads differ from one notification to the next. Other names are wrong in the listener file.
      isPoison: name.startsWith(`${notification.payloadName}.`),
    })
  }
  return typeof value === 'string' ? value : exactJsonText(value)
}

/** Whether the run of a notification has it at other times: the payload has no member for what is not known yet. */
function isAtTimes(name: string, { event, payload, payloadName }: TriggerInput): boolean {
  if (event !== RUN_EVENT || !isJsonObject(payload)) return false
  return AT_TIMES.some((member) => name === `${payloadName}.${member}`)
}
