/**
 * The state of all runs, from the products that came and the time.
 *
 * @module
 */

import { EventRuns } from './event_runs.ts'
import type { Expectation } from './expectation.ts'
import { pageOf } from './pages.ts'
import { parseRunId } from './run_id.ts'
import type { Run } from './run_record.ts'
import type {
  Bookmark,
  RunDetail,
  RunFigures,
  RunFilter,
  RunNotice,
  RunPage,
  RunProduct,
  RunRemoval,
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
  /** Texts of runs that an earlier tracker gave. */
  readonly stored?: Iterable<string>
  readonly bookmark?: Bookmark | undefined
  /** The present time, where it is known: no product can have come long after it. */
  readonly now?: number
}

/** Bounds where none are given. A finished run takes less than a kibibyte, and two bytes a product. */
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
  return new RunTracker(options)
}

class RunTracker implements Tracker {
  readonly #events = new Map<string, EventRuns>()
  readonly #limits: TrackerLimits
  #transitions: Transition[] = []
  #notices: RunNotice[] = []
  #clock = Number.NEGATIVE_INFINITY
  #horizon: number
  #forgottenAt = Number.NEGATIVE_INFINITY
  #since: number | undefined

  constructor({ expectations, limits, stored = [], bookmark, now }: TrackerOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
    this.#horizon = now === undefined ? Number.POSITIVE_INFINITY : now + MAX_AHEAD_MS
    for (const [event, expectation] of expectations) {
      const runs = new EventRuns({
        expectation,
        limits: this.#limits,
        announce: (run, { state, at }) => this.#transitions.push({ run: viewOf(run, at), state, at }),
      })
      this.#events.set(event, runs)
    }
    const open = this.#restoreFinished(stored)
    if (bookmark !== undefined) this.#begin(bookmark.since)
    for (const [event, runs] of this.#events) {
      const place = bookmark?.events[event]
      if (place !== undefined) runs.resume(place)
    }
    for (const content of open.toSorted((a, b) => a.created - b.created))
      this.#events.get(content.event)?.restoreOpen(content, bookmark !== undefined)
    for (const runs of this.#events.values()) runs.endReading()
  }

  /** @returns the others */
  #restoreFinished(texts: Iterable<string>): readonly StoredContent[] {
    const open: StoredContent[] = []
    let unread = 0
    // One after the other, so that there is never the content of all texts.
    for (const text of texts) {
      const content = decodeRun(text)
      if (content === undefined) unread++
      else if (content.open === undefined) this.#events.get(content.event)?.read(content)
      else open.push(content)
    }
    for (const runs of this.#events.values()) runs.takeIn()
    if (unread > 0) this.#tellUnread(unread)
    return open
  }

  #tellUnread(unread: number): void {
    const text = `${unread} stored runs cannot be read: they are left out, and what is usual is learned again`
    this.#notices.push({ event: '', text })
  }

  #begin(at: number): void {
    if (this.#since !== undefined) return
    this.#since = at
    for (const runs of this.#events.values()) runs.begin(at)
  }

  take(product: RunProduct): void {
    const runs = this.#events.get(product.event)
    if (runs === undefined) return
    if (this.#since === undefined) this.#begin(product.at)
    runs.take(product, this.#horizon)
  }

  remove(removal: RunRemoval): void {
    this.#events.get(removal.event)?.remove(removal)
  }

  tick(now: number): readonly Transition[] {
    this.#clock = Math.max(this.#clock, now)
    this.#horizon = this.#clock + MAX_AHEAD_MS
    this.#begin(this.#clock)
    for (const runs of this.#events.values()) runs.advance(this.#clock)
    if (this.#clock - this.#forgottenAt >= FORGET_EVERY_MS) {
      this.#forgottenAt = this.#clock
      for (const runs of this.#events.values()) runs.forget(this.#clock - this.#limits.keepMs)
    }
    const found = this.#transitions
    this.#transitions = []
    return found.toSorted((a, b) => a.at - b.at)
  }

  runs(filter: RunFilter, now: number): RunPage {
    return pageOf(this.#all(filter.event), filter, now)
  }

  *#all(event: string | undefined): Generator<Run> {
    for (const [name, runs] of this.#events) if (event === undefined || event === name) yield* runs.all()
  }

  run(id: string, now: number): RunDetail | undefined {
    const event = parseRunId(id)?.event
    const run = event === undefined ? undefined : this.#events.get(event)?.get(id)
    return run === undefined ? undefined : detailOf(run, now)
  }

  current(now: number, limit: number): readonly RunView[] {
    const found: RunView[] = []
    for (const runs of this.#events.values()) {
      for (const run of runs.open()) {
        if (found.length >= limit) return found
        found.push(viewOf(run, now))
      }
    }
    return found
  }

  takeStored(): readonly StoredRun[] {
    return [...this.#events.values()].flatMap((runs) => runs.takeStored())
  }

  takeOpen(behind: number): readonly StoredRun[] {
    return [...this.#events.values()].flatMap((runs) => runs.takeOpen(behind))
  }

  bookmark(): Bookmark {
    const events: Record<string, { readonly sequence: number; readonly at: number }> = {}
    for (const [event, runs] of this.#events) {
      const needed = runs.needed()
      if (needed !== undefined) events[event] = needed
    }
    return { since: this.#since ?? Math.max(this.#clock, 0), events }
  }

  takeNotices(): readonly RunNotice[] {
    const found = [...this.#notices, ...[...this.#events.values()].flatMap((runs) => runs.takeNotices())]
    this.#notices = []
    return found
  }

  figures(): readonly RunFigures[] {
    return [...this.#events.values()].map((runs) => runs.figures())
  }
}
