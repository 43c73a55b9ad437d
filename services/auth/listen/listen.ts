/**
 * The service's own streams: `POST /api/v1/watch` and `/api/v1/replay` for aviso 2.x clients, `GET /api/v1/watch` for browsers and curl.
 *
 * @module
 */

import { formatCursor } from './cursor.ts'
import { compileFilter } from './filter.ts'
import { LISTEN_BODY_BYTES } from './limits.ts'
import {
  checkSpan,
  parseListenBody,
  parseListenQuery,
  type ListenMode,
  type ListenRequest,
} from './request.ts'
import { aboutStream } from '../streams/registry.ts'
import { openStream, type Listening, type StreamParts } from './stream.ts'
import type { StreamDialect } from './stream_format.ts'
import type { Access, Listener } from '#shared/access/access.ts'
import { AvisoError, isAvisoError, oldestRevisionOf } from '#shared/errors.ts'
import type { Answer, AnswerBody, HandlerRequest } from '#shared/handler.ts'
import { readQuery } from '#shared/http/query.ts'
import { chooseType } from '#shared/http/accept.ts'
import { rateLimitFields } from '#shared/http/rate_limit.ts'
import { readBody } from '#shared/http/read_body.ts'
import { errorResponse, jsonText, LABELS_2 } from '#shared/http/respond.ts'
import { mediaTypeOf, withHint } from '#shared/http/slips.ts'
import type { Route } from '#shared/http/route.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { STREAM_ROUTES } from '#shared/observe/metrics/observe_deliveries.ts'
import { prefixRange } from '#shared/bytes/bytes.ts'
import type { FirstNumbers } from '#shared/publish/numbers.ts'
import type { Logger } from '#shared/logger.ts'

export interface ListenParts extends StreamParts {
  readonly schemas: Schemas
  readonly access: Pick<Access, 'forListening'>
  /** Access for `GET`, whose address may hold a ticket. */
  readonly withTicket: Pick<Access, 'forListening'>
  readonly logger: Logger
  /** Default: none, every event type begins with 1. */
  readonly firstNumbers?: FirstNumbers
}

/** Media types of JSON lines; the service answers with the first. */
const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'] as const
/** Codes of 2.x for an invalid value in a body of the right shape. */
const INVALID_REQUEST: Readonly<Record<ListenMode, string>> = {
  watch: 'INVALID_WATCH_REQUEST',
  replay: 'INVALID_REPLAY_REQUEST',
}
const CONTENT_TYPES = { sse: 'text/event-stream', ndjson: NDJSON_TYPES[0] } as const
/** What a stream can be, the form that a client gets without a wish first. */
const OFFERED = [CONTENT_TYPES.sse, ...NDJSON_TYPES]

/** The routes. */
export function createListenRoutes(parts: ListenParts): readonly Route[] {
  const post = (mode: ListenMode): Route => ({
    method: 'POST',
    path: `/api/v1/${mode}`,
    doc: `${mode}Posted`,
    generation: 2,
    handle: (request, { requestId }) =>
      answer(parts, { request, requestId, mode }, async () =>
        parseBody(await readRequestBody(parts, request), request, parts.clock.now()),
      ),
  })
  const get: Route = {
    method: 'GET',
    path: '/api/v1/watch',
    doc: 'watch',
    generation: 2,
    handle: (request, { requestId }) =>
      answer(parts, { request, requestId, mode: 'watch' }, () => {
        const query = readQuery(request.url)
        return parseListenQuery(query, request.headers.get('last-event-id'), parts.clock.now())
      }),
  }
  return [post('watch'), post('replay'), get]
}

/** A request, and what it asks for. */
export interface Asking {
  readonly request: HandlerRequest
  readonly requestId: string
  readonly mode: ListenMode
}

async function answer(
  parts: ListenParts,
  asking: Asking,
  parse: () => Promise<ListenRequest> | ListenRequest,
): Promise<Answer> {
  const { request } = asking
  const access = request.method === 'POST' ? parts.access : parts.withTicket
  const listener = await access.forListening(request)
  try {
    const dialect = (listen: ListenRequest): StreamDialect => dialectOf(request, listen)
    const listening = await authorise(parts, { ...asking, listener, dialect }, parse)
    return streamAnswer(await openStream(parts, listening), listening)
  } catch (error) {
    return refusal(parts, error, asking)
  }
}

/**
 * Reads a request and finds the right to it.
 *
 * @throws {AvisoError} for a request that is wrong or refused; {@link refusal} answers it.
 */
export async function authorise(
  parts: ListenParts,
  asking: Asking & {
    readonly listener: Listener
    readonly dialect: (listen: ListenRequest) => StreamDialect
  },
  parse: () => Promise<ListenRequest> | ListenRequest,
): Promise<Listening> {
  const { request, requestId, mode, listener, dialect } = asking
  const listen = await parse()
  const schema = parts.schemas.require(listen.event)
  const { filter, bases } = await unlessNameless(parts, { listener, event: listen.event }, () => {
    checkSpan(mode, listen)
    const compiled = compileFilter(schema, listen.identifier)
    return { filter: compiled, bases: schema.baseKeys(compiled) }
  })
  const grant = await listener.grant(bases.map(prefixRange), 'refuse')
  const { signal } = request
  const { event, identifier } = listen
  const about = aboutStream(
    { request, listener, requestId },
    {
      event,
      asks: jsonText(identifier),
      route: STREAM_ROUTES[mode],
    },
  )
  const { historyLimit } = schema
  return {
    mode,
    requestId,
    signal,
    dialect: dialect(listen),
    listen,
    filter,
    historyLimit,
    bases,
    grant,
    about,
  }
}

/**
 * Reads the rest of a request. What is wrong with it is told only to whoever may listen to the event type at all: as in 2.x, a requester
 * without an identity is first asked who it is.
 */
async function unlessNameless<Result>(
  { schemas }: ListenParts,
  { listener, event }: { readonly listener: Listener; readonly event: string },
  read: () => Result,
): Promise<Result> {
  try {
    return read()
  } catch (error) {
    const root = schemas.rootOf(event)
    if (root !== undefined)
      await listener.grant([prefixRange(root)], 'narrow').catch((refused: unknown) => {
        if (isAvisoError(refused, 'ERR_UNAUTHENTICATED')) throw refused
      })
    throw error
  }
}

function streamAnswer(body: AnswerBody, { dialect, requestId, grant }: Listening): Answer {
  return {
    status: 200,
    headers: {
      'content-type': CONTENT_TYPES[dialect.wire],
      'cache-control': 'no-cache, no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      vary: 'Accept',
      'x-request-id': requestId,
      // As in 2.x, pages of other origins may read streams, without credentials.
      'access-control-allow-origin': '*',
      ...rateLimitFields(grant.left('opens')),
    },
    body,
  }
}

/** A client that wants neither gets events, as in 2.x (RFC 9110 §12.5.1 leaves that to the server), and reads in `Content-Type` what it got. */
function dialectOf(request: HandlerRequest, { asMessages = false }: ListenRequest): StreamDialect {
  const type = chooseType(request.headers.get('accept'), OFFERED) ?? CONTENT_TYPES.sse
  const wire = type === CONTENT_TYPES.sse ? 'sse' : 'ndjson'
  // The official 2.x client reads server-sent events from POST only.
  return { wire, strict: wire === 'sse' && request.method === 'POST', asMessages }
}

/** Answers with the codes of 2.x. */
export function refusal(parts: ListenParts, error: unknown, { requestId, mode }: Asking): Answer {
  const label = LABELS_2[INVALID_REQUEST[mode]]
  const context = { requestId, logger: parts.logger, generation: 2 as const, label }
  if (isAvisoError(error, 'ERR_UNKNOWN_EVENT')) {
    return errorResponse(error, {
      ...context,
      extra: { configured_event_types: parts.schemas.events.toSorted() },
    })
  }
  if (isAvisoError(error, 'ERR_BAD_REQUEST')) {
    const details = { wire_code: INVALID_REQUEST[mode], ...error.details }
    return errorResponse(new AvisoError(error.code, error.message, { details, cause: error.cause }), context)
  }
  const oldest = oldestRevisionOf(error)
  if (oldest === undefined || oldest < 2n) return errorResponse(error, context)
  const extra = { oldest_position: formatCursor(parts.epoch(), { revision: oldest - 1n }) }
  return errorResponse(error, { ...context, extra })
}

/** @throws {AvisoError} As {@link parseListenBody}; a body that is no JSON gets a hint where the slip is known. */
function parseBody(bytes: Uint8Array, { headers }: HandlerRequest, now: number): ListenRequest {
  try {
    return parseListenBody(bytes, now)
  } catch (error) {
    throw withHint(error, { bytes, type: mediaTypeOf(headers) })
  }
}

async function readRequestBody({ clock, limits }: ListenParts, request: HandlerRequest): Promise<Uint8Array> {
  return readBody(request, { limitBytes: LISTEN_BODY_BYTES, timeoutMs: limits.bodyTimeoutMs, clock })
}
