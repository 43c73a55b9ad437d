/**
 * The state of all runs, from the products that came and the time.
 *
 * @module
 */

import type { Expectation } from './expectation.ts'
import { createEventRuns, type EventRuns, type RunChange } from './event_runs.ts'
import { createRunPages } from './pages.ts'
import { parseRunId } from './run_id.ts'
import type { Run } from './run_record.ts'
import type {
  Bookmark,
  RunFigures,
  RunNotice,
  RunProduct,
  RunView,
  StoredRun,
  Tracker,
  TrackerLimits,
  Transition,
} from './runs.ts'
import { decodeRun, type StoredContent } from './stored_run.ts'
import { detailOf, viewOf } from './views.ts'

/** What a tracker is made of. */
export interface TrackerOptions {
  readonly expectations: ReadonlyMap<string, Expectation>
  readonly limits?: Partial<TrackerLimits>
  /** Texts of finished runs that an earlier tracker gave. */
  readonly stored?: Iterable<string>
  readonly bookmark?: Bookmark | undefined
  /** The present time, where it is known: products that claim to be from after it are taken for what came with the one before. */
  readonly now?: number
}

/** Bounds where none are given. Memory is at most some 700 bytes and two bytes a product for each finished run. */
export const DEFAULT_LIMITS: TrackerLimits = {
  openRuns: 10_000,
  products: 100_000,
  summaries: 35,
  finishedRuns: 100_000,
  keepMs: 60 * 86_400_000,
}

/** The service lets time pass far more often, so a product from so long after the last time has a wrong one. */
const MAX_AHEAD_MS = 36 * 3_600_000
/** Finished runs that are too old are looked for this often. */
const FORGET_EVERY_MS = 3_600_000

/** Makes a tracker. A stored text that cannot be read is left out, and a notice says so. */
export function createTracker(options: TrackerOptions): Tracker {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const events = new Map<string, EventRuns>()
  let transitions: Transition[] = []
  let clock = Number.NEGATIVE_INFINITY
  let since = options.bookmark?.since
  let notices: RunNotice[] = []
  let forgottenAt = Number.NEGATIVE_INFINITY

  const announce = (run: Run, { state, at }: RunChange): void => {
    transitions.push({ run: viewOf(run, at), state, at })
  }
  for (const [event, expectation] of options.expectations) {
    events.set(event, createEventRuns({ expectation, limits, announce }))
  }
  restore(options.stored ?? [])
  if (since !== undefined) for (const runs of events.values()) runs.begin(since)

  function restore(texts: Iterable<string>): void {
    const contents: StoredContent[] = []
    let unread = 0
    for (const text of texts) {
      const content = decodeRun(text)
      if (content === undefined) unread++
      else contents.push(content)
    }
    for (const content of contents.toSorted((a, b) => a.closes - b.closes))
      events.get(content.event)?.restore(content)
    if (unread > 0)
      notices.push({
        event: '',
        text: `${unread} stored runs cannot be read: they are left out, and learned again`,
      })
  }

  function begin(at: number): void {
    if (since !== undefined) return
    since = at
    for (const runs of events.values()) runs.begin(at)
  }

  function horizon(): number {
    const now = Math.max(clock, options.now ?? Number.NEGATIVE_INFINITY)
    return now === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : now + MAX_AHEAD_MS
  }

  function take(product: RunProduct): void {
    const runs = events.get(product.event)
    if (runs === undefined) return
    begin(product.at)
    runs.take(product, horizon())
  }

  function tick(now: number): readonly Transition[] {
    clock = Math.max(clock, now)
    begin(clock)
    for (const runs of events.values()) runs.advance(clock)
    if (clock - forgottenAt >= FORGET_EVERY_MS) {
      forgottenAt = clock
      for (const runs of events.values()) runs.forget(clock - limits.keepMs)
    }
    const found = transitions
    transitions = []
    return found.toSorted((a, b) => a.at - b.at)
  }

  const pages = createRunPages((event) =>
    event === undefined
      ? [...events.values()].flatMap((runs) => [...runs.all()])
      : (events.get(event)?.all() ?? []),
  )

  return {
    take,
    remove: (removal) => events.get(removal.event)?.remove(removal),
    tick,
    runs: pages,
    run(id, now) {
      const event = parseRunId(id)?.event
      const run = event === undefined ? undefined : events.get(event)?.get(id)
      return run === undefined ? undefined : detailOf(run, now)
    },
    current(now, limit) {
      const found: RunView[] = []
      for (const runs of events.values()) {
        for (const run of runs.open()) {
          if (found.length >= limit) return found
          found.push(viewOf(run, now))
        }
      }
      return found
    },
    takeStored: () => [...events.values()].flatMap((runs): readonly StoredRun[] => runs.takeStored()),
    bookmark: () => ({
      since: since ?? Math.max(clock, 0),
      events: Object.fromEntries(
        [...events].flatMap(([event, runs]) => {
          const needed = runs.needed()
          return needed === undefined ? [] : [[event, needed]]
        }),
      ),
    }),
    takeNotices() {
      const found = [...notices, ...[...events.values()].flatMap((runs) => runs.takeNotices())]
      notices = []
      return found
    },
    figures: () => [...events.values()].map((runs): RunFigures => runs.figures()),
  }
}
