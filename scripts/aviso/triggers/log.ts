/**
 * The trigger `log`: appends a line per notification to a file.
 *
 * @module
 */

import { appendFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as v from 'valibot'
import { messageOf } from '#shared/client/client_error.ts'
import { expandPath } from '../paths.ts'
import { toTriggerData, type ReceivedNotification } from '#shared/client/notification.ts'
import { pythonRepr, pythonTimestamp } from '../python_text.ts'
import {
  commonOptions,
  requireFolder,
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

type LogOptions = v.InferOutput<typeof logOptions>

/**
 * The file of the trigger.
 *
 * @throws {ClientError} when its folder is not there.
 */
export function logPath({ path: given }: LogOptions, host: TriggerHost): string {
  const path = expandPath(given, host)
  requireFolder(dirname(path))
  return path
}

/** Makes a trigger that appends lines in 1.x's form. A line is one write, so several listeners may share a file. */
export function createLog(options: LogOptions, { clock }: TriggerHost, path: string): Trigger {
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
