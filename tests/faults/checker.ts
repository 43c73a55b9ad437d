/**
 * The history checker: compares what was acknowledged, what the store holds and what each listener got. Pure, O(n log n).
 *
 * Why this shows the promises for one run: the store's history is one total order; it holds every acknowledged notification once, where the
 * acknowledgement says (`check_store.ts`); and each listener got that order restricted to what it asked for, from its start to its frontier, but for
 * stretches that were announced and really compacted (`check_chain.ts`).
 *
 * @module
 */

import { checkChain } from './check_chain.ts'
import { checkAcknowledged, checkStore } from './check_store.ts'
import type { Run } from './records.ts'
import { createStoreView } from './store_view.ts'

/** What may be wrong. */
export type ViolationKind =
  /** A notification of the store, or an acknowledged one, is missing. */
  | 'lost'
  /** It is there twice. */
  | 'doubled'
  /** It came after a later one, or a position went back. */
  | 'reordered'
  /** It is not what the listener asked for. */
  | 'foreign'
  /** Nobody published it. */
  | 'invented'
  /** It says something else than was published. */
  | 'altered'
  /** A part of a revision came alone. */
  | 'split'
  /** Numbers are not dense, or the journal does not describe what was written. */
  | 'journal'
  /** An acknowledgement names another place than the store's. */
  | 'misplaced'
  /** Something that was refused for certain is stored. */
  | 'ghost'
  /** Published after the acknowledgement of another, but stored before it. */
  | 'not_real_time'
  /** A stretch was called compacted that was not. */
  | 'false_gap'
  /** It was delivered too late on a stream that was open. */
  | 'stale'
  /** A stream did not get to the end after everything had healed. */
  | 'stuck'
  /** One number was given out for two notifications, before and after the store lost something. */
  | 'reused'
  /** A place of a history that is lost was taken for one of the present history. */
  | 'accepted'
  /** A stream went on behind a loss, or its listener was never told of it. */
  | 'untold'
  /** A damaged store was started, or a whole one refused, or the refusal does not name the remedy. */
  | 'unrefused'
  /** A salvage named something as lost that is there, or more than it had to give up. */
  | 'misnamed'

/** One finding. */
export interface Violation {
  readonly kind: ViolationKind
  /** Who saw it: a listener's name, `store` or `acknowledged`. */
  readonly where: string
  readonly what: string
}

/** Takes findings. */
export type Report = (kind: ViolationKind, where: string, what: string) => void

/** Everything that is wrong with a run. */
export function checkRun(run: Run): readonly Violation[] {
  const violations: Violation[] = []
  const report: Report = (kind, where, what) => violations.push({ kind, where, what })
  const view = createStoreView(run)
  checkStore(run, report)
  checkAcknowledged(run, view, report)
  for (const chain of run.chains) checkChain(chain, run, view, report)
  return violations
}

/** Findings counted by kind, for a summary. */
export function countByKind(violations: readonly Violation[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { kind } of violations) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
