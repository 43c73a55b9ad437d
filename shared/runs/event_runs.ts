/**
 * The runs of one event type: finds the run of a product, makes those that the clock expects, and keeps to the bounds.
 *
 * @module
 */

import { compacted, MISSING } from './arrivals.ts'
import { isDayOfRun } from './cadence.ts'
import { productKey, type Expectation } from './expectation.ts'
import { countProduct, settleTakenBack, takeBack, wake, wakeAt, type Announce } from './life.ts'
import { planOf } from './plan.ts'
import { createRunBounds } from './run_bounds.ts'
import { runId } from './run_id.ts'
import { DAY_MS, fieldsOf, type Run, type Slot } from './run_record.ts'
import type { RunFigures, RunNotice, RunProduct, RunRemoval, StoredRun, TrackerLimits } from './runs.ts'
import { createSlots, insertRun } from './slots.ts'
import { encodeRun, toRun, type StoredContent } from './stored_run.ts'

export type { Announce, RunChange } from './life.ts'

/** A product may come before its run's nominal time by this much, so that clocks and early analyses do no harm. */
const EARLY_MS = DAY_MS
/** A run that is due after it would be closed is closed this long after it is due. */
const CLOSE_AFTER_DUE_MS = 3_600_000

/** Clocks of machines differ by less. A time that is further back ends the wrong time of a clock that had been set ahead. */
const MAX_SKEW_MS = 300_000

/** What {@link createEventRuns} needs. */
export interface EventRunsOptions {
  readonly expectation: Expectation
  readonly limits: TrackerLimits
  readonly announce: Announce
}

/** The runs of one event type. */
export interface EventRuns {
  /** The time from which the clock expects runs. */
  begin(since: number): void
  /** Takes a finished run of an earlier tracker. Give them in the order in which they were closed. */
  restore(stored: StoredContent): void
  /** @param horizon A time after which no product can have come. */
  take(product: RunProduct, horizon: number): void
  remove(removal: RunRemoval): void
  advance(now: number): void
  /** Forgets finished runs of before a time. */
  forget(before: number): void
  get(id: string): Run | undefined
  all(): Iterable<Run>
  open(): Iterable<Run>
  takeStored(): readonly StoredRun[]
  needed(): { readonly sequence: number; readonly at: number } | undefined
  takeNotices(): readonly RunNotice[]
  figures(): RunFigures
}

/** Makes the runs of one event type, of which there are none yet. */
export function createEventRuns({ expectation, limits, announce }: EventRunsOptions): EventRuns {
  const { event } = expectation
  const runs = new Map<string, Run>()
  const changed = new Map<string, Run | null>()
  const slots = createSlots(expectation)
  const bounds = createRunBounds(event, limits, { letGo, forgetRun })
  let lastAt = Number.NEGATIVE_INFINITY
  let lastSequence = 0

  function letGo(run: Run): void {
    run.slot.open.delete(run)
    remove(run)
  }

  function forgetRun(run: Run): void {
    changed.set(run.id, null)
    remove(run)
  }

  function remove(run: Run): void {
    runs.delete(run.id)
    const { slot } = run
    const place = slot.runs.indexOf(run)
    if (place >= 0) slot.runs.splice(place, 1)
    if (slot.runs.length === 0) slots.drop(slot)
  }

  function take(product: RunProduct, horizon: number): void {
    const { fields, sequence } = product
    const at = believable(product.at, horizon)
    lastAt = at
    lastSequence = Math.max(lastSequence, sequence)
    const id = runId(event, expectation.run, fields)
    let run = runs.get(id)
    if (run === undefined) {
      const { slot, nominal } = slots.find(fields)
      if (at >= slot.nextAt) advanceSlot(slot, at)
      run = runs.get(id) ?? create(slot, { id, nominal, at, fields, isExpected: false })
    }
    const { slot } = run
    if (at >= slot.nextAt) advanceSlot(slot, at)
    if (run.isClosed && sequence > 0 && sequence <= run.through) return
    const index = bounds.indexOf(run, productKey(expectation.product, fields))
    if (index < 0) return
    const cells = run.codes.length
    countProduct(run, index, at, announce)
    bounds.grown(run, cells)
    if (sequence > 0) {
      if (run.from === 0) run.from = sequence
      run.through = Math.max(run.through, sequence)
    }
    if (run.isClosed) changed.set(id, run)
  }

  /** Clocks of several machines differ a little, and one may be set wrong: times do not go back a little, and are not of the future. */
  function believable(at: number, horizon: number): number {
    if (at > horizon) return lastAt === Number.NEGATIVE_INFINITY ? horizon : lastAt
    return at < lastAt && lastAt - at <= MAX_SKEW_MS ? lastAt : at
  }

  function create(
    slot: Slot,
    {
      id,
      nominal,
      at,
      fields,
      isExpected,
    }: {
      readonly id: string
      readonly nominal: number | undefined
      readonly at: number
      readonly fields: Readonly<Record<string, string>>
      readonly isExpected: boolean
    },
  ): Run {
    const { close } = expectation
    const isTimely = nominal === undefined || (at >= nominal - EARLY_MS && at < nominal + close)
    const plan = planOf(slot, { nominal, createdAt: at, isTimely }, (key) => bounds.indexIn(slot, key))
    const codes = new Int32Array(slot.shape.keys.length)
    for (const index of plan.expected ?? []) codes[index] = MISSING
    const hasDue = isTimely && nominal !== undefined && plan.dueAll !== undefined
    const dueAt = hasDue ? nominal + Math.round((plan.dueAll ?? 0) * 1000) : undefined
    const closes = (isTimely ? (nominal ?? at) : at) + close
    const run: Run = {
      id,
      slot,
      own: slots.ownFields(slot, fields),
      nominal,
      createdAt: at,
      isTimely,
      isExpected,
      plan,
      state: 'expected',
      isClosed: false,
      codes,
      base: at,
      expected: plan.count,
      received: 0,
      extra: 0,
      repeated: 0,
      firstAt: undefined,
      lastAt: undefined,
      completeAt: undefined,
      republishedAt: undefined,
      dueAt,
      lateAt: undefined,
      closesAt: dueAt === undefined ? closes : Math.max(closes, dueAt + CLOSE_AFTER_DUE_MS),
      from: 0,
      through: 0,
    }
    runs.set(id, run)
    slots.keep(slot)
    insertRun(slot, run)
    slot.open.add(run)
    slot.nextAt = Math.min(slot.nextAt, wakeAt(run))
    slots.expectAfter(slot, run)
    bounds.opened(run)
    return run
  }

  /** Does all that happens in a slot by the clock until a moment, in the order of time. */
  function advanceSlot(slot: Slot, at: number): void {
    while (slot.nextAt <= at) {
      const until = Math.min(at, slot.nextNominal)
      const due = [...slot.open].filter((run) => wakeAt(run) <= until)
      for (const run of due.toSorted((a, b) => wakeAt(a) - wakeAt(b))) {
        if (wake(run, announce)) close(run)
      }
      if (due.length > 0) continue
      if (slot.nextNominal <= at) expectRun(slot)
      else {
        let next = slot.nextNominal
        for (const run of slot.open) next = Math.min(next, wakeAt(run))
        slot.nextAt = next
      }
    }
  }

  function close(run: Run): void {
    const { slot } = run
    slot.open.delete(run)
    const cells = run.codes.length
    run.codes = compacted(run.codes)
    run.plan = undefined
    changed.set(run.id, run)
    bounds.closed(run, cells)
  }

  /** The slot's next nominal time has come: a run is expected, if this is one of its days. */
  function expectRun(slot: Slot): void {
    const nominal = slot.nextNominal
    slot.nextNominal += DAY_MS
    if (!isDayOfRun(slot, nominal)) return
    const fields = slots.fieldsAt(slot, nominal)
    const id = runId(event, expectation.run, fields)
    const run = runs.get(id)
    if (run === undefined) create(slot, { id, nominal, at: nominal, fields, isExpected: true })
    else run.isExpected = true
  }

  function takeAway({ fields, sequence }: RunRemoval): void {
    const affected =
      fields === undefined ? bounds.openRuns() : [runs.get(runId(event, expectation.run, fields))]
    for (const run of [...affected]) {
      if (run === undefined || run.isClosed) continue
      if (fields === undefined) {
        if (sequence !== undefined && run.from > sequence) continue
        for (let index = 0; index < run.codes.length; index++) takeBack(run, index)
      } else {
        const index = run.slot.shape.index.get(productKey(expectation.product, fields))
        if (index === undefined || !takeBack(run, index)) continue
      }
      settleTakenBack(run)
      run.slot.nextAt = Math.min(run.slot.nextAt, wakeAt(run))
      if (run.firstAt === undefined) {
        run.from = run.through = 0
        if (!run.isExpected) bounds.dropOpen(run)
      }
    }
  }

  function needed(): { readonly sequence: number; readonly at: number } | undefined {
    let sequence = Number.POSITIVE_INFINITY
    let at = lastAt
    for (const run of bounds.openRuns()) {
      if (run.from > 0) sequence = Math.min(sequence, run.from)
      if (run.firstAt !== undefined) at = Math.min(at, run.firstAt)
    }
    if (at === Number.NEGATIVE_INFINITY) return undefined
    return { sequence: Number.isFinite(sequence) ? sequence : lastSequence + 1, at }
  }

  return {
    begin: (since) => slots.begin(since),
    restore(stored) {
      const { slot, nominal } = slots.find(stored.fields)
      const id = runId(event, expectation.run, stored.fields)
      if (runs.has(id)) return
      const own = slots.ownFields(slot, stored.fields)
      const run = toRun(stored, { id, slot, nominal, own, indexOf: (key) => bounds.indexIn(slot, key) })
      runs.set(id, run)
      insertRun(slot, run)
      lastSequence = Math.max(lastSequence, run.through)
      bounds.closed(run, 0)
    },
    take,
    remove: takeAway,
    advance(now) {
      for (const slot of slots.all()) if (slot.nextAt <= now) advanceSlot(slot, now)
    },
    forget(before) {
      for (const run of [...bounds.finishedRuns()]) {
        if ((run.nominal ?? run.closesAt) < before && run.closesAt < before) bounds.forget(run)
      }
    },
    get: (id) => runs.get(id),
    all: () => runs.values(),
    open: () => bounds.openRuns(),
    takeStored() {
      const stored = Array.from(changed, ([id, run]): StoredRun => ({
        id,
        text: run === null ? null : encodeRun(run, fieldsOf(run)),
      }))
      changed.clear()
      return stored
    },
    needed,
    takeNotices: () => bounds.takeNotices(),
    figures: () => bounds.figures(),
  }
}
