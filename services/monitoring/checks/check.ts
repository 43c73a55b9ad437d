/**
 * A check: one verdict about one thing, in the terms of Opsview and Nagios, which 1.x reports in.
 *
 * @module
 */

/** 0 in order, 1 warning, 2 critical. */
export type CheckStatus = 0 | 1 | 2

/** A figure that comes with a verdict. */
export interface CheckMetric {
  readonly name: string
  readonly value: number
  /** How the value is written in a report, where that is not simply the number. */
  readonly text?: string
  readonly unit: string
}

/** A verdict. */
export interface CheckResult {
  /** As Opsview knows it: the part after `Passive Check: `. */
  readonly name: string
  readonly status: CheckStatus
  /** What is wrong; empty where there is nothing to say. */
  readonly message: string
  readonly metrics: readonly CheckMetric[]
}

/** Two bounds of one figure. */
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
