/**
 * Answers a long job line by line when the client accepts `application/x-ndjson`: progress while the job runs, then its result.
 *
 * @module
 */

import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { toAvisoError } from '#shared/http/respond.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { JobReport } from './jobs/job_record.ts'

/** Time between two lines: below the idle limit of servers and proxies, and short enough to watch. */
const LINE_MS = 2_000

export const NDJSON = 'application/x-ndjson'

/** Whether the client wants to see progress. */
export function wantsProgress({ headers }: HandlerRequest): boolean {
  return (headers.get('accept') ?? '')
    .split(',')
    .some((type) => type.split(';')[0]?.trim().toLowerCase() === NDJSON)
}

/**
 * Runs a job and answers at once. The status is always 200: the last line has a `result` or an `error`.
 * A client that goes away does not stop the job.
 */
export function progressResponse(
  run: (onProgress: (report: JobReport) => void) => Promise<JobReport>,
  { clock, requestId }: { readonly clock: Clock; readonly requestId: string },
): Answer {
  let latest: JobReport = {}
  let isOpen = true
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const line = (content: object): void => {
        if (isOpen) controller.enqueue(toBytes(`${JSON.stringify(content)}\n`))
      }
      const stopLines = clock.every(LINE_MS, () => line({ progress: latest }))
      void run((report) => (latest = report)).then(
        (result) => end({ result: { success: true, ...result, request_id: requestId } }),
        (error: unknown) => end({ error: failureOf(error, requestId) }),
      )
      function end(last: object): void {
        stopLines()
        line(last)
        if (isOpen) controller.close()
        isOpen = false
      }
      line({ progress: latest })
    },
    cancel: () => {
      isOpen = false
    },
  })
  return {
    status: 200,
    headers: { 'content-type': NDJSON, 'cache-control': 'no-store', 'x-request-id': requestId },
    body,
  }
}

function failureOf(error: unknown, requestId: string): object {
  const { code, message, status } = toAvisoError(error)
  return { success: false, code, message, status, request_id: requestId }
}
