/**
 * The trigger `echo`: prints the notification on stdout.
 *
 * @module
 */

import * as v from 'valibot'
import { toPythonJsonSorted } from '#shared/notification/python_json.ts'
import { exactJsonText } from '#shared/json/strict_json.ts'
import { toTriggerData, type CloudEvent } from '#shared/client/notification.ts'
import { commonOptions, failureOptions, keyMessage, type Trigger, type TriggerHost } from './trigger.ts'

/** Options in a listener file. */
export const echoOptions = v.strictObject({ type: v.literal('echo'), ...commonOptions }, keyMessage())

const INDENT = 4

/** Makes a trigger that prints JSON with sorted keys, as 1.x does; with `--json` a line for each notification. */
export function createEcho(
  options: v.InferOutput<typeof echoOptions>,
  { output, json }: TriggerHost,
): Trigger {
  return {
    type: 'echo',
    ...failureOptions(options),
    run(notification) {
      output.result(
        json ? notificationLine(notification) : toPythonJsonSorted(toTriggerData(notification), INDENT),
      )
      return Promise.resolve()
    },
    plan: () => ({ text: 'print it', details: { print: true } }),
  }
}

/** The notification as JSON on one line, with its place in the stream, and the payload as `payload` whatever its event type calls it. */
export function notificationLine({
  id,
  event,
  sequence,
  time,
  source,
  request,
  payload,
}: CloudEvent): string {
  return exactJsonText({
    id,
    event,
    ...(sequence !== undefined && { sequence }),
    ...(time !== undefined && { time }),
    source,
    request,
    ...(payload !== undefined && { payload }),
  })
}
