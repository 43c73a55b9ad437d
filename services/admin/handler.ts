/**
 * The admin service: keeps the store small, and deletes only what has outlived its retention or what an operator names.
 *
 * Flow: store ◄─ **admin** (compaction, deletion, configuration)
 *
 * @module
 */

import type { Access } from '#shared/access/access.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { toAvisoError } from '#shared/http/respond.ts'
import { createRouter, type RoutedHandler } from '#shared/http/route.ts'
import { toRoute } from './admin_route.ts'
import { backupRoutes, type BackupPowers } from './backup_routes.ts'
import { configRoutes } from './config_routes.ts'
import { jobRoutes, type JobRoutesParts } from './job_routes.ts'
import { createJobs, type JobsParts } from './jobs/jobs.ts'
import { removalRoutes } from './removal_routes.ts'
import type { CompileSchemas } from '#shared/service_files/schema_files.ts'
import type { BackendOperations } from '#shared/observe/metrics/observe_store.ts'

export interface AdminParts extends Omit<JobsParts, 'holder'> {
  /** Decides who is an administrator. */
  readonly access: Pick<Access, 'forAdministration'>
  /** Makes a unique text, for request ids and for the name of this admin among others. */
  readonly random: () => string
  /** The version that status documents of service files name. */
  readonly info: { readonly version: string }
  /** The service whose schema our own services read from the store. */
  readonly schemaService?: string | undefined
  /** Whether the services can run with these schemas. @throws {AvisoError} `ERR_CONFIG`. Absent: they can. */
  readonly checkSchemas?: (schemas: Schemas) => void
  /** Makes the schemas of our own services. Default: nothing is added to what the files say. */
  readonly compileSchemas?: CompileSchemas | undefined
  /** Counts deletions; absent: nothing counts them. */
  readonly operations?: Pick<BackendOperations, 'run'> | undefined
  /** Job → its cron; `null`: it runs by hand alone. Absent: no job has one. */
  readonly schedules?: JobRoutesParts['schedules']
  /** When a cron is next due; absent where others run the schedules. */
  readonly nextRun?: JobRoutesParts['nextRun']
  /** What backups are made with; absent where the runtime has none. */
  readonly backups?: BackupPowers | undefined
}

/** Jobs that a schedule may ask for. */
export type ScheduledJob = 'compact' | 'clean'

/** The event of a cron trigger. */
export interface ScheduledEvent {
  readonly job: ScheduledJob
  /** The time when the job was due, milliseconds since 1970: the same for all admins. */
  readonly scheduledTime: number
  /** Whether no admin was running when the job was due. */
  readonly isCatchUp?: boolean
}

export interface AdminService {
  /** Never rejects. */
  readonly handle: RoutedHandler
  /** Runs a due job, unless another admin has run it. Never rejects: a failure is logged, and the schedule runs the job again. */
  scheduled(event: ScheduledEvent): Promise<void>
  /** Stops running jobs at their next step, and waits for them. */
  close(): Promise<void>
}

const UNCOUNTED: Pick<BackendOperations, 'run'> = { run: (_operation, run) => run() }

/** Makes the service. No job runs before it is asked for. */
export function createAdminService(parts: AdminParts): AdminService {
  const { random, logger } = parts
  const jobsParts = { ...parts, holder: random() }
  const jobs = createJobs(jobsParts)
  const routes = [
    ...jobRoutes({ ...parts, jobs }),
    ...backupRoutes({ ...parts, jobs }),
    ...removalRoutes({ ...jobsParts, operations: parts.operations ?? UNCOUNTED }, jobs),
    ...configRoutes({
      ...parts,
      schemaService: parts.schemaService,
      checkSchemas: parts.checkSchemas ?? (() => undefined),
      compileSchemas: parts.compileSchemas,
      version: parts.info.version,
    }),
  ]
  return {
    handle: createRouter(
      routes.map((route) => toRoute(route, parts)),
      parts,
    ),
    scheduled: async ({ job, scheduledTime, isCatchUp = false }) => {
      // A cleaner that has never run on this store has missed no run. An operator who starts the service for the first time can
      // set the retention before the next scheduled time. The compactor may run at once, because its first run deletes nothing.
      const isResumed = isCatchUp && job === 'clean'
      const result = await jobs.run(job, { slot: scheduledTime, isResumed }).catch((error: unknown) => {
        logger('warn', 'A scheduled job failed and runs again at its next scheduled time', {
          job,
          code: toAvisoError(error).code,
        })
      })
      if (result !== undefined && 'skipped' in result)
        logger('debug', 'A scheduled job was not needed', { job, reason: String(result.skipped) })
    },
    close: jobs.close,
  }
}
