/**
 * Backups over HTTP: `POST /api/v1/admin/backup` sends a copy of the store, and `POST /api/v1/admin/backup/done` records that its receiver
 * has it on disk.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import type { NewSha256 } from '#shared/bytes/sha256.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Answer } from '#shared/handler.ts'
import { isJsonRecord } from '#shared/json/record.ts'
import { BACKUP_KEY, encodeBackupRecord, type BackupRecord } from '#shared/retention/backup_record.ts'
import type { BackupPower } from '#shared/store/maintenance.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { succeeded, textIn, type AdminRequest, type AdminRoute } from './admin_route.ts'
import { sendBackup } from './backup_stream.ts'
import { jobKey, parseJobRecord } from './jobs/job_record.ts'
import type { Jobs } from './jobs/jobs.ts'

const PATH = '/api/v1/admin/backup'

/** What backups are made with. */
export interface BackupPowers {
  readonly power: BackupPower
  readonly newSha256: NewSha256
}

export interface BackupRoutesParts {
  readonly store: Store
  readonly clock: Clock
  readonly jobs: Jobs
  /** Absent where the runtime has none. */
  readonly backups?: BackupPowers | undefined
}

/** The routes of backups. */
export function backupRoutes(parts: BackupRoutesParts): readonly AdminRoute[] {
  return [
    { method: 'POST', path: PATH, doc: 'backup', handle: (request) => startBackup(parts, request) },
    {
      method: 'POST',
      path: `${PATH}/done`,
      doc: 'backupDone',
      members: ['sha256'],
      handle: async (request) => {
        await recordBackup(parts.store, textIn(request.body, 'sha256'))
        return succeeded(request, {})
      },
    },
  ]
}

/** Answers once the job is this admin's, so a refusal has its own status. */
async function startBackup(
  { backups, clock, jobs }: BackupRoutesParts,
  { request, requestId }: AdminRequest,
): Promise<Answer> {
  const powers = requirePowers(backups)
  const { promise: answered, resolve, reject } = Promise.withResolvers<Answer>()
  const { promise: recorded, resolve: onRecorded } = Promise.withResolvers<void>()
  const run = jobs.runWork('backup', {}, async (claim, signal) => {
    // The receiver may have left while the job was claimed. Its copy would stay unread.
    if (request.signal.aborted) throw new AvisoError('ERR_CONFLICT', 'The receiver went away')
    const { answer, done } = sendBackup({
      ...powers,
      clock,
      requestId,
      signal,
      onProgress: async (report) => claim?.progress(report),
      recorded,
    })
    resolve(answer)
    return done
  })
  run.catch(reject).finally(onRecorded)
  return answered
}

/** @throws {AvisoError} `ERR_READ_ONLY` or `ERR_NOT_FOUND` where the store cannot be copied from here. */
function requirePowers(backups: BackupPowers | undefined): {
  readonly backup: NonNullable<BackupPower['backup']>
  readonly newSha256: NewSha256
} {
  if (backups === undefined)
    throw new AvisoError('ERR_NOT_FOUND', 'This runtime makes no backups: use its own tools')
  const { power, newSha256 } = backups
  if (power.backup === undefined) throw power.refusal
  return { backup: power.backup, newSha256 }
}

/**
 * Records the last backup, once its receiver has it.
 *
 * @throws {AvisoError} `ERR_CONFLICT` where the last backup that was sent has another digest.
 */
async function recordBackup(store: Store, sha256: string): Promise<void> {
  const [kv] = (await store.range({ key: toBytes(jobKey('backup')) })).kvs
  const job = kv && parseJobRecord(kv.value)
  const record = job?.state === 'done' ? toRecord(job.report) : undefined
  if (kv === undefined || record?.sha256 !== sha256)
    throw new AvisoError('ERR_CONFLICT', 'The last backup that was sent is another one: it is not recorded')
  const { succeeded: isWritten } = await store.txn({
    compare: [{ key: kv.key, target: 'MOD', result: 'EQUAL', value: kv.modRevision }],
    success: [{ kind: 'put', key: toBytes(BACKUP_KEY), value: encodeBackupRecord(record) }],
  })
  if (!isWritten) throw new AvisoError('ERR_CONFLICT', 'Another backup has begun: this one is not recorded')
}

function toRecord(report: unknown): BackupRecord | undefined {
  if (!isJsonRecord(report)) return undefined
  const { at, revision, size_bytes: sizeBytes, sha256 } = report
  return typeof at === 'string' &&
    typeof revision === 'string' &&
    typeof sizeBytes === 'number' &&
    typeof sha256 === 'string'
    ? { at, revision, sizeBytes, sha256 }
    : undefined
}
