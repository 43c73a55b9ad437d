/**
 * Runs the admin's jobs, by schedule or by hand. Only one run of each job is active at a time, among all admins.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { onlyKey } from '#shared/journal/epoch.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { alreadyRunning, claimJob, type Claim } from './claim.ts'
import { clean } from './cleaner.ts'
import { compact } from './compactor.ts'
import { defragment } from './defragmenter.ts'
import {
  JOB_NAMES,
  jobKey,
  readJobRecord,
  type JobName,
  type JobRecord,
  type JobReport,
  type PlainJobName,
} from './job_record.ts'
import type { AdminSettings } from './settings.ts'

export interface JobsParts {
  readonly store: Store
  /** Absent in a store without members. */
  readonly maintenance: StoreMaintenance | undefined
  readonly schemas: Schemas
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: AdminSettings
  /** Unique name of this admin. */
  readonly holder: string
}

/** How a job is asked for. */
export interface JobOptions {
  /** Whether to write nothing, and only report what a run would do. */
  readonly dryRun?: boolean
  readonly trustClock?: boolean
  /** See {@link CleanOptions}. */
  readonly byDate?: boolean
  readonly full?: boolean
  readonly events?: readonly string[] | undefined
  /** Scheduled time, milliseconds since 1970; absent when the job is started by hand. */
  readonly slot?: number
  /** Whether to run the job only if it has run before. */
  readonly isResumed?: boolean
  readonly onProgress?: (report: JobReport) => void
}

/** A run that was not needed: the job is running or done already, or it was only to be resumed and has never run. */
export interface SkippedRun {
  readonly skipped: 'running' | 'served' | 'never_run'
}

/** The work of a job under its claim. Without a claim it writes nothing. */
export type Work = (claim: Claim | undefined, signal: AbortSignal) => Promise<JobReport>

/** The jobs of an admin. */
export interface Jobs {
  /**
   * Runs a job that can be scheduled.
   *
   * @throws {AvisoError} `ERR_JOB_RUNNING` when it is started by hand while any admin runs it; and what the job throws.
   */
  run(name: PlainJobName, options?: JobOptions): Promise<JobReport | SkippedRun>
  /** Runs the given work under the claim of a job. Throws as {@link run}. */
  runWork(name: JobName, options: JobOptions, work: Work): Promise<JobReport | SkippedRun>
  /** The record of each job that has run. */
  records(): Promise<Readonly<Partial<Record<JobName, JobRecord>>>>
  /** Stops running jobs at their next step, and waits for them. */
  close(): Promise<void>
}

/** Makes the jobs. No job runs by itself. */
export function createJobs(parts: JobsParts): Jobs {
  const { store, clock, logger, holder } = parts
  const stop = new AbortController()
  const running = new Map<JobName, { readonly since: string; readonly done: Promise<unknown> }>()

  async function runClaimed(name: JobName, options: JobOptions, work: Work): Promise<JobReport | SkippedRun> {
    if (options.dryRun === true) return work(undefined, stop.signal)
    const outcome = await claimJob(name, options, { store, clock, holder })
    if (outcome.kind === 'running' && options.slot === undefined) throw alreadyRunning(name, outcome.record)
    if (outcome.kind !== 'claimed') return { skipped: outcome.kind }
    const { claim } = outcome
    const began = clock.monotonic()
    try {
      const report = await work(claim, stop.signal)
      await claim.finish('done', report)
      logger('info', 'Admin job done', { job: name, ms: Math.round(clock.monotonic() - began) })
      return report
    } catch (error) {
      const code = isAvisoError(error) ? error.code : 'ERR_INTERNAL'
      const message = isAvisoError(error) ? error.message : 'the job failed'
      logger(code === 'ERR_JOB_RUNNING' ? 'warn' : 'error', 'Admin job failed', {
        job: name,
        code,
        reason: message,
        cause: isAvisoError(error) || !(error instanceof Error) ? undefined : error.name,
      })
      if (code !== 'ERR_JOB_RUNNING') await claim.finish('failed', { code, message })
      throw error
    }
  }

  const runWork: Jobs['runWork'] = async (name, options, work) => {
    if (stop.signal.aborted) throw stopping()
    const known = running.get(name)
    if (known !== undefined && options.dryRun !== true) {
      if (options.slot !== undefined) return { skipped: 'running' }
      throw alreadyRunning(name, known)
    }
    const done = runClaimed(name, options, work)
    // A dry run does not keep another run from starting.
    if (options.dryRun === true) return done
    running.set(name, { since: new Date(clock.now()).toISOString(), done: done.catch(() => undefined) })
    try {
      return await done
    } finally {
      running.delete(name)
    }
  }

  return {
    run: (name, options = {}) =>
      runWork(name, options, (claim, signal) => workOf(name, parts, options)(claim, signal)),
    runWork,
    records: async () => {
      const keys = JOB_NAMES.map(
        (name) => ({ kind: 'range', range: { key: toBytes(jobKey(name)) } }) as const,
      )
      const { results } = await store.txn({ compare: [], success: keys })
      const reads = JOB_NAMES.map(async (name, index) => {
        const kv = onlyKey(results[index])
        return [name, kv && (await readJobRecord(store, kv))] as const
      })
      const records = await Promise.all(reads)
      return Object.fromEntries(records.filter(([, record]) => record !== undefined))
    },
    close: async () => {
      stop.abort()
      await Promise.all([...running.values()].map(({ done }) => done))
    },
  }
}

function workOf(name: PlainJobName, parts: JobsParts, options: JobOptions): Work {
  const { trustClock = false, onProgress = () => undefined } = options
  switch (name) {
    case 'compact':
      return async (claim, signal) => {
        const report = await compact(parts, { claim, trustClock, signal })
        return { ...report, ...(await defragmentWaste(parts, claim, signal)) }
      }
    case 'clean': {
      const { byDate = false, full = false, events } = options
      return async (claim, signal) => ({
        ...(await clean(parts, {
          claim,
          trustClock,
          byDate,
          full,
          events,
          signal,
          onProgress: (report) => onProgress({ ...report }),
        })),
      })
    }
    case 'defragment':
      return async (claim, signal) => {
        const { maintenance } = parts
        if (maintenance === undefined)
          return { members: [], note: 'This store frees disk space by itself when it is compacted' }
        return { ...(await defragment({ ...parts, maintenance }, { claim, signal })) }
      }
  }
}

/** Frees the disk space that large deletions have left, after a compaction. A failure here does not make the compaction fail. */
async function defragmentWaste(
  parts: JobsParts,
  claim: Claim | undefined,
  signal: AbortSignal,
): Promise<JobReport> {
  const { maintenance, settings, logger } = parts
  const wasteBytes = settings.defragmentWasteBytes
  if (maintenance === undefined || wasteBytes === undefined) return {}
  try {
    const { members } = await defragment({ ...parts, maintenance }, { claim, wasteBytes, signal })
    return members.length === 0 ? {} : { defragmented: members }
  } catch (error) {
    if (!isAvisoError(error) || error.code === 'ERR_JOB_RUNNING') throw error
    logger('warn', 'The store could not be defragmented', { code: error.code, reason: error.message })
    return { defragmentation: error.message }
  }
}

function stopping(): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The service is stopping')
}
