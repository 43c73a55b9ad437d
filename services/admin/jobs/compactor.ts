/**
 * The compactor: notes when the store's revisions were written, and forgets history that has outlived its retention.
 *
 * Every step may be the last one before the admin dies. The mark and the target are stored first, under a guard; compacting
 * to the same revision again does nothing; and what was not compacted is planned again by the next run.
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

/** What the compactor works with. */
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
  /** The operator says that the clock is right, whatever the store tells, and that the time since the last run has really passed. */
  readonly trustClock: boolean
  readonly signal: AbortSignal
}

/** What a run did. */
export interface CompactionReport {
  /** The store's revision. */
  readonly revision: string
  /** Oldest revision that stays readable by this run's doing; absent: everything does. */
  readonly compacted_to?: string
  /** When that revision had surely been written. */
  readonly written_before?: string
  /** Whether there was anything to forget. */
  readonly outcome: 'nothing_old_enough' | 'compacted' | 'already_compacted' | 'dry_run'
  /** What the clock did since the last run. `gap` and `back` are time that does not count. */
  readonly clock: CompactionPlan['step']
  readonly marks: number
}

/**
 * Runs once.
 *
 * @throws {AvisoError} `ERR_CLOCK_UNSURE`, `ERR_JOB_RUNNING`, `ERR_STORE_PROTOCOL`, `ERR_CONFLICT`, and what the store throws.
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
    // By the last run, by another admin, or by one of 1.x.
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return { ...found, outcome: 'already_compacted' }
    throw error
  }
}

/** Plans, and stores what the plan says. Whoever loses the race for the history plans again from what the winner wrote. */
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
      // A full store takes no mark, but it can be compacted, which is what it needs; the plan is as sound without.
      if (isAvisoError(error, 'ERR_STORE_FULL')) return { head: read.head, plan }
      if (!isAvisoError(error, 'ERR_OUTCOME_UNKNOWN')) throw error
    }
    // A broken fence shows here: the claim can no longer be renewed.
    await options.claim.renew()
  }
  throw new AvisoError(
    'ERR_CONFLICT',
    'Other admins keep writing the history: see that only one compactor is scheduled',
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
      // The claim was put before the history was read.
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
      'The store is behind its own history: a member lags, or a backup was restored in part; try again later',
      { cause },
    )
  }
}
