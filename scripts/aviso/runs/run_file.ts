/**
 * Writes all notifications of a run to a file, for the commands of a listener with `when`.
 *
 * The file has a line of JSON for each notification, as `listen --json` prints them, in the order of the store. Only the user can read it.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callText } from '#shared/client/call.ts'
import { messageOf } from '#shared/client/client_error.ts'
import { parseCloudEvent, type ReceivedNotification } from '#shared/client/notification.ts'
import type { Prepared } from '../listener.ts'
import { notificationLine } from '../triggers/echo.ts'
import type { Asking } from './run_service.ts'
import { nominalText, runName } from './run_text.ts'
import { readRun, type RunView } from './run_view.ts'

/** What may be written: services follow no more products of a run. */
const MAX_NOTIFICATIONS = 100_000
/** What a temporary folder has room for, also where it is in memory. */
const MAX_BYTES = 256 * 1024 * 1024
/** Largest page that the service gives. */
const PAGE = 1_000
/** Times of the run are those of its notifications, to the millisecond; a date may be read to the second. */
const MARGIN_MS = 1_000

/** A run is too large for a file. */
class TooLarge extends Error {}

/**
 * Makes the `prepare` of a listener.
 *
 * @returns a function that reads the run of a notification and hands on a file with it. A service that does not answer is waited for.
 */
export function createRunFiles(context: Asking): (notification: ReceivedNotification) => Promise<Prepared> {
  return async (notification) => {
    const folder = join(tmpdir(), `aviso-${randomUUID()}`)
    const release = (): Promise<void> => rm(folder, { recursive: true, force: true })
    try {
      const run = readRun(notification.payload)
      await mkdir(folder, { mode: 0o700 })
      const runFile = join(folder, 'run.jsonl')
      const file = await open(runFile, 'wx', 0o600)
      const count = await writeRun(run, file, context).finally(() => file.close())
      if (count < run.received)
        context.output.log(
          'WARNING',
          `${runName(run)}: only ${count} of its ${run.received} notifications are in the file for its commands; the others are no longer kept, or have no number`,
        )
      return { kind: 'ready', input: { ...notification, runFile }, release }
    } catch (error) {
      await release()
      if (context.stop.aborted) return { kind: 'stopped' }
      if (error instanceof TooLarge) return { kind: 'poisoned', trigger: 'when', reason: messageOf(error) }
      throw error
    }
  }
}

/** @returns how many notifications were written */
async function writeRun(run: RunView, file: FileHandle, context: Asking): Promise<number> {
  // Nothing came.
  if (run.first_at === null) return 0
  let count = 0
  let bytes = 0
  let path: string | undefined = firstPage(run, run.first_at)
  while (path !== undefined) {
    const { text, headers } = await callText(context, {
      path,
      method: 'GET',
      accept: 'application/x-ndjson',
      attempts: Number.POSITIVE_INFINITY,
      failure: `Not able to read the notifications of ${runName(run)}`,
    })
    const lines = text.split('\n').flatMap((line) => {
      const event = line === '' ? undefined : parseCloudEvent(line)
      return event === undefined ? [] : [`${notificationLine(event)}\n`]
    })
    count += lines.length
    const written = lines.join('')
    bytes += Buffer.byteLength(written)
    if (count > MAX_NOTIFICATIONS || bytes > MAX_BYTES)
      throw new TooLarge(
        `its run ${nominalText(run)} has more than ${MAX_NOTIFICATIONS} notifications or ${MAX_BYTES / 1024 / 1024} MiB: read it with aviso replay`,
      )
    await file.write(written)
    path = nextPage(headers)
  }
  return count
}

/** The history of the run's own time. */
function firstPage(run: RunView, firstAt: string): string {
  const ends = [run.last_at, run.complete_at, run.republished_at].flatMap((at) =>
    at === null ? [] : [Date.parse(at)],
  )
  const query = new URLSearchParams({ event: run.event_type, ...run.run })
  query.set('from', new Date(Date.parse(firstAt) - MARGIN_MS).toISOString())
  if (ends.length > 0) query.set('to', new Date(Math.max(...ends) + MARGIN_MS).toISOString())
  query.set('order', 'oldest')
  query.set('limit', String(PAGE))
  return `/api/v1/notifications?${query}`
}

/** The address in `Link: <…>; rel="next"`, below the service's own. */
function nextPage(headers: Headers): string | undefined {
  // A proxy may have put a path before it, which the service's address has, too.
  const [, query] = /<[^>?]*(\?[^>]*)>; rel="next"/.exec(headers.get('link') ?? '') ?? []
  return query === undefined ? undefined : `/api/v1/notifications${query}`
}
