/**
 * The compactor: records when the store's revisions were written, and compacts history that has outlived its retention.
 *
 * The admin may die after any step. So the mark and the target are stored first, under a guard. Compacting to the same revision again
 * does nothing, and the next run plans again what was not compacted.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { planCompaction, type CompactionPlan } from '#shared/retention/compaction_plan.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { requireSoundClock } from './clock_guard.ts'
import type { Claim } from './claim.ts'
import { readHistory, writeHistory, type ReadHistory } from './history_store.ts'
import { CAS_ATTEMPTS } from './limits.ts'
import { longestAgeMs, type AdminSettings } from './settings.ts'

export interface CompactorParts {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: AdminSettings
}

/** How a run is asked for. */
export interface RunOptions {
  /** Absent in a dry run, which writes nothing. */
  readonly claim: Claim | undefined
  /** Whether the operator vouches for the clock: it is right despite the times in the store, and the time since the last run has passed. */
  readonly trustClock: boolean
  readonly signal: AbortSignal
}

/** The result of a run. */
export interface CompactionReport {
  /** The store's revision. */
  readonly revision: string
  /** Oldest revision that is readable after this run; absent when nothing was old enough to compact. */
  readonly compacted_to?: string
  /** Time by which that revision had surely been written. */
  readonly written_before?: string
  /** Whether there was history to compact. */
  readonly outcome: 'nothing_old_enough' | 'compacted' | 'already_compacted' | 'dry_run'
  /** How the clock moved since the last run. After `gap` and `back`, the time since then does not count. */
  readonly clock: CompactionPlan['step']
  readonly marks: number
}

/**
 * Runs the compactor once.
 *
 * @throws {AvisoError} `ERR_CLOCK_UNSURE` when the clock is far ahead of the last mark; `ERR_JOB_RUNNING` when another admin has taken
 *   over; `ERR_STORE_PROTOCOL` when the store is behind its own history; `ERR_CONFLICT` when other admins keep writing the history; and
 *   what the store throws.
 */
export async function compact(parts: CompactorParts, options: RunOptions): Promise<CompactionReport> {
  const { store, logger } = parts
  const { head, plan } = await planAndMark(parts, options)
  if (plan.step === 'gap' || plan.step === 'back')
    logger('warn', 'Time since the last run of the compactor does not count', { clock: plan.step })
  const common = { revision: head.toString(), clock: plan.step, marks: plan.history.marks.length }
  if (plan.target === undefined || plan.targetAt === undefined)
    return { ...common, outcome: 'nothing_old_enough' }
  const found = {
    ...common,
    compacted_to: plan.target.toString(),
    written_before: new Date(plan.targetAt).toISOString(),
  }
  if (options.claim === undefined) return { ...found, outcome: 'dry_run' }
  try {
    await store.compact(plan.target, { signal: options.signal })
    logger('info', 'History was compacted', { revision: plan.target, written_before: found.written_before })
    return { ...found, outcome: 'compacted' }
  } catch (error) {
    // The last run, another admin, or a compactor of 1.x has done it.
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return { ...found, outcome: 'already_compacted' }
    throw error
  }
}

/** Plans a compaction and stores its marks. When another admin writes the history first, this one reads it and plans again. */
async function planAndMark(
  parts: CompactorParts,
  options: RunOptions,
): Promise<{ readonly head: bigint; readonly plan: CompactionPlan }> {
  const { store, settings } = parts
  for (let attempt = 0; attempt < CAS_ATTEMPTS; attempt++) {
    const read = await readHistory(store, settings.legacyHistoryKey, options)
    const plan = planFrom(read, parts, options)
    if (options.claim === undefined) return { head: read.head, plan }
    const fence = options.claim.fence()
    try {
      if (await writeHistory(store, read, { history: plan.history, fence }, options))
        return { head: read.head, plan }
    } catch (error) {
      // A full store takes no mark, but it can be compacted, and it needs that. The plan is safe without the mark.
      if (isAvisoError(error, 'ERR_STORE_FULL')) return { head: read.head, plan }
      if (!isAvisoError(error, 'ERR_OUTCOME_UNKNOWN')) throw error
    }
    // When another admin has taken over, the claim can no longer be renewed, so this throws.
    await options.claim.renew()
  }
  throw new AvisoError(
    'ERR_CONFLICT',
    'Other admins keep writing the history: check that only one compactor is scheduled',
  )
}

function planFrom(
  { history, head }: ReadHistory,
  { clock, settings }: CompactorParts,
  options: RunOptions,
): CompactionPlan {
  const now = clock.now()
  const last = history.marks.at(-1)
  if (!options.trustClock && last !== undefined) requireSoundClock(now, [last.at])
  try {
    return planCompaction({
      history,
      head,
      // The claim was written before the history was read.
      boundary: options.claim?.revision(),
      now,
      retentionMs: settings.historyMs,
      longestAgeMs: longestAgeMs(settings),
      rules: { longestGapMs: settings.longestGapMs, isTrusted: options.trustClock },
    })
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new AvisoError(
      'ERR_STORE_PROTOCOL',
      'The store is behind its own history: a member lags, or a backup was only partly restored; try again later',
      { cause },
    )
  }
}
