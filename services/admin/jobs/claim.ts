/**
 * A claim to a job: of several admins one runs it, and one that was replaced can do no more.
 *
 * No lock is held. The claim is a key that its admin rewrites, and every write of the job is guarded by the revision of that
 * key. An admin that was stopped for an hour and goes on finds its guard broken, whoever has taken over meanwhile.
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
  type JobName,
  type JobRecord,
  type JobReport,
} from './job_record.ts'
import { ABANDONED_MS, PROGRESS_MS } from './limits.ts'

/** What a claim is made with. */
export interface ClaimParts {
  readonly store: Store
  readonly clock: Clock
  /** Name of this admin, unique. */
  readonly holder: string
}

/** A job that this admin runs. */
export interface Claim {
  /** Revision of the claim's last write, which is a put and nothing else; 0n in a store that is full and takes no claim. */
  revision(): Revision
  /** Guards of every write of the job. Empty in a store that is full and takes no claim: what is done then is safe without. */
  fence(): readonly Compare[]
  /** @throws {AvisoError} `ERR_JOB_RUNNING` when the key of the claim is not as this admin left it. */
  check(kv: KeyValue | undefined): void
  /** Tells how far the job is, now and then. @throws {AvisoError} `ERR_JOB_RUNNING` when another admin has taken over. */
  progress(report: JobReport): Promise<void>
  /** Makes sure that the job is still this admin's. @throws {AvisoError} `ERR_JOB_RUNNING` when it is not. */
  renew(): Promise<void>
  /** Ends the claim. What it cannot write it leaves: the claim is then taken over once it is old. */
  finish(state: 'done' | 'failed', report: JobReport): Promise<void>
}

/** What came of {@link claimJob}. */
export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** It runs elsewhere. */
  | { readonly kind: 'running'; readonly record: JobRecord }
  /** The run of this schedule time was done already. */
  | { readonly kind: 'served'; readonly record: JobRecord }
  /** It was to be resumed only. */
  | { readonly kind: 'never_run' }

/** Who asks for the job. */
export interface ClaimRequest {
  /** Time of the schedule, milliseconds since 1970; absent: by hand, at once. */
  readonly slot?: number
  /** Only where the job was run before. */
  readonly isResumed?: boolean
}

/**
 * Claims a job.
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
    const known = kv === undefined ? undefined : parseJobRecord(kv.value)
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
    // Another admin was faster: what it has written decides.
  }
}

function isAlive({ state, at }: JobRecord, now: number): boolean {
  // The other admin's clock may be ahead or behind; being wrong here costs a repeated run, since the fence holds all the same.
  return state === 'running' && Math.abs(now - Date.parse(at)) < ABANDONED_MS
}

/** A schedule time that lies far ahead was written by a clock that was wrong: it serves nothing. */
function isServed({ state, slot }: JobRecord, wanted: number, now: number): boolean {
  if (slot === undefined || state === 'running') return false
  const served = Date.parse(slot)
  return served >= wanted && served <= now + ABANDONED_MS
}

/**
 * Writes a record if the key is as it was.
 *
 * @returns Its revision; 0n where the store is full and has written nothing; `undefined` if somebody else wrote.
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
    // It may still be applied; then the next claim finds it and waits until it is old.
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

/** The refusal of a job that runs. */
export function alreadyRunning(name: JobName, { since }: Pick<JobRecord, 'since'>): AvisoError {
  return new AvisoError(
    'ERR_JOB_RUNNING',
    `The job ${name} has been running since ${since}: see its progress with status; if its admin is gone, it can be taken over after ${ABANDONED_MS / 60_000} minutes`,
  )
}
