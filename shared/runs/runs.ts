/**
 * Runs: the words of this room, as types, and the port of the tracker.
 *
 * A **run** is one nominal time of one configuration, such as the 12 UTC run of `class=od, stream=oper`. A **product** is one thing expected
 * of it, such as a step. All of this room is pure: products and the time come in, transitions and views go out.
 *
 * Flow: hub → **tracker** → services/runs → notifications of event type `run`
 *
 * @module
 */

/** What a run is in. `late`: its due time has passed, and it is not complete; also where nothing came. */
export type RunState = 'expected' | 'running' | 'late' | 'complete' | 'recovered' | 'incomplete' | 'abandoned'

/** All of {@link RunState}, in the order of a run's life. */
export const RUN_STATES: readonly RunState[] = [
  'expected',
  'running',
  'late',
  'complete',
  'recovered',
  'incomplete',
  'abandoned',
]

/** What is published about a run: the field `state` of event type `run`. */
export type AnnouncedState = 'started' | 'complete' | 'late' | 'recovered' | 'incomplete'

/** All of {@link AnnouncedState}. */
export const ANNOUNCED_STATES: readonly AnnouncedState[] = [
  'started',
  'complete',
  'late',
  'recovered',
  'incomplete',
]

/** A notification of a product, as the journal has it. */
export interface RunProduct {
  /** Event type. */
  readonly event: string
  /** Canonical values, as in the notification's key. */
  readonly fields: Readonly<Record<string, string>>
  /** When it was committed: milliseconds since 1970. */
  readonly at: number
  readonly revision: bigint
  /** Dense number per event type; 0: another writer than ours stored it. */
  readonly sequence: number
}

/** What an operator removed. Without `fields`: the event type was wiped, of everything up to `sequence`. */
export interface RunRemoval {
  readonly event: string
  readonly fields?: Readonly<Record<string, string>>
  readonly at: number
  /** For a wipe: the last number that is gone. */
  readonly sequence?: number
}

/** A run as JSON. Times are RFC 3339 in UTC with milliseconds. */
export interface RunView {
  /** Text that is safe in a path: see `run_id.ts`. */
  readonly id: string
  /** Event type of the products. */
  readonly event_type: string
  /** The fields that name the run. */
  readonly run: Readonly<Record<string, string>>
  readonly nominal: string | null
  readonly state: RunState
  /** Distinct expected products received; while learning: distinct products received. */
  readonly received: number
  /** `null` while learning, and where nothing is said of such a run. */
  readonly expected: number | null
  /** Distinct products received that were not expected. */
  readonly extra: number
  /** Products that were published again. */
  readonly repeated: number
  readonly first_at: string | null
  readonly last_at: string | null
  readonly complete_at: string | null
  /** The last product that was published again after completion. */
  readonly republished_at: string | null
  /** Of the whole run. */
  readonly due_at: string | null
  readonly usual: { readonly first_at: string; readonly complete_at: string } | null
  /** When it is likely to be complete. The interval holds in 80 % of cases. */
  readonly eta: { readonly at: string; readonly from: string; readonly to: string } | null
  readonly learning: { readonly runs: number; readonly needed: number } | null
  /** Missing products whose own due time has passed. */
  readonly overdue: number
  readonly missing: MissingProducts
}

/** What a run lacks. */
export interface MissingProducts {
  readonly count: number
  /** The first of them, in the order in which they usually come. */
  readonly products: readonly Readonly<Record<string, string>>[]
  readonly truncated: boolean
}

/** A product in the grid of a run. */
export interface ProductView {
  readonly product: Readonly<Record<string, string>>
  readonly at: string | null
  readonly due_at: string | null
  /** Seconds after its due time; negative: before. `null` where it has not come, or has no due time. */
  readonly lateness_seconds: number | null
  readonly state: 'received' | 'missing' | 'overdue' | 'extra'
}

/** A run with its products. */
export interface RunDetail extends RunView {
  readonly products: readonly ProductView[]
  /** Whether there are more products than `products` has. */
  readonly products_truncated: boolean
  readonly arrivals: {
    /** Seconds after nominal, and how many had come by then. */
    readonly today: readonly (readonly [seconds: number, received: number])[]
    /** The same of earlier runs: of ten, one had fewer than `low`, five fewer than `middle`, nine fewer than `high`. */
    readonly usual: readonly (readonly [seconds: number, low: number, middle: number, high: number])[]
  }
}

/** A change of a run that others are told of. */
export interface Transition {
  /** The run as it was at that moment. */
  readonly run: RunView
  readonly state: AnnouncedState
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Which runs to give. */
export interface RunFilter {
  readonly event?: string | undefined
  /** Canonical values of fields of the run; a run that lacks one of the fields is left out. */
  readonly fields?: Readonly<Record<string, string>>
  readonly state?: RunState | undefined
  /** Whether a run may be seen; absent: all may. */
  readonly accepts?: ((event: string, run: Readonly<Record<string, string>>) => boolean) | undefined
  readonly limit: number
  /** `next` of the page before. */
  readonly cursor?: string | undefined
}

/** A page of runs, newest nominal time first. */
export interface RunPage {
  readonly runs: readonly RunView[]
  readonly next: string | null
}

/** Bounds of a tracker. */
export interface TrackerLimits {
  /** Runs open at a time, per event type. */
  readonly openRuns: number
  /** Distinct products of one run. */
  readonly products: number
  /** Finished runs that are remembered, per configuration and hour. */
  readonly summaries: number
  /** Finished runs that are remembered, per event type. */
  readonly finishedRuns: number
  /** Finished runs are forgotten this long after their nominal time, in milliseconds. */
  readonly keepMs: number
}

/** A run in its stored form. */
export interface StoredRun {
  /** The run's id: one text for each run, to be the key of `text`. */
  readonly id: string
  /** JSON that {@link TrackerOptions.stored} reads; `null`: the run is not to be stored, delete it. */
  readonly text: string | null
}

/** From where a tracker that is made anew has to be given products. */
export interface Bookmark {
  /** The clock when the first tracker began, in milliseconds since 1970. */
  readonly since: number
  /**
   * Event type → the first number that is needed, and the latest time of products before it. An event type that is not there is needed from
   * its beginning.
   */
  readonly events: Readonly<Record<string, { readonly sequence: number; readonly at: number }>>
}

/** What operators should be told once. */
export interface RunNotice {
  readonly event: string
  readonly text: string
}

/** How many there are, for metrics. */
export interface RunFigures {
  readonly event: string
  readonly open: number
  readonly finished: number
  /** Runs that were let go because there were too many, since the tracker was made. */
  readonly dropped: number
  /** Products that were not counted, because their run had too many, since the tracker was made. */
  readonly uncounted: number
}

/**
 * The state of all runs. The same products in the same order and the same clock give the same transitions, however often it is made anew
 * in between from `stored` and the products from `bookmark` on.
 */
export interface Tracker {
  /** Counts a product, in O(1). One that a finished run has counted before is left out. Products of other event types are left out. */
  take(product: RunProduct): void
  /** Takes back what was removed, from runs that are not finished. */
  remove(removal: RunRemoval): void
  /**
   * Lets time pass: due, late, close, runs expected by the clock. Give it a time up to which all products have been taken. A time before an
   * earlier one counts as that.
   *
   * @returns all transitions since the last call, also those that `take` caused, by time
   */
  tick(now: number): readonly Transition[]
  runs(filter: RunFilter, now: number): RunPage
  /** `undefined`: there is no such run. */
  run(id: string, now: number): RunDetail | undefined
  /** Runs that are not finished or were due lately, for metrics: at most `limit` views. */
  current(now: number, limit: number): readonly RunView[]
  /** Finished runs that are new, changed or forgotten since the last call. Store them, then the bookmark. */
  takeStored(): readonly StoredRun[]
  /**
   * Open runs that are to be stored too, so that the bookmark moves on: those that it waits for the longest, and not all at once. Take them
   * right after a tick whose transitions are published.
   *
   * @param behind Nothing is given while a tracker that is made anew needs no more products than this, of each event type.
   */
  takeOpen(behind: number): readonly StoredRun[]
  /** From where products are needed; of a tracker that was just made: from where it has to be given them. */
  bookmark(): Bookmark
  /** What happened that operators should know, since the last call. */
  takeNotices(): readonly RunNotice[]
  figures(): readonly RunFigures[]
}
