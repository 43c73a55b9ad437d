/**
 * The ingest: providers POST notifications, in the forms of aviso 1.x and 2.x.
 *
 * Flow: provider → **rest** → journal → store
 *
 * @module
 */

import type { Access } from '#shared/access/access.ts'
import { AvisoError, isAvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { readBody } from '#shared/http/read_body.ts'
import { errorResponse, jsonResponse } from '#shared/http/respond.ts'
import { createRouter } from '#shared/http/route.ts'
import { parseStrictJson } from '#shared/json/strict_json.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Publisher, PublishReceipt } from '#shared/publish/publish.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { SKIPPED, SUBMITTED, processedAt, storedMembers } from './answer.ts'
import { ingestBatch } from './batch.ts'
import { hasEnvelopeHeaders } from './cloud_event.ts'
import type { EnvelopeContext } from './cloud_event.ts'
import { homePage } from './home.ts'
import { countRefusal, publishItems, toItem } from './ingest.ts'
import type { Ingest } from './ingest.ts'
import { INGEST_LIMITS, NOTIFICATION_JSON } from './limits.ts'
import type { IngestLimits } from './limits.ts'
import { generationOf } from './parse.ts'
import { ingestStream } from './stream.ts'
import type { Generation, Skips } from './submission.ts'

/** What the service is made of. */
export interface RestOptions {
  readonly publisher: Publisher
  readonly schemas: Schemas
  readonly clock: Clock
  /** Unique text: request ids, and the ids of notifications that come without. */
  readonly random: () => string
  readonly logger: Logger
  /** Default: {@link INGEST_LIMITS}. */
  readonly limits?: Partial<IngestLimits>
  /** Who may publish what. */
  readonly access: Pick<Access, 'forPublishing'>
  /** Default: nothing is skipped. */
  readonly skips?: Skips
  readonly info: { readonly version: string }
  /** Told the code of every refusal that is the provider's fault, for counting. */
  readonly onRefused?: (code: AvisoErrorCode) => void
}

const NOTIFICATION_PATH = '/api/v1/notification'
const STREAM_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl']
const BATCH_TYPE = 'application/cloudevents-batch+json'
/** An array adds a level around each notification. */
const BODY_JSON = { ...NOTIFICATION_JSON, maxDepth: NOTIFICATION_JSON.maxDepth + 1 }

/** The media type without its parameters, in lower case. */
function mediaType(headers: Headers): string {
  const value = headers.get('content-type') ?? ''
  const end = value.indexOf(';')
  return (end === -1 ? value : value.slice(0, end)).trim().toLowerCase()
}

/**
 * Any Content-Type is taken, as 1.x does, so a web page could publish through the browser of somebody inside the network; the
 * browser says so, and no provider is a web page.
 */
function refuseCrossSite(headers: Headers): void {
  if (headers.get('sec-fetch-site') !== 'cross-site') return
  throw new AvisoError('ERR_FORBIDDEN', 'Web pages of other sites cannot publish')
}

function readContext(headers: Headers, random: () => string): EnvelopeContext {
  return {
    headers,
    random,
    traceparent: headers.get('traceparent') ?? undefined,
    // An empty header is no key.
    idempotencyKey: headers.get('idempotency-key') || undefined,
  }
}

function parseBody(bytes: Uint8Array): JsonValue {
  if (bytes.byteLength === 0)
    throw new AvisoError('ERR_INVALID_JSON', 'Invalid notification, Body cannot be empty')
  const body = parseStrictJson(bytes, BODY_JSON)
  if (body === null)
    throw new AvisoError('ERR_INVALID_NOTIFICATION', 'Invalid notification, Body cannot be empty')
  return body
}

/** The answer to one notification: the members of both generations. */
function singleAnswer(receipt: PublishReceipt | undefined, ingest: Ingest, requestId: string): Response {
  const common = { request_id: requestId, processed_at: processedAt(ingest.clock.now()) }
  const headers = { 'x-request-id': requestId }
  if (receipt === undefined)
    return jsonResponse(200, { message: SKIPPED, status: 'skipped', ...common }, headers)
  const body = { message: SUBMITTED, status: 'success', ...common, ...storedMembers(receipt) }
  return jsonResponse(200, body, receipt.replayed ? { ...headers, 'idempotent-replay': 'true' } : headers)
}

async function ingestOne(
  body: JsonValue,
  context: EnvelopeContext,
  ingest: Ingest,
  requestId: string,
): Promise<Response> {
  const item = toItem(body, context, ingest)
  if (item === undefined) return singleAnswer(undefined, ingest, requestId)
  const [result] = await publishItems([item], ingest)
  if (result === undefined) throw new Error('The publisher gave no result')
  if (!result.ok) throw result.error
  return singleAnswer(result.receipt, ingest, requestId)
}

/** The parts of an ingest that are the same for every request. */
type Service = Omit<Ingest, 'provider'> & Pick<RestOptions, 'access'>

async function ingestNotification(request: Request, service: Service, requestId: string): Promise<Response> {
  const { headers } = request
  const { clock, limits, logger, random, schemas } = service
  let generation: Generation = hasEnvelopeHeaders(headers) ? 1 : 2
  try {
    refuseCrossSite(headers)
    const ingest: Ingest = { ...service, provider: await service.access.forPublishing(request) }
    const type = mediaType(headers)
    const context = readContext(headers, random)
    if (STREAM_TYPES.includes(type)) return ingestStream(request, context, ingest, requestId)
    const limitBytes = type === BATCH_TYPE ? limits.batchBytes : limits.bodyBytes
    const body = parseBody(await readBody(request, { limitBytes, timeoutMs: limits.bodyTimeoutMs, clock }))
    generation = generationOf(body, headers)
    if (Array.isArray(body))
      return await ingestBatch(body as readonly JsonValue[], context, ingest, requestId)
    return await ingestOne(body, context, ingest, requestId)
  } catch (error) {
    const unknownEvent = isAvisoError(error, 'ERR_UNKNOWN_EVENT')
    countRefusal(error, service)
    const extra = unknownEvent ? { configured_event_types: schemas.events.toSorted() } : {}
    return errorResponse(error, { requestId, logger, generation, write: true, extra })
  }
}

/** The ingest as a Fetch handler. It never rejects. */
export function createRestHandler(options: RestOptions): (request: Request) => Promise<Response> {
  const { info, random, logger } = options
  const service: Service = {
    ...options,
    limits: { ...INGEST_LIMITS, ...options.limits },
    skips: options.skips ?? {},
  }
  return createRouter(
    [
      {
        method: 'POST',
        path: NOTIFICATION_PATH,
        // 1.x redirects there; a client that does not follow a redirected POST is served all the same.
        trailingSlash: true,
        handle: (request, { requestId }) => ingestNotification(request, service, requestId),
      },
      { method: 'GET', path: '/', handle: (_request, { requestId }) => homePage(info.version, requestId) },
    ],
    { random, logger },
  )
}
