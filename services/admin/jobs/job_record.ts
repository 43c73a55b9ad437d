/**
 * The record of a job in the store: which admin runs it, since when, and the result of the last run.
 *
 * @module
 */

import { readEpoch } from '#shared/journal/epoch.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyValue, Store } from '#shared/store/store.ts'

/** The jobs. */
export const JOB_NAMES = ['compact', 'clean', 'defragment', 'wipe', 'backup'] as const
export type JobName = (typeof JOB_NAMES)[number]
/** The jobs that need nothing but options. */
export type PlainJobName = Exclude<JobName, 'wipe' | 'backup'>

/** Figures and texts of a run, as clients see them. */
export type JobReport = Readonly<Record<string, unknown>>

/** The value of a job's key. */
export interface JobRecord {
  readonly state: 'running' | 'done' | 'failed'
  /** Random name of the admin that runs the job. */
  readonly holder: string
  /** Latest scheduled time that a run has covered, RFC 3339; absent before the first scheduled run. */
  readonly slot?: string
  /** When the run began, RFC 3339. */
  readonly since: string
  /** When its admin last wrote this record, RFC 3339. */
  readonly at: string
  /** Progress while the job runs; afterwards its result. */
  readonly report?: JobReport
}

/** Report of a run that {@link readJobRecord} takes for failed. */
const CUT_SHORT: JobReport = {
  code: 'ERR_EPOCH_CHANGED',
  message: 'The store was replaced or put back while this job ran',
}

/** Store key of a job. */
export function jobKey(name: JobName): string {
  return `${INTERNAL_PREFIX}admin/jobs/${name}`
}

/** The value of {@link jobKey}: JSON text. */
export function encodeJobRecord(record: JobRecord): Uint8Array {
  return toBytes(JSON.stringify(record))
}

/** Reads a record; `undefined` for any other value, which the next run then replaces. */
export function parseJobRecord(value: Uint8Array): JobRecord | undefined {
  try {
    const record = JSON.parse(toText(value)) as Partial<JobRecord> | null
    const isRecord =
      typeof record === 'object' &&
      record !== null &&
      (record.state === 'running' || record.state === 'done' || record.state === 'failed') &&
      typeof record.holder === 'string' &&
      [record.since, record.at].every((text) => Number.isFinite(Date.parse(text ?? '')))
    return isRecord ? (record as JobRecord) : undefined
  } catch {
    return undefined
  }
}

/**
 * The record of a job as it counts now. A copy of a store has the records of the jobs that ran when it was taken: a run from before the
 * store got a new epoch has ended with the store it ran on.
 *
 * @param kv The job's key.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for an epoch that is none, and what the store throws.
 */
export async function readJobRecord(store: Store, kv: KeyValue): Promise<JobRecord | undefined> {
  const record = parseJobRecord(kv.value)
  if (record?.state !== 'running') return record
  const epoch = await readEpoch(store)
  if (epoch?.isRenewed !== true || kv.modRevision > epoch.revision) return record
  // It has not covered its scheduled time.
  const { slot: _slot, ...rest } = record
  return { ...rest, state: 'failed', report: CUT_SHORT }
}
