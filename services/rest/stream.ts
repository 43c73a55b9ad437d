/**
 * A stream of notifications: one JSON document per line in, one result per line out, in the same order.
 *
 * @module
 */

import { createLineSplitter } from '#shared/bytes/lines.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { bodyBroken, bodyTimeout, refuseContentEncoding, tooLarge } from '#shared/http/read_body.ts'
import { jsonText, toAvisoError } from '#shared/http/respond.ts'
import { parseStrictJson } from '#shared/json/strict_json.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import { failureResult } from './answer.ts'
import { originOfPlace, prepare, publishPrepared, refuse, resultsOf } from './ingest.ts'
import type { Ingest, Origin, Prepared } from './ingest.ts'
import { NOTIFICATION_JSON } from './limits.ts'

/** Lines handed to the publisher at once: what fits one transaction of etcd's default size. */
const GROUP_LINES = 128
/** Groups in the publisher at a time: keeps it busy, and bounds what one client holds there to about a thousand items. */
const GROUPS_IN_FLIGHT = 8

interface Line {
  /** From 1, blank lines counted. */
  readonly number: number
  readonly bytes: Uint8Array
}

interface Bounds {
  readonly lineBytes: number
  readonly lines: number
  readonly idleMs: number
  readonly clock: Clock
}

/** One read, given up when nothing comes for `idleMs`. */
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
 * @yields {readonly Line[]} Lines as they arrive: never waits for a full group while there is something to hand over.
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
    // The whole lines before the failure are good; the failure comes after them.
    if (group.length > 0) yield takeGroup()
    throw error
  }
  if (group.length > 0) yield takeGroup()
}

function parseLine(line: Line, origin: Origin, ingest: Ingest): Prepared {
  try {
    const body = parseStrictJson(line.bytes, NOTIFICATION_JSON)
    return prepare(body, originOfPlace(origin, line.number), ingest)
  } catch (error) {
    return refuse(error, 2, ingest)
  }
}

/** Where results go: lines of the answer, and nowhere once the client has left. */
interface ResultSink {
  write(lines: readonly object[]): void
  readonly closed: boolean
}

/** Reads, validates and hands over group by group; results are written in order while later groups are on their way. */
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
      // Handed over before anything is awaited, so the publisher sees the lines in their order.
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
 * Stores a stream of notifications. The answer starts at once (status 200) and has one line per line that is not blank:
 * `{line, status, …}` as in a batch. A line that is too long, a stream that stalls or breaks off ends it with a last line that has
 * the error and no `line`; what was read before is stored all the same.
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
          if (failure.status >= 500)
            ingest.logger('error', failure.message, { code: failure.code, request_id: requestId })
          sink.write([{ ...failureResult(failure, 2), request_id: requestId }])
          reader?.cancel().catch(() => undefined)
        }
        if (!closed) controller.close()
      }
      // Not returned: a stream whose start is pending delivers nothing.
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
