/**
 * Follows the journal and computes the state of all runs. Every instance does; the one with the claim publishes and stores.
 *
 * Flow: journal → **tracker** → notifications of event type `run`
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Bookmark, Tracker } from '#shared/runs/runs.ts'
import type { RunsClaim } from './claim.ts'
import { readJournals, type JournalReaderParts } from './journal_reader.ts'
import { RUNS_LIMITS } from './limits.ts'
import { RunsWiped } from './removals.ts'
import { createRunStates, type RunStates, type RunStatesParts } from './run_states.ts'
import { readRuns, writeRuns } from './run_store.ts'

export interface FollowRunsParts extends JournalReaderParts, Omit<RunStatesParts, 'onNews'> {
  readonly claim: RunsClaim
}

/** The state of runs. */
export interface FollowedRuns {
  /** @throws {AvisoError} `ERR_STORE_UNAVAILABLE` until the journal has been read. */
  tracker(): Tracker
  /** The clock of runs, in milliseconds since 1970. */
  now(): number
  /** Whether this instance publishes. */
  isPublishing(): boolean
  /** Publishes and stores what there is, and gives the claim up. Idempotent. */
  close(): Promise<void>
}

/** Begins to follow. */
export function followRuns(parts: FollowRunsParts): FollowedRuns {
  const { announcements, claim, clock, logger, store } = parts
  const stop = new AbortController()
  const states = createRunStates({ ...parts, onNews: () => work(publish) })
  const waiting = new Set<() => Promise<void>>()
  let isFailing = false
  let working: Promise<void> = Promise.resolve()
  let closing: Promise<void> | undefined

  /** One after the other, so that no two writes of this instance are under way, and each waits once at most. */
  function work(step: () => Promise<void>): void {
    if (waiting.has(step)) return
    waiting.add(step)
    working = working.then(async () => {
      waiting.delete(step)
      try {
        await step()
        isFailing = false
      } catch (error) {
        if (!isFailing) logger('warn', 'Runs could not be written; it is tried again', reasonOf(error))
        isFailing = true
      }
    })
  }

  async function publish(): Promise<void> {
    if (claim.fence() !== undefined && states.isUpToDate()) await announcements.publish()
  }

  const storing = createStoring({ ...parts, states, publish })
  const storeChanged = (): Promise<void> => storing(RUNS_LIMITS.mostAgain)
  /** Before the end: the next start need not read products again. */
  const storeAll = (): Promise<void> => storing(0)

  async function keepFollowing(): Promise<void> {
    const { signal } = stop
    while (!signal.aborted) {
      try {
        const restored = await readRuns(store, signal)
        const needed = states.begin(restored)
        const from = { bookmark: restored.bookmark && needed, removed: restored.removed }
        await readJournals(parts, from, { readers: states.readers, signal })
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof RunsWiped) logger('info', 'Runs were wiped: their state is computed anew')
        else logger('warn', 'The state of runs is computed anew', reasonOf(error))
      }
      states.stop()
      await clock.sleep(RUNS_LIMITS.restartMs, signal)
    }
  }

  const stopTimers = [
    clock.every(RUNS_LIMITS.tickMs, states.look),
    clock.every(RUNS_LIMITS.renewMs, () => work(claim.renew)),
    clock.every(RUNS_LIMITS.storeMs, () => work(storeChanged)),
  ]
  work(claim.renew)
  const following = keepFollowing()

  async function close(): Promise<void> {
    for (const stopTimer of stopTimers) stopTimer()
    states.look()
    work(publish)
    work(storeAll)
    await working
    states.stop()
    stop.abort()
    await following
    await claim.release()
  }

  return {
    tracker: () => {
      const tracker = states.known()
      if (tracker !== undefined) return tracker
      throw new AvisoError(
        'ERR_STORE_UNAVAILABLE',
        'The state of runs is being computed from the journal; try again in a moment',
      )
    },
    now: states.now,
    isPublishing: () => claim.fence() !== undefined,
    close: () => (closing ??= close()),
  }
}

interface StoringParts extends Pick<FollowRunsParts, 'announcements' | 'claim' | 'store'> {
  readonly states: RunStates
  readonly publish: () => Promise<void>
}

/** Stores runs and the bookmark; of open runs those that it waits for, while a start would need more products than so many again. */
function createStoring(parts: StoringParts): (behind: number) => Promise<void> {
  const { announcements, claim, publish, states, store } = parts
  let written: Bookmark | undefined

  async function storeRuns(behind: number, part = 1): Promise<void> {
    states.look()
    if (announcements.isWaiting()) await publish()
    states.look()
    const fence = claim.fence()
    const tracker = states.known()
    // A bookmark beyond a transition that is not published yet would lose it, and so would the text of a run.
    if (fence === undefined || tracker === undefined || announcements.isWaiting()) return
    const hasOpen = states.storeOpen(behind)
    const { changed } = states
    const bookmark = tracker.bookmark()
    if (changed.size === 0 && isSame(bookmark, written)) return
    const removed = new Map(states.removed)
    if (!(await writeRuns(store, { changed, bookmark, newsSince: states.newsSince(), removed }, fence)))
      return claim.lost()
    written = bookmark
    if (hasOpen && (behind === 0 || part < RUNS_LIMITS.openParts)) await storeRuns(behind, part + 1)
  }

  return (behind) => storeRuns(behind)
}

function reasonOf(error: unknown): { readonly code: string; readonly reason: string } {
  return {
    code: isAvisoError(error) ? error.code : 'ERR_INTERNAL',
    reason: error instanceof Error ? error.message : 'unknown',
  }
}

function isSame(one: Bookmark, other: Bookmark | undefined): boolean {
  return other !== undefined && JSON.stringify(one) === JSON.stringify(other)
}
