/**
 * The admin service: keeps the store small without losing what anybody may still need.
 *
 * Flow: store ◄─ **admin** (compaction, deletion, configuration)
 *
 * @module
 */

import type { Access } from '#shared/access/access.ts'
import type { Handler } from '#shared/handler.ts'
import { toAvisoError } from '#shared/http/respond.ts'
import { createRouter } from '#shared/http/route.ts'
import { toRoute } from './admin_route.ts'
import { configRoutes } from './config_routes.ts'
import { jobRoutes } from './job_routes.ts'
import { createJobs, type JobsParts } from './jobs/jobs.ts'
import { removalRoutes } from './removal_routes.ts'

/** What the service is made of. */
export interface AdminParts extends Omit<JobsParts, 'holder'> {
  /** Who may administrate. */
  readonly access: Pick<Access, 'forAdministration'>
  /** Unique text: request ids, and the name of this admin among others. */
  readonly random: () => string
  /** Goes into the status documents of service files. */
  readonly info: { readonly version: string }
  /** The service whose schema our own services take from the store. */
  readonly schemaService?: string | undefined
}

/** Jobs that a schedule may ask for. */
export type ScheduledJob = 'compact' | 'clean'

/** What a cron trigger says. */
export interface ScheduledEvent {
  readonly job: ScheduledJob
  /** The time it was due, milliseconds since 1970: the same for all admins. */
  readonly scheduledTime: number
  /** The time passed while no admin was there. */
  readonly isCatchUp?: boolean
}

/** The running service. */
export interface AdminService {
  /** Never rejects. */
  readonly handle: Handler
  /** Runs a job that is due, unless another admin has. Never rejects: failures are logged, and the next time is another chance. */
  scheduled(event: ScheduledEvent): Promise<void>
  /** Lets running jobs end at their next step. */
  close(): Promise<void>
}

/** Makes the service. Nothing runs before it is asked. */
export function createAdminService(parts: AdminParts): AdminService {
  const { random, logger } = parts
  const jobsParts = { ...parts, holder: random() }
  const jobs = createJobs(jobsParts)
  const routes = [
    ...jobRoutes({ ...parts, jobs }),
    ...removalRoutes(jobsParts, jobs),
    ...configRoutes({
      ...parts,
      schemaService: parts.schemaService,
      version: parts.info.version,
    }),
  ]
  return {
    handle: createRouter(
      routes.map((route) => toRoute(route, parts)),
      parts,
    ),
    scheduled: async ({ job, scheduledTime, isCatchUp = false }) => {
      // A cleaner that was never here has missed nothing: who starts this service on a store for the first time has until the next
      // time of the schedule to set its retention. The compactor's first run deletes nothing, and the sooner it is the better.
      const isResumed = isCatchUp && job === 'clean'
      const result = await jobs.run(job, { slot: scheduledTime, isResumed }).catch((error: unknown) => {
        logger('warn', 'A scheduled job failed; its next time is another chance', {
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
