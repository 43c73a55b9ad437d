/**
 * The state of all runs in this process: what the journal says goes in, and what is to be published and stored comes out.
 *
 * @module
 */

import type { Logger } from '#shared/logger.ts'
import type { Bookmark, Tracker } from '#shared/runs/runs.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Announcements } from './announcements.ts'
import type { JournalReaders } from './journal_teller.ts'
import { RUNS_LIMITS } from './limits.ts'
import { createNews } from './news.ts'
import type { RemovalsRead, RestoredRuns } from './run_store.ts'

export interface RunStatesParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly announcements: Announcements
  /** Makes a tracker that goes on where the stored one was. */
  readonly createTracker: (restored: RestoredRuns) => Tracker
  /** Called when something may be there to publish. */
  readonly onNews: () => void
}

/** The state of all runs. */
export interface RunStates {
  readonly readers: JournalReaders
  /** Begins anew. @returns from where products are needed */
  begin(restored: RestoredRuns): Bookmark
  /** Lets time pass, where all that is stored has been read. */
  look(): void
  /** What must be read again before the next look. */
  stop(): void
  /** The clock of runs, in milliseconds since 1970. */
  now(): number
  isUpToDate(): boolean
  /** `undefined` until all that is stored has been read once. */
  known(): Tracker | undefined
  /** What is to be stored, and is taken out then: id → text. */
  readonly changed: Map<string, string | null>
  /** The removals that are in it. */
  readonly removed: RemovalsRead
  /**
   * Adds open runs to what is to be stored, a part of them. Call it right after {@link RunStates.look}, when nothing waits to be published.
   *
   * @param behind Nothing is added while a start needs no more products than this again.
   * @returns whether there were any
   */
  storeOpen(behind: number): boolean
  newsSince(): number
}

/** No runs yet. */
export function createRunStates(parts: RunStatesParts): RunStates {
  const { announcements, clock, logger, onNews } = parts
  const changed = new Map<string, string | null>()
  const removed = new Map<string, number>()
  let tracker: Tracker | undefined
  let isUpToDate = false
  /** Whether the journal has been read to its end since the start. */
  let hasStood = false
  let tickedAt = -Infinity
  const news = createNews(clock.now())
  let gathering: (() => void) | undefined

  const now = (): number => clock.now() - RUNS_LIMITS.lagMs

  function tick(at: number): void {
    if (tracker === undefined) return
    tickedAt = at
    announcements.add(news.of(tracker.tick(at)))
    for (const { id, text } of tracker.takeStored()) changed.set(id, text)
    for (const { event, text } of tracker.takeNotices()) logger('warn', text, { event })
  }

  function look(): void {
    if (isUpToDate) {
      tick(now())
      announcements.add(news.overdue())
    }
    if (isUpToDate && announcements.isWaiting()) onNews()
  }

  /** Looks a moment later, because products come together. */
  function gather(): void {
    if (!isUpToDate || gathering !== undefined) return
    gathering = clock.after(RUNS_LIMITS.gatherMs, () => {
      gathering = undefined
      look()
    })
  }

  function stop(): void {
    isUpToDate = false
    gathering?.()
    gathering = undefined
  }

  return {
    changed,
    removed,
    begin(restored) {
      stop()
      hasStood = false
      tickedAt = -Infinity
      // Runs that are wiped are forgotten, and told no more.
      const since = restored.newsSince ?? (restored.wiped.length > 0 ? clock.now() : news.since())
      news.begin(since, restored.isFirst)
      changed.clear()
      removed.clear()
      for (const id of restored.wiped) changed.set(id, null)
      tracker = parts.createTracker(restored)
      return tracker.bookmark()
    },
    look,
    storeOpen(behind) {
      const open = isUpToDate ? (tracker?.takeOpen(behind) ?? []) : []
      for (const { id, text } of open) changed.set(id, text)
      return open.length > 0
    },
    stop,
    now,
    isUpToDate: () => isUpToDate,
    known: () => (hasStood ? tracker : undefined),
    newsSince: news.since,
    readers: {
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
      removalsRead: (event, revision) => removed.set(event, Number(revision)),
      announced: announcements.seen,
      upToDate: (isSo) => {
        if (!isSo) return stop()
        isUpToDate = true
        if (!hasStood) logger('info', 'The state of runs is known')
        hasStood = true
        look()
      },
    },
  }
}
