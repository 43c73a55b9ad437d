/**
 * Our own streams: `POST /api/v1/watch` and `/api/v1/replay` for aviso 2.x clients, `GET /api/v1/watch` for browsers and curl.
 *
 * @module
 */

import { requireVisible } from '#services/auth/access.ts'
import type { Authoriser } from '#services/auth/authorise.ts'
import { formatCursor } from '#services/auth/cursor.ts'
import { compileFilter } from '#services/auth/filter.ts'
import type { AuthLimits } from '#services/auth/limits.ts'
import { parseListenBody, parseListenQuery, type ListenRequest } from '#services/auth/listen_request.ts'
import { resolveStart, type Positions } from '#services/auth/start.ts'
import { createStreamFormat, type StreamDialect } from '#services/auth/stream_format.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { readBody } from '#shared/http/read_body.ts'
import { errorResponse } from '#shared/http/respond.ts'
import type { Route } from '#shared/http/route.ts'
import { journalKey } from '#shared/journal/journal.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { prefixRange, toBytes } from '#shared/store/bytes.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { Logger } from '#shared/telemetry/logger.ts'
import type { Hub, StartPosition, StreamFormat, SubscribeRequest } from '#shared/watch/hub.ts'

/** What the streams work with. */
export interface ListenParts {
  readonly store: Store
  readonly hub: Hub
  readonly schemas: Schemas
  readonly authorise: Authoriser
  readonly positions: Positions
  readonly epoch: string
  readonly clock: Clock
  readonly logger: Logger
  readonly baseUrl: () => string
  readonly limits: AuthLimits
}

type ListenMode = 'watch' | 'replay'

/** A request on its way to a stream. */
interface Listening {
  readonly mode: ListenMode
  readonly requestId: string
  readonly signal: AbortSignal
  readonly dialect: StreamDialect
  readonly listen: ListenRequest
}

/** Starts over with the oldest position when compaction overtakes the reading of "everything": it moves on rarely. */
const MAX_OLDEST_ATTEMPTS = 3

const NDJSON = 'application/x-ndjson'
const CONTENT_TYPES = { sse: 'text/event-stream', ndjson: NDJSON } as const

/** The routes. */
export function createListenRoutes(parts: ListenParts): readonly Route[] {
  const post = (mode: ListenMode): Route => ({
    method: 'POST',
    path: `/api/v1/${mode}`,
    generation: 2,
    handle: (request, { requestId }) =>
      answer(parts, { request, requestId, mode }, async () =>
        parseListenBody(await readRequestBody(parts, request)),
      ),
  })
  const get: Route = {
    method: 'GET',
    path: '/api/v1/watch',
    generation: 2,
    handle: (request, { requestId }) =>
      answer(parts, { request, requestId, mode: 'watch' }, () => {
        const { searchParams } = new URL(request.url)
        return Promise.resolve(parseListenQuery(searchParams, request.headers.get('last-event-id')))
      }),
  }
  return [post('watch'), post('replay'), get]
}

interface Asking {
  readonly request: Request
  readonly requestId: string
  readonly mode: ListenMode
}

async function answer(
  parts: ListenParts,
  { request, requestId, mode }: Asking,
  parse: () => Promise<ListenRequest>,
): Promise<Response> {
  const principal = await parts.authorise.authorise(request)
  try {
    const listening: Listening = {
      mode,
      requestId,
      signal: request.signal,
      dialect: dialectOf(request),
      listen: await parse(),
    }
    const filter = compileFilter(parts.schemas.require(listening.listen.event), listening.listen.identifier)
    const bases = parts.schemas.require(filter.event).baseKeys(filter)
    requireVisible(principal, bases.map(prefixRange))
    const body = await openBody(parts, listening, { kind: 'notifications', filter })
    return streamResponse(body, listening)
  } catch (error) {
    return refusal(parts, error, { request, requestId, mode })
  }
}

async function openBody(
  parts: ListenParts,
  listening: Listening,
  selection: SubscribeRequest['selection'],
): Promise<ReadableStream<Uint8Array>> {
  const { hub, limits } = parts
  const { listen, mode, dialect } = listening
  if (mode === 'replay' && listen.start.kind === 'live') {
    throw new AvisoError('ERR_BAD_REQUEST', 'A replay needs a start: from_id or from_date')
  }
  // Read before the start is looked up, so that what is published in between belongs to no replay.
  const until = mode === 'replay' ? await readHead(parts, listening) : undefined
  let from: StartPosition = { kind: 'live' }
  for (let attempt = 1; ; attempt++) {
    try {
      if (attempt === 1)
        from = await resolveStart(listen.start, listen.event, { ...parts, signal: listening.signal })
      const format = formatOf(parts, listening, from)
      if (until !== undefined && from.kind === 'revision' && from.revision > until)
        return emptyReplay(format, until)
      const { heartbeatSeconds, maxAgeSeconds } = limits
      const request = { selection, from, format, heartbeatSeconds, maxAgeSeconds }
      return (await hub.subscribe(until === undefined ? request : { ...request, until })).body
    } catch (error) {
      const oldest = oldestRevisionOf(error)
      if (oldest === undefined) throw error
      const wantsOldest = listen.start.kind === 'sequence' && listen.start.sequence === 0n
      if (wantsOldest && attempt < MAX_OLDEST_ATTEMPTS) from = { kind: 'revision', revision: oldest }
      else if (dialect.strict)
        return compactedStream(formatOf(parts, listening, { kind: 'revision', revision: oldest }), oldest)
      else throw error
    }
  }
}

/** The store's revision, asked of the store: the hub may be a moment behind what a client has seen acknowledged. */
async function readHead({ store }: ListenParts, { listen, signal }: Listening): Promise<Revision> {
  const key = toBytes(journalKey(listen.event))
  return (await store.range({ key, keysOnly: true }, { signal })).revision
}

function formatOf(parts: ListenParts, listening: Listening, from: StartPosition): StreamFormat {
  const { listen, dialect, requestId } = listening
  const { start } = listen
  return createStreamFormat({
    dialect,
    from,
    requestId,
    event: listen.event,
    epoch: parts.epoch,
    baseUrl: parts.baseUrl(),
    maxAgeSeconds: parts.limits.maxAgeSeconds,
    now: () => parts.clock.now(),
    requested: {
      ...(start.kind === 'sequence' && { sequence: start.sequence }),
      ...(start.kind === 'date' && { date: start.text }),
    },
  })
}

/** A replay that starts behind the newest notification has nothing to say, and says so. */
function emptyReplay(format: StreamFormat, head: Revision): ReadableStream<Uint8Array> {
  const position = { revision: head }
  return streamOf([
    format.opening?.(head),
    format.caughtUp?.(position),
    format.closing?.({ reason: 'end_of_stream', position }),
  ])
}

/** Tells a 2.x client, in the one way it understands, that what it asked for is no longer kept. */
function compactedStream(format: StreamFormat, oldestRevision: Revision): ReadableStream<Uint8Array> {
  const position = { revision: 0n }
  return streamOf([
    format.opening?.(oldestRevision),
    format.closing?.({ reason: 'history_compacted', position, oldestRevision }),
  ])
}

function streamOf(frames: readonly (Uint8Array | undefined)[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const frame of frames) if (frame !== undefined) controller.enqueue(frame)
      controller.close()
    },
  })
}

function streamResponse(body: ReadableStream<Uint8Array>, { dialect, requestId }: Listening): Response {
  return new Response(body, {
    headers: {
      'Content-Type': CONTENT_TYPES[dialect.wire],
      'Cache-Control': 'no-cache, no-store',
      'X-Accel-Buffering': 'no',
      'X-Content-Type-Options': 'nosniff',
      'X-Request-ID': requestId,
      // As 2.x: pages of other origins may read streams, without credentials.
      'Access-Control-Allow-Origin': '*',
    },
  })
}

function dialectOf(request: Request): StreamDialect {
  const wire = request.headers.get('accept')?.toLowerCase().includes(NDJSON) === true ? 'ndjson' : 'sse'
  // The official 2.x client reads server-sent events from POST only.
  return { wire, strict: wire === 'sse' && request.method === 'POST' }
}

/** Answers with the codes of 2.x: what its parser would have refused is an invalid watch or replay request. */
function refusal(parts: ListenParts, error: unknown, { requestId, mode }: Asking): Response {
  const context = { requestId, logger: parts.logger, generation: 2 as const }
  if (isAvisoError(error, 'ERR_UNKNOWN_EVENT')) {
    return errorResponse(error, {
      ...context,
      extra: { configured_event_types: parts.schemas.events.toSorted() },
    })
  }
  if (isAvisoError(error, 'ERR_BAD_REQUEST') && error.details['reason'] === undefined) {
    const reason = mode === 'replay' ? 'INVALID_REPLAY_REQUEST' : 'INVALID_WATCH_REQUEST'
    const details = { ...error.details, reason }
    return errorResponse(new AvisoError(error.code, error.message, { details, cause: error.cause }), context)
  }
  const oldest = oldestRevisionOf(error)
  if (oldest === undefined || oldest < 2n) return errorResponse(error, context)
  const extra = { oldest_position: formatCursor(parts.epoch, { revision: oldest - 1n }) }
  return errorResponse(error, { ...context, extra })
}

function oldestRevisionOf(error: unknown): Revision | undefined {
  if (!isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return undefined
  const text = String(error.details['oldest_revision'] ?? '')
  return /^\d{1,19}$/.test(text) ? BigInt(text) : undefined
}

async function readRequestBody({ clock, limits }: ListenParts, request: Request): Promise<Uint8Array> {
  return readBody(request, { limitBytes: limits.bodyBytes, timeoutMs: limits.bodyTimeoutMs, clock })
}
