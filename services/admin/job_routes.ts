/**
 * Serves the jobs over HTTP: `POST /api/v1/admin/compact`, `clean`, `defragment`; `GET /api/v1/admin/status`.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { Answer } from '#shared/handler.ts'
import type { JsonObject } from '#shared/json/strict_json.ts'
import { formatDuration } from '#shared/retention/duration.ts'
import { readBackupRecord } from '#shared/retention/backup_record.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { flagIn, succeeded, textsIn, type AdminRequest, type AdminRoute } from './admin_route.ts'
import { readHistory } from './jobs/history_store.ts'
import type { JobReport } from './jobs/job_record.ts'
import type { JobOptions, Jobs } from './jobs/jobs.ts'
import { progressResponse, wantsProgress } from './progress_stream.ts'
import type { AdminSettings } from './jobs/settings.ts'

export interface JobRoutesParts {
  readonly store: Store
  readonly maintenance: StoreMaintenance | undefined
  readonly jobs: Jobs
  readonly settings: AdminSettings
  readonly clock: Clock
  /** Job → its cron; `null`: it runs by hand alone. */
  readonly schedules?: Readonly<Record<string, string | null>> | undefined
  /** When a cron is next due, milliseconds since 1970; absent where others run the schedules. */
  readonly nextRun?: ((cron: string) => number | undefined) | undefined
}

/** The routes of the jobs. */
export function jobRoutes(parts: JobRoutesParts): readonly AdminRoute[] {
  const { jobs } = parts
  const job = (name: 'compact' | 'clean' | 'defragment', members: readonly string[]): AdminRoute => ({
    method: 'POST',
    path: `/api/v1/admin/${name}`,
    doc: name,
    members,
    handle: (request) =>
      answerJob(parts, request, (onProgress) => jobs.run(name, { ...optionsOf(request.body), onProgress })),
  })
  return [
    {
      method: 'GET',
      path: '/api/v1/admin/status',
      doc: 'adminStatus',
      handle: async (request) => succeeded(request, await readStatus(parts)),
    },
    job('compact', ['dry_run', 'trust_clock']),
    job('clean', ['dry_run', 'trust_clock', 'by_date', 'full', 'events']),
    job('defragment', ['dry_run']),
  ]
}

/**
 * Runs a job for a request, with progress where that is asked for.
 *
 * @param answer Makes the answer of its result.
 */
export async function answerJob(
  { clock }: { readonly clock: Clock },
  asked: AdminRequest,
  run: (onProgress: (report: JobReport) => void) => Promise<object>,
  answer: (report: JobReport) => Answer = (report) => succeeded(asked, report),
): Promise<Answer> {
  const { request, requestId } = asked
  const report = async (onProgress: (report: JobReport) => void): Promise<JobReport> => ({
    ...(await run(onProgress)),
  })
  if (wantsProgress(request)) return progressResponse(report, { clock, requestId })
  return answer(await report(() => undefined))
}

function optionsOf(body: JsonObject): JobOptions {
  return {
    dryRun: flagIn(body, 'dry_run'),
    trustClock: flagIn(body, 'trust_clock'),
    byDate: flagIn(body, 'by_date'),
    full: flagIn(body, 'full'),
    events: textsIn(body, 'events'),
  }
}

async function readStatus(parts: JobRoutesParts): Promise<JobReport> {
  const { store, jobs, settings, clock } = parts
  const [status, { history }, records, backup, members] = await Promise.all([
    store.status(),
    readHistory(store, settings.legacyHistoryKey),
    jobs.records(),
    readBackupRecord(store),
    membersOf(parts),
  ])
  const at = (ms: number | undefined): string | undefined =>
    ms === undefined ? undefined : new Date(ms).toISOString()
  return {
    clock: at(clock.now()),
    store: {
      version: status.version,
      revision: status.revision.toString(),
      size_bytes: status.sizeBytes,
      size_in_use_bytes: status.sizeInUseBytes,
    },
    ...members,
    retention: {
      history: formatDuration(settings.historyMs),
      age: formatDuration(settings.ageMs),
      events: Object.fromEntries(
        Object.entries(settings.events).map(([event, { ageMs, count }]) => [
          event,
          {
            ...(ageMs !== undefined && { age: formatDuration(ageMs) }),
            ...(count !== undefined && { count }),
          },
        ]),
      ),
    },
    history: {
      marks: history.marks.length,
      oldest_mark: at(history.marks[0]?.at),
      newest_mark: at(history.marks.at(-1)?.at),
      compacted_to: history.compacted === 0n ? undefined : history.compacted.toString(),
    },
    backup: backup && {
      at: backup.at,
      age_seconds: Math.max(0, Math.round((clock.now() - Date.parse(backup.at)) / 1_000)),
      revision: backup.revision,
      size_bytes: backup.sizeBytes,
      sha256: backup.sha256,
    },
    jobs: records,
    schedule: scheduleOf(parts),
  }
}

/** When jobs are due, by job. */
function scheduleOf({ schedules = {}, nextRun = () => undefined }: JobRoutesParts): JobReport {
  const entries = Object.entries(schedules).map(([job, cron]) => {
    const next = cron === null ? undefined : nextRun(cron)
    return [job, { cron, ...(next !== undefined && { next: new Date(next).toISOString() }) }] as const
  })
  return Object.fromEntries(entries)
}

/** Members and alarms of the store. When they cannot be read, the rest of the status must still be shown. */
async function membersOf({ maintenance }: JobRoutesParts): Promise<JobReport> {
  if (maintenance === undefined) return {}
  try {
    const [members, alarms] = await Promise.all([maintenance.members(), maintenance.alarms()])
    return {
      members: members.map(({ id, name, isReachable, isLeader, version, sizeBytes, sizeInUseBytes }) => ({
        id,
        name,
        reachable: isReachable,
        leader: isLeader,
        version,
        size_bytes: sizeBytes,
        size_in_use_bytes: sizeInUseBytes,
      })),
      alarms: alarms.map(({ memberId, kind }) => ({ member: memberId, kind })),
    }
  } catch (error) {
    if (!isAvisoError(error)) throw error
    return { members_error: error.message }
  }
}
