/**
 * Prints what triggers would do for a notification, in place of doing it.
 *
 * @module
 */

import { messageOf } from '#shared/client/client_error.ts'
import type { JsonRecord } from '#shared/json/record.ts'
import type { ReceivedNotification } from '#shared/client/notification.ts'
import type { Trigger, TriggerHost } from './trigger.ts'

/** What one trigger would do. */
export interface Plan {
  readonly trigger: string
  /** Such as `echo would print it`. */
  readonly text: string
  /** The same for programs: what it would do, why it fails, or the trigger whose failure skips it. */
  readonly details: { readonly would: JsonRecord } | { readonly fails: string } | { readonly skipped: string }
}

/** What the triggers of a listener would do, in order. As in a real run, those behind a failure are skipped. */
export function planTriggers(triggers: readonly Trigger[], notification: ReceivedNotification): Plan[] {
  const plans: Plan[] = []
  let failed: string | undefined
  for (const trigger of triggers) {
    const { type } = trigger
    if (failed !== undefined) {
      const text = `${type} would be skipped, because ${failed} before it would fail`
      plans.push({ trigger: type, text, details: { skipped: failed } })
      continue
    }
    try {
      const { text, details } = trigger.plan(notification)
      plans.push({ trigger: type, text: `${type} would ${text}`, details: { would: details } })
    } catch (error) {
      failed = type
      const reason = messageOf(error)
      plans.push({ trigger: type, text: `${type} would fail: ${reason}`, details: { fails: reason } })
    }
  }
  return plans
}

/** Triggers of a listener that print, never fail and run nothing. The first of them prints for all. */
export function dryRun(triggers: readonly Trigger[], { output, json }: TriggerHost): readonly Trigger[] {
  return triggers.map((trigger, index) => ({
    ...trigger,
    run(notification) {
      for (const { trigger: type, text, details } of index === 0 ? planTriggers(triggers, notification) : [])
        output.result(
          json
            ? JSON.stringify({ id: notification.id, trigger: type, ...details })
            : `${notification.id} ${text}`,
        )
      return Promise.resolve()
    },
  }))
}
