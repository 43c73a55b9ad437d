/**
 * The admin API of aviso 2.x: delete a notification, wipe a stream, wipe all.
 *
 * @see https://github.com/ecmwf/aviso-server `DELETE /api/v1/admin/…`
 * @module
 */

import { readSegment } from '#shared/http/query.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import type { JobReport } from './jobs/job_record.ts'
import type { JobsParts, Jobs } from './jobs/jobs.ts'
import { flagIn, succeeded, textIn, type AdminRequest, type AdminRoute } from './admin_route.ts'
import type { Answer } from '#shared/handler.ts'
import { eventOfName, parseNotificationId } from './event_names.ts'
import { answerJob } from './job_routes.ts'
import { removeNotification } from './remove_notification.ts'
import type { BackendOperations } from '#shared/observe/metrics/observe_store.ts'
import { storedEvents } from './jobs/stored_events.ts'
import { wipe, type WipeReport } from './jobs/wipe.ts'

/** Longest part of an id that a refusal repeats: as long as an event type and a number can be. */
const MAX_SHOWN = 96

export interface RemovalParts extends JobsParts {
  /** Counts the operations in the words of 2.x. */
  readonly operations: Pick<BackendOperations, 'run'>
}

/** The routes that remove notifications. */
export function removalRoutes(parts: RemovalParts, jobs: Jobs): readonly AdminRoute[] {
  const { store, schemas, logger, operations } = parts
  return [
    {
      method: 'DELETE',
      path: '/api/v1/admin/notification/:id',
      doc: 'deleteNotification',
      named: ({ id = '' }) => ({ notification_id: printable(id) }),
      handle: async (request) => {
        const { params, who } = request
        const id = parseNotificationId(schemas, readSegment(params['id'] ?? '', 'id'))
        const remove = () => removeNotification(store, id)
        const { key, wasLive } = await operations.run('delete_message', remove)
        const name = `${id.event}@${id.sequence}`
        logger('info', 'A notification was deleted', { notification: name, who: who.name })
        const message = `Notification ${name} deleted`
        return succeeded(request, { message, notification_id: name, key, was_live: wasLive })
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/admin/wipe/stream',
      doc: 'wipeStream',
      members: ['stream_name', 'dry_run'],
      handle: (request) => {
        const event = eventOfName(schemas, textIn(request.body, 'stream_name'))
        return operations.run('wipe_stream', () => wipeStreams(parts, jobs, request, [event]))
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/admin/wipe/all',
      doc: 'wipeAll',
      members: ['dry_run'],
      handle: (request) =>
        operations.run('wipe_all', async () =>
          wipeStreams(parts, jobs, request, await storedEvents(store, schemas)),
        ),
    },
  ]
}

async function wipeStreams(
  parts: JobsParts,
  jobs: Jobs,
  request: AdminRequest,
  events: readonly string[],
): Promise<Answer> {
  const dryRun = flagIn(request.body, 'dry_run')
  const run = (onProgress: (report: JobReport) => void): Promise<object> =>
    jobs.runWork('wipe', { dryRun }, async (claim, signal) => {
      const report = await wipe(parts, {
        claim,
        events,
        signal,
        onProgress: (progress) => onProgress({ ...progress }),
      })
      return { ...report, message: messageOf(report), success: failedOf(report).length === 0 }
    })
  return answerJob(parts, request, run, (report) => {
    if (report['success'] !== false) return succeeded(request, report)
    const { requestId } = request
    // 2.x answered 200 here. An incomplete wipe is not a success, so the status is 500; the body says which streams were wiped.
    return jsonResponse(
      500,
      { ...report, code: 'WIPE_INCOMPLETE', request_id: requestId },
      { 'x-request-id': requestId },
    )
  })
}

function failedOf({ streams }: WipeReport): readonly string[] {
  return streams.filter(({ error }) => error !== undefined).map(({ stream }) => stream)
}

function messageOf(report: WipeReport): string {
  const { streams, deleted, dry_run: dryRun } = report
  const failed = failedOf(report)
  if (failed.length > 0)
    return `${failed.length} of ${streams.length} streams were only wiped in part (${failed.join(', ')}): try again`
  const names = streams.map(({ stream }) => stream).join(', ')
  return dryRun ? `${deleted} keys of ${names} would be deleted` : `Wiped ${names}: ${deleted} keys deleted`
}

/** The id as it was asked for, shortened, for an answer. */
function printable(segment: string): string {
  try {
    return decodeURIComponent(segment).slice(0, MAX_SHOWN)
  } catch {
    return segment.slice(0, MAX_SHOWN)
  }
}
