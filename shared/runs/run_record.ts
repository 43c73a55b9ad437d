/**
 * What is remembered of a run, of a configuration's hour, and of an event type.
 *
 * @module
 */

import { isExtra, isReceived, secondsOf, type Codes } from './arrivals.ts'
import type { Expectation } from './expectation.ts'
import type { Plan } from './plan.ts'
import type { RunState } from './runs.ts'
import type { Shape } from './shape.ts'

/** Milliseconds of a day. */
export const DAY_MS = 86_400_000

/**
 * A configuration at one hour: the values of a run's fields but its date, and its time of day. Its runs are alike, so what is usual is learned
 * from them.
 */
export interface Slot {
  readonly key: string
  readonly expectation: Expectation
  readonly fields: Readonly<Record<string, string>>
  /** Milliseconds after midnight; `undefined`: its runs have no nominal time. */
  readonly timeOfDay: number | undefined
  shape: Shape
  /** It is looked for products to forget when its shape has so many. */
  forgetsAt: number
  /** By nominal time. */
  readonly runs: Run[]
  readonly open: Set<Run>
  /** Nothing happens by the clock before this. */
  nextAt: number
  /** The next nominal time at which a run may be expected; `Infinity`: none. */
  nextNominal: number
  /** Whether the configuration says that it comes every day. */
  readonly isDaily: boolean
}

/** A run. Times are in milliseconds since 1970. */
export interface Run {
  readonly id: string
  readonly slot: Slot
  /** The fields that the slot does not have. */
  readonly own: Readonly<Record<string, string>>
  readonly nominal: number | undefined
  readonly createdAt: number
  /** Whether it came near its nominal time. Another one is a back-fill: no alarm is given, and nothing is learned from it. */
  readonly isTimely: boolean
  /** Whether the clock expected it, or would have. */
  isExpected: boolean
  /** Of an open run. */
  plan: Plan | undefined
  state: RunState
  isClosed: boolean
  codes: Codes
  /** What the seconds of codes are after: the first product. */
  base: number
  expected: number | null
  received: number
  extra: number
  repeated: number
  firstAt: number | undefined
  lastAt: number | undefined
  completeAt: number | undefined
  republishedAt: number | undefined
  dueAt: number | undefined
  lateAt: number | undefined
  closesAt: number
  /** Numbers of the first and of the last product that were counted; 0: none. */
  from: number
  through: number
  /** Where products begin that its stored text lacks; `undefined`: it lacks none. Of an open run. */
  unstored: ProductPlace | undefined
  /** Whether an open run may have a stored text. */
  isStored: boolean
}

/** A place in the journal of an event type. */
export interface ProductPlace {
  readonly sequence: number
  /** The latest time of the products before it. */
  readonly at: number
}

/** The fields that name a run, in the order of the expectation. */
export function fieldsOf(run: Run): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {}
  for (const name of run.slot.expectation.run) fields[name] = run.own[name] ?? run.slot.fields[name] ?? ''
  return fields
}

/** The times of a run's products, to be asked for many of them. */
export interface ArrivalTimes {
  readonly codes: Codes
  /** The first product, in seconds after the nominal time. */
  readonly offset: number
}

export function timesOf(run: Run): ArrivalTimes {
  return { codes: run.codes, offset: (run.base - originOf(run)) / 1000 }
}

/** When a product came, in seconds after the nominal time; `NaN`: it did not. */
export function arrivalIn({ codes, offset }: ArrivalTimes, index: number): number {
  const code = codes[index] ?? 0
  return isReceived(code) ? secondsOf(code) + offset : Number.NaN
}

/** What the times of a run are counted from: its nominal time, or its first product. */
export function originOf(run: Run): number {
  return run.nominal ?? run.base
}

/** Whether a product came and was not expected. */
export function isExtraOf(run: Run, index: number): boolean {
  return isExtra(run.codes[index] ?? 0)
}
