/**
 * The trigger `log`: appends a line per notification to a file.
 *
 * @module
 */

import { appendFile } from 'node:fs/promises'
import * as v from 'valibot'
import { messageOf } from '#shared/client/client_error.ts'
import { expandHome } from '../paths.ts'
import { toTriggerData, type ReceivedNotification } from '#shared/client/notification.ts'
import { pythonRepr, pythonTimestamp } from '../python_text.ts'
import {
  commonOptions,
  failureOptions,
  keyMessage,
  text,
  TriggerError,
  type Trigger,
  type TriggerHost,
} from './trigger.ts'

/** Options in a listener file. */
export const logOptions = v.strictObject(
  { type: v.literal('log'), path: text('must be the path of a file'), ...commonOptions },
  keyMessage(),
)

/** Makes a trigger that appends lines in 1.x's form. A line is one write, so several listeners may share a file. The folder must exist. */
export function createLog(options: v.InferOutput<typeof logOptions>, { home, clock }: TriggerHost): Trigger {
  const path = expandHome(options.path, home)
  return {
    type: 'log',
    ...failureOptions(options),
    plan: (notification) => ({
      text: `append to ${path}: ${lineOf(notification)}`,
      details: { append_to: path, line: lineOf(notification) },
    }),
    async run(notification) {
      const line = lineOf(notification)
      await appendFile(path, `${pythonTimestamp(clock.now())} - aviso - INFO - ${line}\n`).catch(
        (cause: unknown) => {
          throw new TriggerError(`cannot write to ${path}: ${messageOf(cause)}`, { retryable: true, cause })
        },
      )
    },
  }
}

function lineOf(notification: ReceivedNotification): string {
  return `Notification received: ${pythonRepr(toTriggerData(notification))}`
}
