/**
 * Keeps the runs of an event type within bounds: counts what is let go, and says so once.
 *
 * @module
 */

import type { ProductName } from './product_names.ts'
import type { Run, Slot } from './run_record.ts'
import type { RunFigures, RunNotice, TrackerLimits } from './runs.ts'

/** Products of all open runs together, in four bytes each. */
const MAX_OPEN_CELLS = 10_000_000
/** Products of all finished runs together, most of them in two bytes. */
const MAX_FINISHED_CELLS = 40_000_000
/** It is told again when there were fewer than this share of the bound in between. */
const TOLD_AGAIN = 0.5

/** With more open runs without others of their kind, the beginning of such a run is not told: it is a flood of names. */
const MAX_TOLD_SUSPECTS = 1_000

/** Takes a run out of everything else. */
export interface RunExits {
  /** An open run that nothing is remembered of. */
  readonly letGo: (run: Run) => void
  /** A finished run. */
  readonly forget: (run: Run) => void
}

/** The bounds of an event type's runs. Its sets keep the order in which runs were added: the first is the oldest. */
export class RunBounds {
  readonly #event: string
  readonly #limits: TrackerLimits
  readonly #exits: RunExits
  readonly #open = new Set<Run>()
  /** Open runs without others of their kind, or long after their time: they go first, so that a flood of names costs only itself. */
  readonly #suspects = new Set<Run>()
  readonly #finished = new Set<Run>()
  /** Finished runs without others of their kind. */
  readonly #lone = new Set<Run>()
  #openCells = 0
  #finishedCells = 0
  #dropped = 0
  #uncounted = 0
  #isToldOfRuns = false
  #isToldOfProducts = false
  #notices: RunNotice[] = []

  constructor(event: string, limits: TrackerLimits, exits: RunExits) {
    this.#event = event
    this.#limits = limits
    this.#exits = exits
  }

  /** The index of a product; below 0: there are too many. */
  indexIn({ shape }: Slot, name: ProductName): number {
    const known = shape.indexOf(name)
    if (known >= 0) return known
    return shape.size >= this.#limits.products ? this.#refuseProduct() : shape.add(name)
  }

  /** The same for a run, whose codes may have to grow for it. */
  indexOf(run: Run, name: ProductName): number {
    const index = this.indexIn(run.slot, name)
    if (index < run.codes.length) return index
    while (this.#openCells + index - run.codes.length > MAX_OPEN_CELLS) {
      if (!this.#dropOldest(run)) return this.#refuseProduct()
    }
    return index
  }

  opened(run: Run): void {
    this.#open.add(run)
    this.#openCells += run.codes.length
    const { runs } = run.slot
    if (!run.isTimely || runs.length === 1) this.#suspects.add(run)
    else if (runs.length === 2) for (const other of runs) if (other.isTimely) this.#suspects.delete(other)
    const { openRuns } = this.#limits
    if (this.#open.size > openRuns || this.#openCells > MAX_OPEN_CELLS) this.#dropOldest(run)
    else if (this.#open.size < openRuns * TOLD_AGAIN) this.#isToldOfRuns = false
  }

  /** A run's codes have grown. @param before How many there were. */
  grown(run: Run, before: number): void {
    const cells = run.codes.length - before
    if (run.isClosed) this.#finishedCells += cells
    else this.#openCells += cells
  }

  /** A run is finished. @param before How many codes it had. */
  closed(run: Run, before: number): void {
    if (this.#open.delete(run)) this.#openCells -= before
    this.#suspects.delete(run)
    this.#finished.add(run)
    this.#finishedCells += run.codes.length
    if (run.slot.runs.length === 1) this.#lone.add(run)
    this.#trimSlot(run.slot)
    while (this.#finished.size > this.#limits.finishedRuns || this.#finishedCells > MAX_FINISHED_CELLS) {
      const oldest = this.#firstLone() ?? first(this.#finished)
      if (oldest === undefined) return
      this.forget(oldest)
    }
  }

  #firstLone(): Run | undefined {
    for (const run of this.#lone) {
      if (run.slot.runs.length === 1) return run
      this.#lone.delete(run)
    }
    return undefined
  }

  /** Without a nominal time all runs have one slot, so only the bound of the event type counts. */
  #trimSlot(slot: Slot): void {
    if (slot.timeOfDay === undefined) return
    const surplus = slot.runs.length - slot.open.size - this.#limits.summaries
    if (surplus <= 0) return
    const oldest = slot.runs.filter((run) => this.#finished.has(run)).slice(0, surplus)
    for (const run of oldest) this.forget(run)
  }

  /** Whether a run is one of a flood of names. */
  isOfFlood(run: Run): boolean {
    return this.#suspects.size > MAX_TOLD_SUSPECTS && this.#suspects.has(run)
  }

  /** Lets a finished run go. */
  forget(run: Run): void {
    if (!this.#finished.delete(run)) return
    this.#lone.delete(run)
    this.#finishedCells -= run.codes.length
    this.#exits.forget(run)
  }

  /** Lets an open run go. */
  dropOpen(run: Run): void {
    if (!this.#open.delete(run)) return
    this.#suspects.delete(run)
    this.#openCells -= run.codes.length
    this.#exits.letGo(run)
  }

  #dropOldest(except: Run): boolean {
    const run = first(this.#suspects, except) ?? first(this.#open, except)
    if (run === undefined) return false
    this.dropOpen(run)
    this.#dropped++
    if (!this.#isToldOfRuns) {
      this.#isToldOfRuns = true
      this.#tell(
        `More than ${this.#limits.openRuns} runs of ${this.#event} are open, or they have too many products: the oldest are abandoned, first those without earlier runs`,
      )
    }
    return true
  }

  #refuseProduct(): number {
    this.#uncounted++
    if (!this.#isToldOfProducts) {
      this.#isToldOfProducts = true
      this.#tell(
        `A run of ${this.#event} has more than ${this.#limits.products} products: the others are not counted`,
      )
    }
    return -1
  }

  #tell(text: string): void {
    this.#notices.push({ event: this.#event, text })
  }

  openRuns(): Iterable<Run> {
    return this.#open
  }

  finishedRuns(): Iterable<Run> {
    return this.#finished
  }

  takeNotices(): readonly RunNotice[] {
    const found = this.#notices
    this.#notices = []
    return found
  }

  figures(): RunFigures {
    return {
      event: this.#event,
      open: this.#open.size,
      finished: this.#finished.size,
      dropped: this.#dropped,
      uncounted: this.#uncounted,
    }
  }
}

function first(runs: ReadonlySet<Run>, except?: Run): Run | undefined {
  for (const run of runs) if (run !== except) return run
  return undefined
}
