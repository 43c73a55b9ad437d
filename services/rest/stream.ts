/**
 * Handles a stream of notifications: it reads one JSON document per line, and answers one result per line, in the same order.
 *
 * @module
 */

import { createLineSplitter } from '#shared/bytes/lines.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { bodyBroken, bodyTimeout, refuseContentEncoding, tooLarge } from '#shared/http/read_body.ts'
import { jsonText, toAvisoError } from '#shared/http/respond.ts'
import { LINES_TYPE, withHint } from '#shared/http/slips.ts'
import { parseStrictJson } from '#shared/json/strict_json.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import { failureResult } from './answer.ts'
import { countRefusal, originOfPlace, prepare, publishPrepared, refusedOutcome, resultsOf } from './ingest.ts'
import type { Ingest, Origin, Prepared } from './ingest.ts'
import { NOTIFICATION_JSON } from './limits.ts'

/** Lines given to the publisher at once: as many as fit one transaction of etcd's default size. */
const GROUP_LINES = 128
/** Groups in the publisher at a time. They keep it busy, and bound one client to about a thousand items there. */
const GROUPS_IN_FLIGHT = 8

interface Line {
  /** Counted from 1, blank lines included. */
  readonly number: number
  readonly bytes: Uint8Array
}

interface Bounds {
  readonly lineBytes: number
  readonly lines: number
  readonly idleMs: number
  readonly clock: Clock
}

/** Reads one piece of the body. It fails when nothing comes for `idleMs`. */
async function readPiece(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  bounds: Bounds,
): Promise<Uint8Array | undefined> {
  const late = (): never => {
    throw bodyTimeout()
  }
  try {
    const { value } = await within(reader.read(), { clock: bounds.clock, ms: bounds.idleMs, late })
    return value
  } catch (error) {
    throw error instanceof AvisoError ? error : bodyBroken(error)
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}

/**
 * Splits a body into lines.
 *
 * @yields {readonly Line[]} Lines as they arrive. It does not wait for a full group while it has lines.
 */
async function* readGroups(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  bounds: Bounds,
): AsyncGenerator<readonly Line[]> {
  const { lineBytes } = bounds
  const splitter = createLineSplitter({ maxBytes: lineBytes, tooLong: () => tooLarge(lineBytes) })
  let number = 0
  let group: Line[] = []
  const take = (bytes: Uint8Array): void => {
    number++
    if (number > bounds.lines) {
      throw new AvisoError('ERR_TOO_LARGE', `A stream must not have more than ${bounds.lines} lines`)
    }
    if (!isBlank(bytes)) group.push({ number, bytes })
  }
  const takeGroup = (): readonly Line[] => {
    const full = group
    group = []
    return full
  }
  try {
    for (;;) {
      const piece = await readPiece(reader, bounds)
      if (piece === undefined) break
      for (const line of splitter.add(piece)) {
        take(line)
        if (group.length === GROUP_LINES) yield takeGroup()
      }
      if (group.length > 0) yield takeGroup()
    }
    take(splitter.end())
  } catch (error) {
    // The complete lines before the failure are valid. They go first, then the failure.
    if (group.length > 0) yield takeGroup()
    throw error
  }
  if (group.length > 0) yield takeGroup()
}

function parseLine(line: Line, origin: Origin, ingest: Ingest): Prepared {
  try {
    const body = parseStrictJson(line.bytes, NOTIFICATION_JSON)
    return prepare(body, originOfPlace(origin, line.number), ingest)
  } catch (thrown) {
    const error = withHint(thrown, { bytes: line.bytes, type: LINES_TYPE })
    countRefusal(error, ingest)
    return { kind: 'refused', generation: 2, error: toAvisoError(error), subject: {} }
  }
}

/** Writes results as lines of the answer. It drops them once the client has left. */
interface ResultSink {
  write(lines: readonly object[]): void
  readonly closed: boolean
}

/** Reads, validates and publishes group by group. Results are written in order while later groups are being published. */
async function pump(
  groups: AsyncIterable<readonly Line[]>,
  sink: ResultSink,
  origin: Origin,
  ingest: Ingest,
): Promise<void> {
  const inFlight: Promise<void>[] = []
  let written = Promise.resolve()
  try {
    for await (const lines of groups) {
      if (sink.closed) break
      if (inFlight.length === GROUPS_IN_FLIGHT) await inFlight.shift()
      const prepared = lines.map((line) => parseLine(line, origin, ingest))
      // Nothing is awaited before this call, so the publisher gets the lines in their order.
      const published = publishPrepared(prepared, origin, ingest)
      const before = written
      written = published.then(async (results) => {
        await before
        sink.write(
          resultsOf(prepared, results).map((result, index) => ({ line: lines[index]?.number, ...result })),
        )
      })
      written.catch(() => undefined)
      inFlight.push(written)
    }
  } finally {
    await written
  }
}

/**
 * Stores a stream of notifications. The answer starts at once (status 200) and has one line `{line, status, …}`, as in a batch, for each
 * line that is not blank. If a line is too long, or the stream stalls or breaks off, the answer ends with the error, without `line`. The
 * notifications before that are stored.
 */
export function ingestStream(
  request: HandlerRequest,
  origin: Origin,
  ingest: Ingest,
  requestId: string,
): Answer {
  refuseContentEncoding(request)
  const { bodyBytes, bodyTimeoutMs, streamLines } = ingest.limits
  const bounds: Bounds = {
    lineBytes: bodyBytes,
    lines: streamLines,
    idleMs: bodyTimeoutMs,
    clock: ingest.clock,
  }
  const reader = request.body?.getReader()
  let closed = false
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const sink: ResultSink = {
        write(lines) {
          if (!closed) controller.enqueue(toBytes(lines.map((line) => `${jsonText(line)}\n`).join('')))
        },
        get closed() {
          return closed
        },
      }
      const run = async (): Promise<void> => {
        try {
          if (reader !== undefined) await pump(readGroups(reader, bounds), sink, origin, ingest)
        } catch (error) {
          const failure = toAvisoError(error)
          origin.provider.record([refusedOutcome(failure)])
          if (failure.status >= 500)
            ingest.logger('error', failure.message, { code: failure.code, request_id: requestId })
          sink.write([{ ...failureResult(failure, 2), request_id: requestId }])
          reader?.cancel().catch(() => undefined)
        }
        if (!closed) controller.close()
      }
      // Not returned, because a stream delivers nothing while its start is pending.
      void run()
    },
    cancel() {
      closed = true
      reader?.cancel().catch(() => undefined)
    },
  })
  const headers = {
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-store',
    'x-request-id': requestId,
  }
  return { status: 200, headers, body }
}
