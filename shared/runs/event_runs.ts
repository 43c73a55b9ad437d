/**
 * The runs of one event type: finds the run of a product, makes those that the clock expects, and keeps to the bounds.
 *
 * @module
 */

import { compacted, MISSING } from './arrivals.ts'
import { isDayOfRun } from './cadence.ts'
import { productKey, type Expectation } from './expectation.ts'
import { FieldTree } from './field_tree.ts'
import { countProduct, settleTakenBack, takeBack, wake, wakeAt, type Announce } from './life.ts'
import { planOf } from './plan.ts'
import { RunReader, type Terms } from './read_back.ts'
import { RunBounds } from './run_bounds.ts'
import { runId } from './run_id.ts'
import { DAY_MS, fieldsOf, type ProductPlace, type Run, type Slot } from './run_record.ts'
import type { RunFigures, RunNotice, RunProduct, RunRemoval, StoredRun, TrackerLimits } from './runs.ts'
import { forgetProducts } from './shape.ts'
import { createSlots, insertRun, type Slots } from './slots.ts'
import { encodeRun, type StoredContent } from './stored_run.ts'

/** A product may come before its run's nominal time by this much, so that clocks and early analyses do no harm. */
const EARLY_MS = DAY_MS
/** A run that is due after it would be closed is closed this long after it is due. */
const CLOSE_AFTER_DUE_MS = 3_600_000
/** Clocks of machines differ by less. A time that is further back ends the wrong time of a clock that had been set ahead. */
const MAX_SKEW_MS = 300_000
/** Open runs whose texts are made at once: products, where a run counts as some itself. Some milliseconds. */
const MOST_CELLS_AT_ONCE = 50_000
const CELLS_OF_A_RUN = 50
/** Runs that are found without their names: more than are open. */
const MOST_RECENT = 20_000

/** What {@link EventRuns} are made of. */
export interface EventRunsOptions {
  readonly expectation: Expectation
  readonly limits: TrackerLimits
  readonly announce: Announce
}

/** A run to be made. */
interface NewRun {
  readonly id: string
  readonly nominal: number | undefined
  readonly at: number
  readonly fields: Readonly<Record<string, string>>
  readonly isExpected: boolean
}

/** The runs of one event type. */
export class EventRuns {
  readonly #expectation: Expectation
  readonly #announce: Announce
  readonly #runs = new Map<string, Run>()
  /** Those that had products lately. */
  readonly #recent: FieldTree<Run>
  readonly #slots: Slots
  readonly #bounds: RunBounds
  /** Runs that are to be stored, finished or with products that were removed; `null`: their text is to be deleted. */
  readonly #changed = new Map<string, Run | null>()
  /** Nothing happens by the clock in any slot before this. */
  #nextAt = Number.NEGATIVE_INFINITY
  #lastAt = Number.NEGATIVE_INFINITY
  #lastSequence = 0
  /** From where products are needed, until the first comes. */
  #resume: ProductPlace | undefined
  /** Runs that were read back, and are to be taken in. */
  #read: Run[] = []
  /** Until all are. */
  #reader: RunReader | undefined

  constructor({ expectation, limits, announce }: EventRunsOptions) {
    this.#expectation = expectation
    this.#announce = (run, change) => {
      if (change.state !== 'started' || !this.#bounds.isOfFlood(run)) announce(run, change)
    }
    this.#slots = createSlots(expectation)
    const { run: fields, nominal } = expectation
    const ofTime = fields.filter((name) => name === nominal?.date || name === nominal?.time)
    this.#recent = new FieldTree([...ofTime, ...fields.filter((name) => !ofTime.includes(name))], MOST_RECENT)
    this.#bounds = new RunBounds(expectation.event, limits, {
      letGo: (run) => {
        run.slot.open.delete(run)
        if (run.isStored) this.#changed.set(run.id, null)
        else this.#changed.delete(run.id)
        this.#takeOut(run)
      },
      forget: (run) => {
        this.#changed.set(run.id, null)
        this.#takeOut(run)
      },
    })
  }

  /** The time from which the clock expects runs. */
  begin(since: number): void {
    this.#slots.begin(since)
  }

  /** Reads a finished run of an earlier tracker. It is taken in with all others by {@link takeIn}. */
  read(stored: StoredContent): void {
    this.#read.push(this.#readerOf().read(stored))
  }

  /** Takes in the runs that were read, in the order in which they were closed. */
  takeIn(): void {
    for (const run of this.#read.toSorted((a, b) => a.closesAt - b.closesAt)) {
      if (this.#runs.has(run.id)) continue
      this.#runs.set(run.id, run)
      // It may have been dropped with the run that another one let go.
      this.#slots.keep(run.slot)
      insertRun(run.slot, run)
      this.#lastSequence = Math.max(this.#lastSequence, run.through)
      this.#bounds.closed(run, 0)
    }
    this.#read = []
  }

  /** There are no more runs to read. */
  endReading(): void {
    this.#reader = undefined
  }

  #readerOf(): RunReader {
    this.#reader ??= new RunReader({
      expectation: this.#expectation,
      slots: this.#slots,
      idOf: (names) => this.#idOf(names),
      has: (id) => this.#runs.has(id),
      indexIn: (slot, name) => this.#bounds.indexIn(slot, name),
      termsOf: (slot, place) => this.#termsOf(slot, place),
    })
    return this.#reader
  }

  /** Where products will go on. Say it before open runs are restored, and after the others are. */
  resume(place: ProductPlace): void {
    this.#resume = place
    this.#lastAt = place.at
  }

  /**
   * Takes an open run of an earlier tracker, after all finished ones and in the order in which they began. One that is not what the present
   * configuration would make of it is counted anew, from its first product on.
   *
   * @param isUsable Whether it is known where products go on.
   */
  restoreOpen(stored: StoredContent, isUsable: boolean): void {
    const run = isUsable ? this.#readerOf().readOpen(stored) : undefined
    if (run !== undefined) return this.#enter(run)
    const from = stored.open?.from ?? 0
    this.#changed.set(runId(this.#expectation.event, Object.keys(stored.fields), stored.fields), null)
    if (this.#resume !== undefined && from < this.#resume.sequence)
      this.resume({ sequence: from, at: stored.created })
  }

  /** @param horizon A time after which no product can have come. */
  take({ at: claimed, fields, sequence }: RunProduct, horizon: number): void {
    const at = this.#believable(claimed, horizon)
    const before = this.#lastAt === Number.NEGATIVE_INFINITY ? at : this.#lastAt
    if (this.#slots.names.isSweepDue) this.#sweepNames()
    this.#resume = undefined
    this.#lastAt = at
    this.#lastSequence = Math.max(this.#lastSequence, sequence)
    const run = this.#runFor(fields, at)
    if (at >= this.#nextAt && at >= run.slot.nextAt) this.#advanceSlot(run.slot, at)
    if (sequence > 0 && sequence <= run.through) return
    const index = this.#bounds.indexOf(run, this.#slots.names.of(fields))
    if (index < 0) return
    const cells = run.codes.length
    countProduct(run, index, at, this.#announce)
    if (run.codes.length !== cells) this.#bounds.grown(run, cells)
    if (sequence > 0) {
      if (run.from === 0) run.from = sequence
      run.unstored ??= { sequence, at: before }
      run.through = Math.max(run.through, sequence)
    }
    if (run.isClosed) this.#changed.set(run.id, run)
  }

  #sweepNames(): void {
    const slots = new Set(this.#slots.all())
    for (const { slot } of this.#runs.values()) slots.add(slot)
    this.#slots.names.sweep((isUsed) => {
      for (const { shape } of slots) shape.markNames(isUsed)
    })
  }

  /** Clocks of several machines differ a little, and one may be set wrong: times do not go back a little, and are not of the future. */
  #believable(at: number, horizon: number): number {
    if (at > horizon) return this.#lastAt === Number.NEGATIVE_INFINITY ? horizon : this.#lastAt
    return at < this.#lastAt && this.#lastAt - at <= MAX_SKEW_MS ? this.#lastAt : at
  }

  /** The run that a product is of. It is made where there is none. */
  #runFor(fields: Readonly<Record<string, string>>, at: number): Run {
    const recent = this.#recent.get(fields)
    if (recent !== undefined) return recent
    const run = this.#findOrMake(fields, at)
    this.#recent.set(fields, run)
    return run
  }

  #findOrMake(fields: Readonly<Record<string, string>>, at: number): Run {
    const id = this.#idOf(fields)
    const known = this.#runs.get(id)
    if (known !== undefined) return known
    const { slot, nominal } = this.#slots.find(fields)
    // The clock may have to make this run, and history has to be as it is by now.
    if (at >= slot.nextAt) this.#advanceSlot(slot, at)
    return this.#runs.get(id) ?? this.#create(slot, { id, nominal, at, fields, isExpected: false })
  }

  /** The index of a product in a slot; below 0: there are too many. */
  #indexIn(slot: Slot, key: string): number {
    return this.#bounds.indexIn(slot, this.#slots.names.take(key))
  }

  #idOf(fields: Readonly<Record<string, string>>): string {
    return runId(this.#expectation.event, this.#expectation.run, fields)
  }

  #create(slot: Slot, { id, nominal, at, fields, isExpected }: NewRun): Run {
    const { isTimely, plan, dueAt, closesAt } = this.#termsOf(slot, { nominal, createdAt: at })
    const codes = new Int32Array(slot.shape.size)
    for (const index of plan.expected ?? []) codes[index] = MISSING
    const run: Run = {
      id,
      slot,
      own: this.#slots.ownFields(fields),
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
      closesAt,
      from: 0,
      through: 0,
      unstored: undefined,
      isStored: false,
    }
    this.#enter(run)
    return run
  }

  /** What is expected of a run that begins at a moment, and until when. */
  #termsOf(slot: Slot, { nominal, createdAt: at }: Pick<Run, 'nominal' | 'createdAt'>): Terms {
    const { close } = this.#expectation
    const isTimely =
      nominal === undefined
        ? this.#expectation.nominal === undefined
        : at >= nominal - EARLY_MS && at < nominal + close
    const plan = planOf(slot, { nominal, createdAt: at, isTimely }, (key) => this.#indexIn(slot, key))
    const hasDue = isTimely && nominal !== undefined && plan.dueAll !== undefined
    const dueAt = hasDue ? nominal + Math.round((plan.dueAll ?? 0) * 1000) : undefined
    const closes = (isTimely ? (nominal ?? at) : at) + close
    const closesAt = dueAt === undefined || dueAt < closes ? closes : dueAt + CLOSE_AFTER_DUE_MS
    return { isTimely, plan, dueAt, closesAt }
  }

  /** Takes an open run in. */
  #enter(run: Run): void {
    const { slot } = run
    this.#runs.set(run.id, run)
    this.#slots.keep(slot)
    insertRun(slot, run)
    slot.open.add(run)
    this.#slots.expectAfter(slot, run)
    this.#wakeSlotAt(slot, wakeAt(run))
    this.#lastSequence = Math.max(this.#lastSequence, run.through)
    this.#bounds.opened(run)
  }

  /** Lets time pass. */
  advance(now: number): void {
    if (now < this.#nextAt) return
    let next = Number.POSITIVE_INFINITY
    for (const slot of this.#slots.all()) {
      if (slot.nextAt <= now) this.#advanceSlot(slot, now)
      next = Math.min(next, slot.nextAt)
    }
    this.#nextAt = next
  }

  #wakeSlotAt(slot: Slot, at: number): void {
    slot.nextAt = Math.min(slot.nextAt, at)
    this.#nextAt = Math.min(this.#nextAt, slot.nextAt)
  }

  /** Does all that happens in a slot by the clock until a moment, in the order of time. */
  #advanceSlot(slot: Slot, at: number): void {
    while (slot.nextAt <= at) {
      const until = Math.min(at, slot.nextNominal)
      const due = Array.from(slot.open).filter((run) => wakeAt(run) <= until)
      for (const run of due.toSorted((a, b) => wakeAt(a) - wakeAt(b))) {
        if (wake(run, this.#announce)) this.#close(run)
      }
      if (due.length > 0) continue
      if (slot.nextNominal <= at) this.#expectRun(slot)
      else {
        let next = slot.nextNominal
        for (const run of slot.open) next = Math.min(next, wakeAt(run))
        slot.nextAt = next
      }
    }
    this.#nextAt = Math.min(this.#nextAt, slot.nextAt)
  }

  #close(run: Run): void {
    run.slot.open.delete(run)
    const cells = run.codes.length
    run.codes = compacted(run.codes)
    run.plan = undefined
    run.unstored = undefined
    this.#changed.set(run.id, run)
    this.#bounds.closed(run, cells)
    forgetProducts(run.slot, this.#slots.names, (resized, before) => this.#bounds.grown(resized, before))
  }

  /** The slot's next nominal time has come: a run is expected, if this is one of its days. */
  #expectRun(slot: Slot): void {
    const nominal = slot.nextNominal
    slot.nextNominal += DAY_MS
    if (!isDayOfRun(slot, nominal)) return
    const fields = this.#slots.fieldsAt(slot, nominal)
    const id = this.#idOf(fields)
    const run = this.#runs.get(id)
    if (run === undefined) this.#create(slot, { id, nominal, at: nominal, fields, isExpected: true })
    else run.isExpected = true
  }

  /** Takes back what was removed, from runs that are not finished. */
  remove({ fields, sequence, at }: RunRemoval): void {
    if (fields === undefined) {
      this.advance(at)
      for (const run of Array.from(this.#bounds.openRuns())) {
        if (sequence !== undefined && run.from > sequence) continue
        for (let index = 0; index < run.codes.length; index++) takeBack(run, index)
        this.#settle(run)
      }
      return
    }
    const run = this.#runs.get(this.#idOf(fields))
    const index = run?.slot.shape.find(productKey(this.#expectation.product, fields)) ?? -1
    if (run === undefined || index < 0) return
    if (at >= run.slot.nextAt) this.#advanceSlot(run.slot, at)
    if (run.isClosed) return
    if (takeBack(run, index)) this.#settle(run)
  }

  #settle(run: Run): void {
    settleTakenBack(run)
    this.#wakeSlotAt(run.slot, wakeAt(run))
    // What is stored of it, by this tracker or by another, has what was taken back.
    run.isStored = true
    this.#changed.set(run.id, run)
    if (run.firstAt !== undefined) return
    run.from = run.through = 0
    run.unstored = undefined
    if (!run.isExpected) this.#bounds.dropOpen(run)
  }

  #takeOut(run: Run): void {
    this.#runs.delete(run.id)
    this.#recent.delete(fieldsOf(run))
    const { slot } = run
    const place = slot.runs.indexOf(run)
    if (place >= 0) slot.runs.splice(place, 1)
    if (slot.runs.length === 0) this.#slots.drop(slot)
  }

  /** Forgets finished runs of before a time. */
  forget(before: number): void {
    for (const run of Array.from(this.#bounds.finishedRuns())) {
      if ((run.nominal ?? run.closesAt) < before && run.closesAt < before) this.#bounds.forget(run)
    }
  }

  get(id: string): Run | undefined {
    return this.#runs.get(id)
  }

  all(): Iterable<Run> {
    return this.#runs.values()
  }

  open(): Iterable<Run> {
    return this.#bounds.openRuns()
  }

  /** Finished runs that are new, changed or forgotten since the last call. */
  takeStored(): readonly StoredRun[] {
    if (this.#changed.size === 0) return NONE
    const stored = Array.from(this.#changed, ([id, run]) =>
      run === null ? { id, text: null } : toStored(run),
    )
    this.#changed.clear()
    return stored
  }

  /** Open runs to store: see {@link Tracker.takeOpen}. */
  takeOpen(behind: number): readonly StoredRun[] {
    const needed = this.needed()
    if (needed === undefined || this.#lastSequence - needed.sequence < behind) return []
    const unstored = Array.from(this.#bounds.openRuns()).filter((run) => run.unstored !== undefined)
    const taken: StoredRun[] = []
    let cells = 0
    for (const run of unstored.toSorted(
      (a, b) => (a.unstored?.sequence ?? 0) - (b.unstored?.sequence ?? 0),
    )) {
      taken.push(toStored(run))
      cells += run.codes.length + CELLS_OF_A_RUN
      if (cells > MOST_CELLS_AT_ONCE) break
    }
    return taken
  }

  /** The first product that a tracker which is made anew needs; `undefined`: all. */
  needed(): ProductPlace | undefined {
    let first = this.#resume
    for (const { unstored } of this.#bounds.openRuns())
      if (unstored !== undefined && unstored.sequence < (first?.sequence ?? Number.POSITIVE_INFINITY))
        first = unstored
    if (first !== undefined) return first
    if (this.#lastAt === Number.NEGATIVE_INFINITY) return undefined
    return { sequence: this.#lastSequence + 1, at: this.#lastAt }
  }

  takeNotices(): readonly RunNotice[] {
    return this.#bounds.takeNotices()
  }

  figures(): RunFigures {
    return this.#bounds.figures()
  }
}

const NONE: readonly StoredRun[] = []

/** The text of a run, which lacks nothing then. */
function toStored(run: Run): StoredRun {
  const { id, isClosed, from } = run
  run.unstored = undefined
  // Without products, the clock makes it again.
  if (!isClosed && from === 0) return { id, text: null }
  run.isStored = true
  return { id, text: encodeRun(run, fieldsOf(run)) }
}
