/**
 * Prints what a trigger would do for a notification, in place of doing it.
 *
 * @module
 */

import { messageOf } from '#shared/client/client_error.ts'
import type { Trigger, TriggerHost } from './trigger.ts'

/** A trigger that prints, never fails and runs nothing. */
export function dryRun(trigger: Trigger, { output, json }: TriggerHost): Trigger {
  return {
    ...trigger,
    run(notification) {
      const { type } = trigger
      const { id } = notification
      try {
        const { text, details } = trigger.plan(notification)
        output.result(
          json ? JSON.stringify({ id, trigger: type, would: details }) : `${id} ${type} would ${text}`,
        )
      } catch (error) {
        const reason = messageOf(error)
        output.result(
          json ? JSON.stringify({ id, trigger: type, fails: reason }) : `${id} ${type} would fail: ${reason}`,
        )
      }
      return Promise.resolve()
    },
  }
}
