/**
 * The ingest: the service that receives notifications. Providers POST them in the forms of aviso 1.x and 2.x.
 *
 * Flow: provider → **rest** → journal → store
 *
 * @module
 */

import type { Access, Provider } from '#shared/access/access.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Answer, HandlerHeaders } from '#shared/handler.ts'
import { closest } from '#shared/closest.ts'
import { readQuery } from '#shared/http/query.ts'
import { rateLimitFields } from '#shared/http/rate_limit.ts'
import { readBody } from '#shared/http/read_body.ts'
import { LABELS_2, errorResponse, jsonResponse } from '#shared/http/respond.ts'
import { createRouter, type RoutedHandler, type RouteHandler } from '#shared/http/route.ts'
import { mediaTypeOf, withHint, type SentBody } from '#shared/http/slips.ts'
import { parseStrictJson } from '#shared/json/strict_json.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import { createGenericBound, type GenericBound } from '#shared/notification/aviso2/generic_bound.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Publisher, PublishReceipt } from '#shared/publish/publish.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import {
  SKIPPED,
  SUBMITTED,
  VALID,
  faultMembers,
  processedAt,
  storedMembers,
  type FaultMembers,
} from './answer.ts'
import { ingestBatch } from './batch.ts'
import { homePage } from './home.ts'
import { countRefusal, publishOutcome, refusedOutcome, toItem } from './ingest.ts'
import type { Ingest, OnRefused, Origin, Subject } from './ingest.ts'
import { INGEST_LIMITS, NOTIFICATION_JSON } from './limits.ts'
import type { IngestLimits } from './limits.ts'
import { generationOf, parseSubmission } from './form.ts'
import { ingestStream } from './stream.ts'
import { faultsOf, type Skips } from './submission.ts'

export interface RestOptions {
  readonly publisher: Publisher
  readonly schemas: Schemas
  readonly clock: Clock
  /** Makes unique texts: request ids, and ids for notifications without one. */
  readonly random: () => string
  readonly logger: Logger
  /** Default: {@link INGEST_LIMITS}. */
  readonly limits?: Partial<IngestLimits>
  /** Decides who may publish which notifications. */
  readonly access: Pick<Access, 'forPublishing'>
  /** Default: nothing is skipped. */
  readonly skips?: Skips
  /** Event types that no provider may publish, each with the reason. Default: none. */
  readonly reserved?: ReadonlyMap<string, string>
  /** Whether web pages of an origin may publish; absent: none of another site. */
  readonly mayPublish?: (origin: string) => boolean
  readonly info: { readonly version: string }
  /** Counts a refusal that is the provider's fault, by its code. */
  readonly onRefused?: OnRefused
  /** Bounds event types without a schema. Default: a bound of its own, which nothing measures. */
  readonly generic?: GenericBound
}

const NOTIFICATION_PATH = '/api/v1/notification'
const STREAM_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl']
const BATCH_TYPE = 'application/cloudevents-batch+json'
/** The query parameter of a request that stores nothing. */
const DRY_RUN = 'dry_run'
const SPACE = 0x20
const BRACKET = 0x5b
/** An array adds a level around each notification. */
const BATCH_JSON = { ...NOTIFICATION_JSON, maxDepth: NOTIFICATION_JSON.maxDepth + 1 }

/**
 * Refuses requests from web pages of other sites, unless the configuration names them. The ingest accepts any Content-Type, as 1.x does, so
 * such a page could publish through the browser of a user inside the network. The browser marks such requests.
 */
function refuseCrossSite(headers: HandlerHeaders, mayPublish: RestOptions['mayPublish']): void {
  if (headers.get('sec-fetch-site') !== 'cross-site') return
  const origin = headers.get('origin')
  if (origin !== null && mayPublish?.(origin) === true) return
  throw new AvisoError('ERR_FORBIDDEN', 'Web pages of other sites cannot publish')
}

function readOrigin(headers: HandlerHeaders, provider: Provider, random: () => string): Origin {
  return {
    provider,
    headers,
    random,
    traceparent: headers.get('traceparent') ?? undefined,
    // An empty header is not a key.
    idempotencyKey: headers.get('idempotency-key') || undefined,
  }
}

function parseBody(sent: SentBody): JsonValue {
  const { bytes } = sent
  if (bytes.byteLength === 0)
    throw new AvisoError('ERR_INVALID_JSON', 'Invalid notification, Body cannot be empty')
  const body = readJson(sent)
  if (body === null)
    throw new AvisoError('ERR_INVALID_NOTIFICATION', 'Invalid notification, Body cannot be empty')
  return body
}

/** @throws {AvisoError} `ERR_INVALID_JSON`, with a hint where the slip is known. */
function readJson(sent: SentBody): JsonValue {
  try {
    return parseStrictJson(sent.bytes, isArrayText(sent.bytes) ? BATCH_JSON : NOTIFICATION_JSON)
  } catch (error) {
    throw withHint(error, sent)
  }
}

/** Whether a JSON text is an array. */
function isArrayText(bytes: Uint8Array): boolean {
  return bytes.find((byte) => byte > SPACE) === BRACKET
}

/** The answer to one notification: the members of both generations. */
function singleAnswer(receipt: PublishReceipt | undefined, ingest: Ingest, requestId: string): Answer {
  const common = { request_id: requestId, processed_at: processedAt(ingest.clock.now()) }
  const headers = { 'x-request-id': requestId }
  if (receipt === undefined)
    return jsonResponse(200, { message: SKIPPED, status: 'skipped', ...common }, headers)
  const { request_id, processed_at } = common
  const { id, sequence, revision, key } = storedMembers(receipt)
  // Written out: with spreads this object takes several times as long.
  const body = {
    message: SUBMITTED,
    status: 'success',
    request_id,
    processed_at,
    id,
    sequence,
    revision,
    key,
  }
  return jsonResponse(200, body, receipt.replayed ? { ...headers, 'idempotent-replay': 'true' } : headers)
}

/** The answer to a notification that would have been stored. */
function dryRunAnswer(key: string, { clock }: Ingest, requestId: string): Answer {
  const times = { request_id: requestId, processed_at: processedAt(clock.now()) }
  return jsonResponse(
    200,
    { message: VALID, status: 'valid', dry_run: true, ...times, key },
    { 'x-request-id': requestId },
  )
}

/**
 * Whether the query asks for a dry run. Parameters with quite other names are not looked at, as ever.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for another value than `true` or `false`, for two values, and for a misspelt name: the
 *   notification would be stored by mistake.
 */
function readDryRun(url: string): boolean {
  if (!url.includes('?')) return false
  const query = readQuery(url)
  const slip = [...query.keys()].find(
    (name) => name !== DRY_RUN && closest(name, [DRY_RUN, 'dry-run', 'dryrun']),
  )
  if (slip !== undefined)
    throw refuseDryRun(`There is no query parameter ${slip.slice(0, 64)}: did you mean "${DRY_RUN}"?`)
  const [asked, ...more] = query.getAll(DRY_RUN)
  if (more.length > 0) throw refuseDryRun(`${DRY_RUN} is given twice`)
  if (asked === undefined || asked === 'false') return false
  if (asked === 'true') return true
  throw refuseDryRun(`${DRY_RUN} is true or false`)
}

function refuseDryRun(message: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { field: DRY_RUN } })
}

/** All that is wrong with the fields, for a form that shows it beside them. Publishing itself names the first alone. */
function listFaults(
  error: unknown,
  { body, origin, schemas }: ListedParts,
): { readonly faults?: readonly FaultMembers[] } {
  if (body === undefined || origin === undefined || !isAvisoError(error, 'ERR_INVALID_NOTIFICATION'))
    return {}
  try {
    return { faults: faultsOf(parseSubmission(body, origin), schemas).map(faultMembers) }
  } catch (unread) {
    // What has no fields that can be read is told by the error itself.
    if (isAvisoError(unread)) return {}
    throw unread
  }
}

interface ListedParts {
  readonly body: JsonValue | undefined
  readonly origin: Origin | undefined
  readonly schemas: Schemas
}

/** @throws {AvisoError} `ERR_BAD_REQUEST`. */
function refuseManyDry(isDryRun: boolean): void {
  if (!isDryRun) return
  throw refuseDryRun('A dry run takes one notification: send them one by one')
}

/** The answer with what is left of the provider's quota. */
function counted(answer: Answer, provider: Provider): Answer {
  const left = provider.left()
  return left === undefined ? answer : { ...answer, headers: { ...answer.headers, ...rateLimitFields(left) } }
}

/** One request, as it is worked on. */
interface Asked {
  readonly requestId: string
  readonly subject: Subject
  /** Whether everything is done but storing. */
  readonly isDryRun: boolean
}

async function ingestOne(
  body: JsonValue,
  origin: Origin,
  ingest: Ingest,
  { requestId, subject, isDryRun }: Asked,
): Promise<Answer> {
  const item = toItem(body, origin, ingest, subject)
  if (item === undefined) return singleAnswer(undefined, ingest, requestId)
  if (isDryRun) return dryRunAnswer(item.keys.stem, ingest, requestId)
  const [result] = await ingest.publisher.publish([item])
  if (result === undefined) throw new Error('The publisher gave no result')
  if (!result.ok) throw result.error
  const outcome = publishOutcome(result, item)
  if (outcome !== undefined) origin.provider.record([outcome])
  return singleAnswer(result.receipt, ingest, requestId)
}

/** The route that accepts one notification, a batch or a stream. */
function createIngestRoute(ingest: Ingest, { access, mayPublish }: RestOptions): RouteHandler {
  const { clock, limits, logger, random, schemas } = ingest
  return async (request, { requestId }) => {
    const { headers } = request
    let body: JsonValue | undefined
    let provider: Provider | undefined
    let origin: Origin | undefined
    const subject: Subject = {}
    let isDryRun = false
    try {
      isDryRun = readDryRun(request.url)
      provider = await access.forPublishing(request, requestId)
      refuseCrossSite(headers, mayPublish)
      origin = readOrigin(headers, provider, random)
      const type = mediaTypeOf(headers)
      if (STREAM_TYPES.includes(type)) {
        refuseManyDry(isDryRun)
        return counted(ingestStream(request, origin, ingest, requestId), provider)
      }
      const limitBytes = type === BATCH_TYPE ? limits.batchBytes : limits.bodyBytes
      const bytes = await readBody(request, { limitBytes, timeoutMs: limits.bodyTimeoutMs, clock })
      body = parseBody({ bytes, type })
      if (Array.isArray(body)) refuseManyDry(isDryRun)
      const answer = Array.isArray(body)
        ? await ingestBatch(body as readonly JsonValue[], origin, ingest, requestId)
        : await ingestOne(body, origin, ingest, { requestId, subject, isDryRun })
      return counted(answer, provider)
    } catch (error) {
      if (!isDryRun) {
        countRefusal(error, ingest, subject)
        // Whoever was refused as a sender is on record already.
        provider?.record([refusedOutcome(error, subject)])
      }
      const generation = generationOf(body, headers)
      const isUnknown = isAvisoError(error, 'ERR_UNKNOWN_EVENT')
      const extra = {
        ...(isUnknown && { configured_event_types: schemas.events.toSorted() }),
        ...(isDryRun && listFaults(error, { body, origin, schemas })),
      }
      return errorResponse(error, {
        requestId,
        logger,
        generation,
        label: LABELS_2['INVALID_NOTIFICATION_REQUEST'],
        write: true,
        extra,
      })
    }
  }
}

/** The handler of the ingest. It never rejects. */
export function createRestHandler(options: RestOptions): RoutedHandler {
  const { info, random, logger } = options
  const ingest: Ingest = {
    ...options,
    limits: { ...INGEST_LIMITS, ...options.limits },
    skips: options.skips ?? {},
    generic: options.generic ?? createGenericBound((event) => options.schemas.events.includes(event)),
    reserved: options.reserved ?? new Map(),
  }
  return createRouter(
    [
      {
        method: 'POST',
        path: NOTIFICATION_PATH,
        doc: 'publish',
        // 1.x redirects to this path. Here it is served, because some clients do not follow a redirected POST.
        trailingSlash: true,
        handle: createIngestRoute(ingest, options),
      },
      {
        method: 'GET',
        path: '/',
        doc: 'home',
        offers: ['text/html'],
        handle: (_request, { requestId }) => homePage(info.version, requestId),
      },
    ],
    { random, logger },
  )
}
