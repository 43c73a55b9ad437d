/**
 * A claim to a job: only one of several admins runs the job, and an admin that was replaced can write nothing more.
 *
 * A claim is not a lock. It is a key that its admin rewrites, and the revision of that key guards every write of the job. An admin
 * that was stopped for an hour and goes on cannot write, because the admin that has taken over has changed the key.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Compare, KeyValue, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import {
  encodeJobRecord,
  jobKey,
  parseJobRecord,
  readJobRecord,
  type JobName,
  type JobRecord,
  type JobReport,
} from './job_record.ts'
import { ABANDONED_MS, PROGRESS_MS } from './limits.ts'

export interface ClaimParts {
  readonly store: Store
  readonly clock: Clock
  /** Name of this admin, unique. */
  readonly holder: string
}

/** A job that this admin runs. */
export interface Claim {
  /** Revision of the claim's last write, which holds only that one put; 0n when the store is full and takes no claim. */
  revision(): Revision
  /** Guards for every write of the job. Empty when the store is full and takes no claim: the writes are then safe without a guard. */
  fence(): readonly Compare[]
  /** @throws {AvisoError} `ERR_JOB_RUNNING` when another admin has changed the key of the claim. */
  check(kv: KeyValue | undefined): void
  /** Stores the job's progress, at most every 5 s. @throws {AvisoError} `ERR_JOB_RUNNING` when another admin has taken over. */
  progress(report: JobReport): Promise<void>
  /** Renews the claim. @throws {AvisoError} `ERR_JOB_RUNNING` when another admin has taken over. */
  renew(): Promise<void>
  /** Ends the claim. When the store does not take the result, another admin can take the claim over once it is old. */
  finish(state: 'done' | 'failed', report: JobReport): Promise<void>
}

/** The result of {@link claimJob}. */
export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** An admin runs the job already. */
  | { readonly kind: 'running'; readonly record: JobRecord }
  /** The run of this schedule time was done already. */
  | { readonly kind: 'served'; readonly record: JobRecord }
  /** The request was only to resume a job, and the job has never run. */
  | { readonly kind: 'never_run' }

/** How a job is asked for: by a schedule or by hand. */
export interface ClaimRequest {
  /** Scheduled time, milliseconds since 1970; absent when the job is started by hand. */
  readonly slot?: number
  /** Whether to claim the job only if it has run before. */
  readonly isResumed?: boolean
}

/**
 * Claims a job for this admin.
 *
 * @throws {AvisoError} What the store throws.
 */
export async function claimJob(
  name: JobName,
  { slot, isResumed = false }: ClaimRequest,
  parts: ClaimParts,
): Promise<ClaimOutcome> {
  const { store, clock, holder } = parts
  const key = toBytes(jobKey(name))
  for (;;) {
    const [kv] = (await store.range({ key })).kvs
    const known = kv === undefined ? undefined : await readJobRecord(store, kv)
    const now = clock.now()
    if (known === undefined && isResumed) return { kind: 'never_run' }
    if (known !== undefined && isAlive(known, now)) return { kind: 'running', record: known }
    if (known !== undefined && slot !== undefined && isServed(known, slot, now))
      return { kind: 'served', record: known }
    const at = new Date(now).toISOString()
    const slotText = slot === undefined ? known?.slot : new Date(slot).toISOString()
    const record: JobRecord = {
      state: 'running',
      holder,
      since: at,
      at,
      ...(slotText !== undefined && { slot: slotText }),
    }
    const revision = await put(parts, key, kv?.modRevision ?? 0n, record)
    if (revision !== undefined)
      return { kind: 'claimed', claim: createClaim(parts, { key, record, revision }) }
    // Another admin was faster: the next turn reads what it wrote.
  }
}

function isAlive({ state, at }: JobRecord, now: number): boolean {
  // The other admin's clock may differ. A wrong decision here only costs a repeated run, because the fence still holds.
  return state === 'running' && Math.abs(now - Date.parse(at)) < ABANDONED_MS
}

/** Whether the record covers the wanted scheduled time. A time far in the future came from a wrong clock and covers nothing. */
function isServed({ state, slot }: JobRecord, wanted: number, now: number): boolean {
  if (slot === undefined || state === 'running') return false
  const served = Date.parse(slot)
  return served >= wanted && served <= now + ABANDONED_MS
}

/**
 * Writes a record if the key still has the revision that was read.
 *
 * @returns the revision of the write; 0n when the store is full and wrote nothing; `undefined` when another admin wrote first
 */
async function put(
  { store, holder }: ClaimParts,
  key: Uint8Array,
  seen: Revision,
  record: JobRecord,
): Promise<Revision | undefined> {
  const value = encodeJobRecord(record)
  try {
    const { succeeded, revision } = await store.txn({
      compare: [{ key, target: 'MOD', result: 'EQUAL', value: seen }],
      success: [{ kind: 'put', key, value }],
    })
    return succeeded ? revision : undefined
  } catch (error) {
    if (isAvisoError(error, 'ERR_STORE_FULL')) return 0n
    if (!isAvisoError(error, 'ERR_OUTCOME_UNKNOWN')) throw error
    const [kv] = (await store.range({ key })).kvs
    const written = kv === undefined ? undefined : parseJobRecord(kv.value)
    if (kv !== undefined && written?.holder === holder && written.at === record.at) return kv.modRevision
    // The store may still apply this write. The next claim then finds the record and waits until it is old.
    throw error
  }
}

function createClaim(
  parts: ClaimParts,
  first: { readonly key: Uint8Array; readonly record: JobRecord; readonly revision: Revision },
): Claim {
  const { clock } = parts
  const { key } = first
  let { record, revision } = first
  let writtenAt = clock.monotonic()
  const write = async (next: JobRecord): Promise<void> => {
    const written = await put(parts, key, revision, next)
    if (written === undefined) throw superseded()
    revision = written
    record = next
    writtenAt = clock.monotonic()
  }
  const now = (): string => new Date(clock.now()).toISOString()
  return {
    revision: () => revision,
    fence: () => (revision === 0n ? [] : [{ key, target: 'MOD', result: 'EQUAL', value: revision }]),
    check: (kv) => {
      if (revision !== 0n && kv?.modRevision !== revision) throw superseded()
    },
    progress: async (report) => {
      const isDue = clock.monotonic() - writtenAt >= PROGRESS_MS
      if (isDue && revision !== 0n) await write({ ...record, at: now(), report })
    },
    renew: async () => {
      if (revision !== 0n) await write({ ...record, at: now() })
    },
    finish: async (state, report) => {
      if (revision === 0n) return
      await write({ ...record, state, at: now(), report }).catch((error: unknown) => {
        if (!isAvisoError(error)) throw error
      })
    },
  }
}

function superseded(): AvisoError {
  return new AvisoError('ERR_JOB_RUNNING', 'Another admin has taken over this job, so this one has stopped')
}

/** The error for a job that is running already. */
export function alreadyRunning(name: JobName, { since }: Pick<JobRecord, 'since'>): AvisoError {
  return new AvisoError(
    'ERR_JOB_RUNNING',
    `The job ${name} has been running since ${since}: see its progress with status; if its admin has stopped, run the job again after ${ABANDONED_MS / 60_000} minutes`,
  )
}
