/**
 * The commit delay: notifications that come one by one, in quick succession, wait a moment for each other, and share a commit. What a commit
 * costs beside its notifications (a sync of the disk, a journal, a revision for the hub) is several times what a notification costs.
 *
 * Flow: ingest → lane (**commit delay**) → store
 *
 * Whether a delay pays cannot be told from the rate: one provider that sends its next notification after each answer is as quick as several
 * that do not wait for each other, and nothing comes while it waits. So it is tried now and then, and goes on as long as others come meanwhile.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { onNextTurn } from '#shared/time/turn.ts'
import { COMMIT_DELAY } from './limits.ts'
import type { Load } from './pending.ts'

/** Of one publisher, for all of its event types. */
export interface CommitDelay {
  /** Says that a notification came. */
  arrived(): void
  /** Says that event types become ready together: what is decided for the first of them holds for the others. */
  decideAnew(): void
  /**
   * Waits for others, where that pays.
   *
   * @param waitedMs How long the first notification that is ready to be sent has waited.
   * @returns `undefined`: send it now
   */
  wait(waitedMs: number): Promise<void> | undefined
}

/** Notifications that wait for others. */
interface Waiting {
  /** How many there are by now. */
  count: number
  /** With how many they go. */
  readonly enough: number
  readonly end: () => void
  readonly ended: Promise<void>
}

/** @param load The notifications of the publisher. */
export function createCommitDelay(
  clock: Pick<Clock, 'after' | 'monotonic'>,
  load: Pick<Load, 'items' | 'sent'>,
): CommitDelay {
  let waiting: Waiting | undefined
  /** Whether others came in the last waits. */
  let isWorthIt = false
  /** Waits in a row in which none came. */
  let vain = 0
  /** Waits since it became worth it. */
  let waits = 0
  /** How many were together of late at most. */
  let usual = 0
  /** Commits in quick succession until a wait is tried, and how many there were. */
  let patience: number = COMMIT_DELAY.firstTry
  let quick = 0
  let lastAt = -Infinity
  /** Whether it is decided for the event types that have become ready. */
  let isDecided = false

  /** Whether the present commit may wait. */
  function isDue(): boolean {
    const now = clock.monotonic()
    const isQuick = now - lastAt < COMMIT_DELAY.ms
    lastAt = now
    if (isWorthIt) return true
    if (!isQuick || ++quick < patience) return false
    quick = 0
    return true
  }

  function learn(count: number, came: number): void {
    usual = Math.max(count, usual - COMMIT_DELAY.fade)
    if (came > 0) {
      vain = 0
      isWorthIt = true
      patience = COMMIT_DELAY.firstTry
    } else if (!isWorthIt || ++vain >= COMMIT_DELAY.vain) {
      vain = 0
      isWorthIt = false
      usual = 0
      patience = Math.min(patience * 2, COMMIT_DELAY.lastTry)
    }
  }

  function begin(here: number, ms: number): Waiting {
    const isLong = !isWorthIt || ++waits % COMMIT_DELAY.longEvery === 0
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const end = (): void => {
      if (waiting !== begun) return
      waiting = undefined
      stopTimer()
      learn(begun.count, begun.count - here)
      resolve()
    }
    const enough = isLong ? COMMIT_DELAY.enough : Math.min(Math.ceil(usual), COMMIT_DELAY.enough)
    const begun: Waiting = { count: here, enough, end, ended }
    const stopTimer = clock.after(ms, end)
    return begun
  }

  return {
    arrived: () => {
      if (waiting === undefined) return
      waiting.count++
      // What is read in the same turn goes with it.
      if (waiting.count === waiting.enough) onNextTurn(waiting.end)
    },
    decideAnew: () => {
      isDecided = false
    },
    wait: (waitedMs) => {
      // What is answered leaves a moment before it counts as no longer sent.
      const here = Math.max(1, load.items - load.sent)
      if (here >= COMMIT_DELAY.enough) return undefined
      if (waiting !== undefined) return waiting.ended
      if (isDecided) return undefined
      isDecided = true
      const left = COMMIT_DELAY.ms - waitedMs
      if (!isDue() || left < COMMIT_DELAY.leastMs) return undefined
      if (isWorthIt && here >= usual) {
        usual = here
        return undefined
      }
      waiting = begin(here, left)
      return waiting.ended
    },
  }
}
