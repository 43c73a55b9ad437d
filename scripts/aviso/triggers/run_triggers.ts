/**
 * Runs the triggers of a listener for one notification.
 *
 * @module
 */

import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { messageOf } from '#shared/client/client_error.ts'
import type { ReceivedNotification } from '#shared/client/notification.ts'
import type { Output } from '../output.ts'
import { TriggerError, type Trigger } from './trigger.ts'

export interface TriggerRun {
  readonly output: Output
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  /** After this aborts, no further attempt is made. */
  readonly stop: AbortSignal
  /** When this aborts, the running trigger is ended at once. */
  readonly kill: AbortSignal
}

/**
 * `done`: the position may move on. `failed`: it must not, and the listener ends. `stopped`: it must not, because the client was stopped
 * before all triggers had succeeded.
 */
export type TriggerOutcome = 'done' | 'failed' | 'stopped'

const RETRY: BackOffLimits = { firstMs: 1000, mostMs: 30_000 }

/** Runs triggers one after another. When one has failed for good, the remaining triggers are skipped, as in 1.x. */
export async function runTriggers(
  triggers: readonly Trigger[],
  notification: ReceivedNotification,
  run: TriggerRun,
): Promise<TriggerOutcome> {
  for (const trigger of triggers) {
    const outcome = await runWithRetries(trigger, notification, run)
    if (outcome !== 'done') return outcome === 'failed' && trigger.onFailure === 'continue' ? 'done' : outcome
  }
  return 'done'
}

async function runWithRetries(
  trigger: Trigger,
  notification: ReceivedNotification,
  run: TriggerRun,
): Promise<TriggerOutcome> {
  for (let attempt = 0; ; attempt++) {
    try {
      await trigger.run(notification, run.kill)
      return 'done'
    } catch (error) {
      const last = attempt >= trigger.retries || !(error instanceof TriggerError && error.retryable)
      const next =
        last || run.stop.aborted ? '' : `, attempt ${attempt + 2} of ${trigger.retries + 1} follows`
      run.output.log(
        'ERROR',
        `Trigger ${trigger.type} failed for ${notification.id}: ${messageOf(error)}${next}`,
      )
      if (run.stop.aborted) return 'stopped'
      if (last) return 'failed'
    }
    await run.clock.sleep(RETRY.firstMs / 2 + backOffMs(attempt, RETRY, run.random), run.stop)
    if (run.stop.aborted) return 'stopped'
  }
}
