/**
 * Sends a copy of the store: lines of progress while it is made, then its bytes, and last their digest, without which no copy counts.
 *
 * Nothing is read from the store before the receiver has taken what was read before. A receiver that stops, or takes for ever, is cut off,
 * because an unread copy holds the store's disk (embedded) or its old pages (etcd).
 *
 * @module
 */

import { toHex, type NewSha256 } from '#shared/bytes/sha256.ts'
import { AvisoError } from '#shared/errors.ts'
import { BACKUP_MEDIA_TYPE, frameLine } from '#shared/http/framed_body.ts'
import { toAvisoError } from '#shared/http/respond.ts'
import type { Answer } from '#shared/handler.ts'
import type { StoreBackup, StoreSnapshot } from '#shared/store/maintenance.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import type { JobReport } from './jobs/job_record.ts'

/** Time between two lines while the copy is made: below the idle limit of servers and proxies. */
const LINE_MS = 2_000
/** Longest time that a receiver takes nothing: longer than a pause of its disk or network that passes. */
const STALLED_MS = 60_000
/** Longest transfer, however steady: 8 GiB, etcd's largest advised size, at 600 kB/s. */
const TRANSFER_LIMIT_MS = 4 * 3_600_000

/**
 * After so many milliseconds of reading and sending comes a rest, so many times as long. A copy as fast as it can be made would leave the
 * store and this service no processor and no disk for publishing, and much work at once is what a publish waits for. What one piece takes beyond `mostMs` is its receiver's time, and a slow
 * receiver is not slowed further.
 */
const PACE = { workMs: 1, mostMs: 8, restShare: 8 } as const

export interface BackupStreamParts {
  readonly backup: StoreBackup
  readonly newSha256: NewSha256
  readonly clock: Clock
  readonly requestId: string
  /** Aborts when the service stops. */
  readonly signal: AbortSignal
  /** Told now and then how many bytes were taken. What it throws ends the transfer. */
  readonly onProgress: (report: JobReport) => Promise<void>
  /** Resolves when {@link BackupStream.done} was recorded. */
  readonly recorded: Promise<void>
}

/** A copy that is being sent. */
export interface BackupStream {
  readonly answer: Answer
  /** Resolves when all bytes were taken, with their figures. @throws {AvisoError} when they were not. */
  readonly done: Promise<JobReport>
}

/** Begins to copy and to send. */
export function sendBackup(parts: BackupStreamParts): BackupStream {
  const { clock, requestId } = parts
  const { promise: done, resolve, reject } = Promise.withResolvers<JobReport>()
  const cut = new AbortController()
  const frames = makeFrames(parts, AbortSignal.any([parts.signal, cut.signal]), resolve)
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let stopWaiting: () => void = () => undefined
  const stopLimit = clock.after(TRANSFER_LIMIT_MS, () => cutOff('The receiver took too long'))

  const onStop = (): void => cutOff('The service is stopping')
  parts.signal.addEventListener('abort', onStop)

  function end(): void {
    stopWaiting()
    stopLimit()
    parts.signal.removeEventListener('abort', onStop)
  }
  function cutOff(reason: string): void {
    const error = new AvisoError('ERR_CONFLICT', `${reason}, so the backup was given up: begin it again`)
    end()
    cut.abort()
    controller?.error(error)
    reject(error)
    // It gives the copy back once its present step is over.
    frames.return().catch(() => undefined)
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start: (given) => {
        controller = given
      },
      pull: async (given) => {
        stopWaiting()
        const next = await frames.next().catch((error: unknown) => {
          reject(error)
          return { done: false as const, value: frameLine({ error: failureOf(error, requestId) }) }
        })
        if (cut.signal.aborted) return
        if (next.done === true) {
          end()
          return given.close()
        }
        given.enqueue(next.value)
        stopWaiting = clock.after(STALLED_MS, () => cutOff('The receiver stopped'))
      },
      cancel: () => cutOff('The receiver went away'),
    },
    { highWaterMark: 0 },
  )
  const headers = {
    'content-type': BACKUP_MEDIA_TYPE,
    'cache-control': 'no-store',
    'x-request-id': requestId,
  }
  return { answer: { status: 200, headers, body }, done }
}

async function* makeFrames(
  { backup, newSha256, clock, onProgress, recorded }: BackupStreamParts,
  signal: AbortSignal,
  onSent: (report: JobReport) => void,
): AsyncGenerator<Uint8Array, void> {
  const at = new Date(clock.now()).toISOString()
  let share = 0
  const making = backup.snapshot({ signal, onProgress: (done) => (share = done) })
  let snapshot: StoreSnapshot | undefined
  try {
    while (snapshot === undefined) {
      snapshot = await within(making, { clock, ms: LINE_MS, late: () => undefined })
      if (snapshot !== undefined) break
      yield frameLine({ progress: { copied: share } })
      await onProgress({ copied: share })
    }
    const { revision, sizeBytes } = snapshot
    yield frameLine({ snapshot: { at, revision: revision.toString(), size_bytes: sizeBytes } })
    const sum = newSha256()
    let sent = 0
    let workedMs = 0
    let begunAt = clock.monotonic()
    for await (const bytes of snapshot.bytes) {
      if (bytes.length === 0) continue
      workedMs += Math.min(clock.monotonic() - begunAt, PACE.mostMs)
      if (workedMs >= PACE.workMs) {
        await clock.sleep(workedMs * PACE.restShare, signal)
        workedMs = 0
      }
      begunAt = clock.monotonic()
      sum.update(bytes)
      yield frameLine({ bytes: bytes.length })
      yield bytes
      sent += bytes.length
      await onProgress({ sent_bytes: sent, size_bytes: sizeBytes })
    }
    const report = { at, revision: revision.toString(), size_bytes: sent, sha256: toHex(sum.digest()) }
    onSent(report)
    // The receiver may say at once that it has the copy, and the record of the job must be there then.
    await recorded
    yield frameLine({ end: report })
  } finally {
    // A receiver may leave before the copy is made.
    if (snapshot === undefined) making.then((late) => late.release()).catch(() => undefined)
    else await snapshot.release()
  }
}

function failureOf(error: unknown, requestId: string): object {
  const { code, message, status } = toAvisoError(error)
  return { success: false, code, message, status, request_id: requestId }
}
