/**
 * A check: one verdict on one thing, in the terms of Opsview and Nagios, as 1.x reports it.
 *
 * @module
 */

/** 0 in order, 1 warning, 2 critical. */
export type CheckStatus = 0 | 1 | 2

/** A figure that belongs to a verdict. */
export interface CheckMetric {
  readonly name: string
  readonly value: number
  /** Text of the value in a report; absent when it is simply the number. */
  readonly text?: string
  readonly unit: string
}

/** The verdict of one check. */
export interface CheckResult {
  /** Name in Opsview: the part after `Passive Check: `. */
  readonly name: string
  readonly status: CheckStatus
  /** What is wrong, or that nothing is. May be empty. */
  readonly message: string
  readonly metrics: readonly CheckMetric[]
}

/** The two bounds of a figure. */
export interface Thresholds {
  readonly warning: number
  readonly critical: number
}

/** The verdict on a figure that should be small. */
export function statusAbove(value: number, { warning, critical }: Thresholds): CheckStatus {
  if (value > critical) return 2
  return value > warning ? 1 : 0
}

/** The verdict on a figure that should be large. */
export function statusUpTo(value: number, { warning, critical }: Thresholds): CheckStatus {
  if (value <= critical) return 2
  return value <= warning ? 1 : 0
}
