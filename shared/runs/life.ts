/**
 * The life of a run: what a product, a removal and the passing of time change in it.
 *
 * `expected` → `running` → `complete`, or `late` → `recovered` or `incomplete`. A back-filled run has no alarm: it is `complete`, or
 * `abandoned` in the end.
 *
 * @module
 */

import { isExtra, isReceived, MISSING, NOTHING, receivedCode, secondsOf, withCode } from './arrivals.ts'
import type { Run } from './run_record.ts'
import type { AnnouncedState } from './runs.ts'

/** A change that others are told of. */
export interface RunChange {
  readonly state: AnnouncedState
  readonly at: number
}

/** Is called at each change, when the run has changed. */
export type Announce = (run: Run, change: RunChange) => void

/** A back-fill that goes on and on is closed after so many times the time after which a silent one is. */
const LONGEST_BACKFILL = 3

/** When the run changes by the clock. A product that comes exactly when it is due is in time. */
export function wakeAt(run: Run): number {
  const lateAt = isPending(run) ? lateTimeOf(run) : undefined
  return lateAt === undefined ? run.closesAt : Math.min(lateAt + 1, run.closesAt)
}

/** A run that was not expected by the clock is late when its first product comes, not before it began. */
function lateTimeOf({ dueAt, createdAt }: Run): number | undefined {
  return dueAt === undefined ? undefined : Math.max(dueAt, createdAt)
}

function isPending(run: Run): boolean {
  return run.state === 'expected' || run.state === 'running'
}

/** Lets a run's due time pass, or its closing time. @returns whether it is closed now */
export function wake(run: Run, announce: Announce): boolean {
  const lateAt = lateTimeOf(run)
  if (lateAt !== undefined && isPending(run) && lateAt < run.closesAt) {
    run.state = 'late'
    run.lateAt = lateAt
    announce(run, { state: 'late', at: lateAt })
    return false
  }
  run.isClosed = true
  if (run.completeAt === undefined) {
    const hasFailed = run.isTimely && run.expected !== null
    run.state = hasFailed ? 'incomplete' : 'abandoned'
    if (hasFailed) announce(run, { state: 'incomplete', at: run.closesAt })
  }
  return true
}

/**
 * Counts a product that came.
 *
 * @param index Its place in the slot's shape.
 */
export function countProduct(run: Run, index: number, at: number, announce: Announce): void {
  const code = run.codes[index] ?? NOTHING
  if (isReceived(code)) {
    run.repeated++
    if (run.completeAt !== undefined) run.republishedAt = at
    return
  }
  const isFirst = run.firstAt === undefined
  if (isFirst) {
    run.firstAt = at
    run.base = at
  }
  run.lastAt = at
  const counts = code === MISSING || run.expected === null || (countsAny(run) && run.received < run.expected)
  run.codes = withCode(run.codes, index, receivedCode((at - run.base) / 1000, !counts))
  if (counts) run.received++
  else run.extra++
  if (!run.isTimely && !run.isClosed) extend(run, at)
  if (isFirst) {
    if (run.state === 'expected') run.state = 'running'
    announce(run, { state: 'started', at })
  }
  completeIfWhole(run, at, announce)
}

/** Whether its products are only counted. */
function countsAny(run: Run): boolean {
  return run.slot.expectation.expected.kind === 'count'
}

function extend(run: Run, at: number): void {
  const { close } = run.slot.expectation
  run.closesAt = Math.min(at + close, run.createdAt + LONGEST_BACKFILL * close)
}

function completeIfWhole(run: Run, at: number, announce: Announce): void {
  if (run.expected === null || run.completeAt !== undefined || run.received < run.expected) return
  run.completeAt = at
  const isRecovered = run.state === 'late' || run.state === 'incomplete'
  run.state = isRecovered ? 'recovered' : 'complete'
  announce(run, { state: run.state, at })
}

/** Takes a product back that came. @returns whether the run had it */
export function takeBack(run: Run, index: number): boolean {
  const code = run.codes[index] ?? NOTHING
  if (!isReceived(code)) return false
  // Where products are only counted, one that was too many takes its place.
  if (isExtra(code) || (countsAny(run) && run.extra > 0)) run.extra--
  else run.received--
  const isAwaited = !isExtra(code) && run.expected !== null && !countsAny(run)
  run.codes[index] = isAwaited ? MISSING : NOTHING
  return true
}

/** Makes a run what it would be if the products that were taken back had never come. */
export function settleTakenBack(run: Run): void {
  if (run.expected !== null && run.received < run.expected) run.completeAt = run.republishedAt = undefined
  let first = Number.POSITIVE_INFINITY
  let last = Number.NEGATIVE_INFINITY
  for (const code of run.codes) {
    if (!isReceived(code)) continue
    const at = run.base + secondsOf(code) * 1000
    first = Math.min(first, at)
    last = Math.max(last, at)
  }
  const isEmpty = first > last
  if (isEmpty) run.firstAt = run.lastAt = undefined
  else {
    // Codes have whole seconds, so a time that is still right is kept.
    if (Math.abs(first - (run.firstAt ?? 0)) >= 1000) run.firstAt = first
    if (Math.abs(last - (run.lastAt ?? 0)) >= 1000) run.lastAt = last
  }
  if (run.completeAt !== undefined) return
  if (run.lateAt === undefined) run.state = isEmpty ? 'expected' : 'running'
  else run.state = 'late'
}
