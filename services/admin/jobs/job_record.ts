/**
 * The record of a job in the store: which admin runs it, since when, and the result of the last run.
 *
 * @module
 */

import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'

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
