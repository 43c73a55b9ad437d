/**
 * Follows the journal and computes the state of all runs. Every instance does; the one with the claim publishes and stores.
 *
 * Flow: journal → **tracker** → notifications of event type `run`
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { Bookmark, Tracker } from '#shared/runs/runs.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Store } from '#shared/store/store.ts'
import type { Announcements } from './announcements.ts'
import type { RunsClaim } from './claim.ts'
import { readJournals, type JournalReaderParts, type JournalReaders } from './journal_reader.ts'
import { RUNS_LIMITS } from './limits.ts'
import { readRuns, writeRuns, type RestoredRuns } from './run_store.ts'

export interface FollowRunsParts extends JournalReaderParts {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly claim: RunsClaim
  readonly announcements: Announcements
  /** Makes a tracker that goes on where the stored one was. */
  readonly createTracker: (restored: RestoredRuns) => Tracker
}

/** The state of runs. */
export interface FollowedRuns {
  /** @throws {AvisoError} `ERR_STORE_UNAVAILABLE` until the journal has been read. */
  tracker(): Tracker
  /** The clock of runs, in milliseconds since 1970. */
  now(): number
  /** Whether this instance publishes. */
  isPublishing(): boolean
  /** Stores what is finished, and gives the claim up. Idempotent. */
  close(): Promise<void>
}

/** Begins to follow. */
export function followRuns(parts: FollowRunsParts): FollowedRuns {
  const { announcements, claim, clock, logger, store } = parts
  const stop = new AbortController()
  const finished = new Map<string, string | null>()
  let written: Bookmark | undefined
  let tracker: Tracker | undefined
  let isUpToDate = false
  /** Whether the journal has been read to its end since the start. */
  let hasStood = false
  let tickedAt = -Infinity
  let newsSince = clock.now()
  let gathering: (() => void) | undefined
  let working: Promise<void> = Promise.resolve()

  const now = (): number => clock.now() - RUNS_LIMITS.lagMs

  /** Lets time pass for the runs, and takes what has happened. */
  function tick(at: number): void {
    if (tracker === undefined) return
    tickedAt = at
    const transitions = tracker.tick(at)
    // What happened before runs were followed here is history, and no news.
    announcements.add(transitions.filter((transition) => transition.at >= newsSince))
    for (const { id, text } of tracker.takeStored()) finished.set(id, text)
    for (const { event, text } of tracker.takeNotices()) logger('warn', text, { event })
  }

  function gather(): void {
    if (!isUpToDate || gathering !== undefined) return
    gathering = clock.after(RUNS_LIMITS.gatherMs, () => {
      gathering = undefined
      if (isUpToDate) tick(now())
      if (announcements.isWaiting()) work(publish)
    })
  }

  const readers: JournalReaders = {
    passed: (at) => {
      if (!isUpToDate && at - tickedAt >= RUNS_LIMITS.tickMs) tick(at)
    },
    product: (product) => {
      tracker?.take(product)
      gather()
    },
    removal: (removal) => {
      tracker?.remove(removal)
      gather()
    },
    announced: announcements.seen,
    upToDate: (isSo) => {
      isUpToDate = isSo
      if (!isSo) return
      if (!hasStood) logger('info', 'The state of runs is known')
      hasStood = true
      tick(now())
      work(publish)
    },
  }

  /** One after the other, so that no two writes of this instance are under way. */
  function work(step: () => Promise<void>): void {
    working = working.then(step).catch((error: unknown) => {
      logger('warn', 'Runs could not be written; it is tried again', reasonOf(error))
    })
  }

  async function publish(): Promise<void> {
    if (claim.fence() !== undefined && isUpToDate) await announcements.publish()
  }

  async function storeFinished(): Promise<void> {
    const fence = claim.fence()
    // A bookmark beyond a transition that nobody has published would lose it.
    if (fence === undefined || tracker === undefined || !isUpToDate || announcements.isWaiting()) return
    const bookmark = tracker.bookmark()
    if (finished.size === 0 && isSame(bookmark, written)) return
    if (await writeRuns(store, { finished, bookmark, newsSince }, fence)) written = bookmark
    else claim.lost()
  }
  async function keepFollowing(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const restored = await readRuns(store, stop.signal)
        newsSince = restored.newsSince ?? newsSince
        tracker = parts.createTracker(restored)
        await readJournals(parts, restored.bookmark, { readers, signal: stop.signal })
      } catch (error) {
        if (stop.signal.aborted) return
        logger('warn', 'The state of runs is computed anew', reasonOf(error))
      }
      isUpToDate = false
      hasStood = false
      tickedAt = -Infinity
      finished.clear()
      await clock.sleep(RUNS_LIMITS.restartMs, stop.signal)
    }
  }

  const stoppers = [
    clock.every(RUNS_LIMITS.tickMs, () => {
      if (isUpToDate) tick(now())
      if (announcements.isWaiting()) work(publish)
    }),
    clock.every(RUNS_LIMITS.renewMs, () => work(claim.renew)),
    clock.every(RUNS_LIMITS.storeMs, () => work(storeFinished)),
  ]
  work(claim.renew)
  const following = keepFollowing()
  let closing: Promise<void> | undefined

  return {
    tracker: () => {
      if (tracker !== undefined && hasStood) return tracker
      throw new AvisoError(
        'ERR_STORE_UNAVAILABLE',
        'The state of runs is being computed from the journal; try again in a moment',
      )
    },
    now,
    isPublishing: () => claim.fence() !== undefined,
    close: () => (closing ??= close()),
  }

  async function close(): Promise<void> {
    for (const stopOne of stoppers) stopOne()
    gathering?.()
    work(publish)
    work(storeFinished)
    await working
    stop.abort()
    await following
    await claim.release()
  }
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
