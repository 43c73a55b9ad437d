/**
 * Runs the triggers of a listener for one notification.
 *
 * @module
 */

import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { messageOf } from '#shared/client/client_error.ts'
import type { Output } from '../output.ts'
import { TriggerError, type Trigger, type TriggerInput } from './trigger.ts'

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

/** What became of a notification. */
export type TriggerOutcome =
  /** The position may move on. */
  | { readonly kind: 'done' }
  /** The position must not move on, and the listener ends. */
  | { readonly kind: 'failed' }
  /** The position must not move on, because the client was stopped before all triggers had succeeded. */
  | { readonly kind: 'stopped' }
  /** A trigger can never handle this notification. The position may move on when the notification is kept elsewhere. */
  | { readonly kind: 'poisoned'; readonly trigger: string; readonly reason: string }

const DONE = { kind: 'done' } as const
const FAILED = { kind: 'failed' } as const
const STOPPED = { kind: 'stopped' } as const

const RETRY: BackOffLimits = { firstMs: 1000, mostMs: 30_000 }

/**
 * Runs triggers one after another. When one has failed for good, the remaining triggers are skipped, as in 1.x. A failure that is about this
 * one notification does not end the listener, unless the trigger says so, because it would fail again at each start.
 */
export async function runTriggers(
  triggers: readonly Trigger[],
  notification: TriggerInput,
  run: TriggerRun,
): Promise<TriggerOutcome> {
  for (const [index, trigger] of triggers.entries()) {
    const skipped = triggers.slice(index + 1).map(({ type }) => type)
    const result = await runWithRetries(trigger, notification, { ...run, skipped })
    if (result.kind === 'failed') return afterFailure(trigger, result)
    if (result.kind !== 'done') return result
  }
  return DONE
}

/** The last failure of a trigger. */
interface Failure {
  readonly kind: 'failed'
  readonly isPoison: boolean
  readonly reason: string
}

function afterFailure({ type, onFailure, onPoison }: Trigger, { isPoison, reason }: Failure): TriggerOutcome {
  if (!isPoison) return onFailure === 'continue' ? DONE : FAILED
  return onPoison === 'continue' ? { kind: 'poisoned', trigger: type, reason } : FAILED
}

/** Names the triggers that do not run because the one before them has failed for good. */
export function skippedText(types: readonly string[]): string {
  if (types.length === 0) return ''
  return types.length === 1
    ? `; the trigger behind it is skipped: ${types.join()}`
    : `; the ${types.length} triggers behind it are skipped: ${types.join(', ')}`
}

/** Names a wait that the receiver asked for, because it may be minutes. */
function afterText(askedMs: number): string {
  return askedMs === 0 ? '' : ` after ${Math.ceil(askedMs / 1000)} s, as the receiver asked`
}

async function runWithRetries(
  trigger: Trigger,
  notification: TriggerInput,
  run: TriggerRun & { readonly skipped: readonly string[] },
): Promise<typeof DONE | typeof STOPPED | Failure> {
  for (let attempt = 0; ; attempt++) {
    let askedMs = 0
    try {
      await trigger.run(notification, run.kill)
      return DONE
    } catch (error) {
      const isPoison = error instanceof TriggerError && error.isPoison
      const mayPass = error instanceof TriggerError && (error.retryable || isPoison)
      const last = attempt >= trigger.retries || !mayPass
      askedMs = error instanceof TriggerError ? (error.retryAfterMs ?? 0) : 0
      const next = run.stop.aborted
        ? ''
        : last
          ? skippedText(run.skipped)
          : `, attempt ${attempt + 2} of ${trigger.retries + 1} follows${afterText(askedMs)}`
      run.output.log(
        'ERROR',
        `Trigger ${trigger.type} failed for ${notification.id}: ${messageOf(error)}${next}`,
      )
      if (run.stop.aborted) return STOPPED
      if (last) return { kind: 'failed', isPoison, reason: messageOf(error) }
    }
    const wait = Math.max(RETRY.firstMs / 2 + backOffMs(attempt, RETRY, run.random), askedMs)
    await run.clock.sleep(wait, run.stop)
    if (run.stop.aborted) return STOPPED
  }
}
