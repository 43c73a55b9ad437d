/**
 * The trigger `echo`: prints the notification on stdout.
 *
 * @module
 */

import * as v from 'valibot'
import { toPythonJsonSorted } from '#shared/notification/python_json.ts'
import { toTriggerData } from '#shared/client/notification.ts'
import { commonOptions, failureOptions, keyMessage, type Trigger, type TriggerHost } from './trigger.ts'

/** Options in a listener file. */
export const echoOptions = v.strictObject({ type: v.literal('echo'), ...commonOptions }, keyMessage())

const INDENT = 4

/** Makes a trigger that prints JSON with sorted keys, as 1.x does. */
export function createEcho(options: v.InferOutput<typeof echoOptions>, { output }: TriggerHost): Trigger {
  return {
    type: 'echo',
    ...failureOptions(options),
    run(notification) {
      output.result(toPythonJsonSorted(toTriggerData(notification), INDENT))
      return Promise.resolve()
    },
  }
}
