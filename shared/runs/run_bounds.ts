/**
 * Keeps the runs of an event type within bounds: counts what is let go, and says so once.
 *
 * @module
 */

import type { Run, Slot } from './run_record.ts'
import type { RunFigures, RunNotice, TrackerLimits } from './runs.ts'

/** The bounds of an event type's runs. */
export interface RunBounds {
  /** The index of a product; below 0: there are too many. */
  indexIn(slot: Slot, key: string): number
  /** The same for a run, whose codes may have to grow for it. */
  indexOf(run: Run, key: string): number
  opened(run: Run): void
  /** A run's codes were so many before. */
  grown(run: Run, before: number): void
  closed(run: Run, before: number): void
  forget(run: Run): void
  dropOpen(run: Run): void
  openRuns(): Iterable<Run>
  finishedRuns(): Iterable<Run>
  takeNotices(): readonly RunNotice[]
  figures(): RunFigures
}

/** Products of all open runs together, in four bytes each. */
const MAX_OPEN_CELLS = 10_000_000
/** Products of all finished runs together, most of them in two bytes. */
const MAX_FINISHED_CELLS = 40_000_000
/** It is told again when there were fewer than this share of the bound in between. */
const TOLD_AGAIN = 0.5

/** Makes the bounds. `letGo` and `forgetRun` take a run out of everything else. */
export function createRunBounds(
  event: string,
  limits: TrackerLimits,
  { letGo, forgetRun }: { readonly letGo: (run: Run) => void; readonly forgetRun: (run: Run) => void },
): RunBounds {
  // Sets keep the order in which runs were added: the first is the oldest.
  const open = new Set<Run>()
  /** Open runs that came without others of their kind, or long after their time: they go first, so that a flood of names costs only itself. */
  const suspects = new Set<Run>()
  const finished = new Set<Run>()
  const lone = new Set<Run>()
  let openCells = 0
  let finishedCells = 0
  let dropped = 0
  let uncounted = 0
  let isToldOfRuns = false
  let isToldOfProducts = false
  let notices: RunNotice[] = []

  function dropOpen(run: Run): void {
    if (!open.delete(run)) return
    suspects.delete(run)
    openCells -= run.codes.length
    letGo(run)
  }

  function dropOldest(except: Run): boolean {
    for (const run of [first(suspects, except), first(open, except)]) {
      if (run === undefined) continue
      dropOpen(run)
      dropped++
      if (!isToldOfRuns) {
        isToldOfRuns = true
        const text = `More than ${limits.openRuns} runs of ${event} are open, or they have too many products: the oldest are abandoned, those without earlier runs first`
        notices.push({ event, text })
      }
      return true
    }
    return false
  }

  function refuseProduct(): number {
    uncounted++
    if (!isToldOfProducts) {
      isToldOfProducts = true
      notices.push({
        event,
        text: `A run of ${event} has more than ${limits.products} products: the others are not counted`,
      })
    }
    return -1
  }

  function indexIn({ shape }: Slot, key: string): number {
    const known = shape.index.get(key)
    if (known !== undefined) return known
    if (shape.keys.length >= limits.products) return refuseProduct()
    shape.index.set(key, shape.keys.length)
    return shape.keys.push(key) - 1
  }

  function forget(run: Run): void {
    if (!finished.delete(run)) return
    lone.delete(run)
    finishedCells -= run.codes.length
    forgetRun(run)
  }

  function trimFinished(): void {
    while (finished.size > limits.finishedRuns || finishedCells > MAX_FINISHED_CELLS) {
      for (const run of lone) {
        if (run.slot.runs.length === 1) break
        lone.delete(run)
      }
      const oldest = first(lone) ?? first(finished)
      if (oldest === undefined) return
      forget(oldest)
    }
  }

  /** Without a nominal time all runs have one slot, so only the bound of the event type counts. */
  function trimSlot(slot: Slot): void {
    if (slot.timeOfDay === undefined) return
    let count = slot.runs.length - slot.open.size
    for (let place = 0; count > limits.summaries && place < slot.runs.length;) {
      const run = slot.runs[place]
      if (run === undefined || !finished.has(run)) place++
      else {
        forget(run)
        count--
      }
    }
  }

  return {
    indexIn,
    indexOf(run, key) {
      const index = indexIn(run.slot, key)
      if (index < run.codes.length) return index
      while (openCells + index - run.codes.length > MAX_OPEN_CELLS) {
        if (!dropOldest(run)) return refuseProduct()
      }
      return index
    },
    opened(run) {
      open.add(run)
      openCells += run.codes.length
      if (!run.isTimely || run.slot.runs.length === 1) suspects.add(run)
      else if (run.slot.runs.length === 2)
        for (const other of run.slot.runs) if (other.isTimely) suspects.delete(other)
      if (open.size > limits.openRuns) dropOldest(run)
      else if (open.size < limits.openRuns * TOLD_AGAIN) isToldOfRuns = false
    },
    grown(run, before) {
      if (run.isClosed) finishedCells += run.codes.length - before
      else openCells += run.codes.length - before
    },
    closed(run, before) {
      if (open.delete(run)) openCells -= before
      suspects.delete(run)
      finished.add(run)
      finishedCells += run.codes.length
      if (run.slot.runs.length === 1) lone.add(run)
      trimSlot(run.slot)
      trimFinished()
    },
    forget,
    dropOpen,
    openRuns: () => open,
    finishedRuns: () => finished,
    takeNotices() {
      const found = notices
      notices = []
      return found
    },
    figures: () => ({ event, open: open.size, finished: finished.size, dropped, uncounted }),
  }
}

function first(runs: ReadonlySet<Run>, except?: Run): Run | undefined {
  for (const run of runs) if (run !== except) return run
  return undefined
}
