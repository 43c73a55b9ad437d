/**
 * Handles a batch: notifications in one JSON array. It is checked as a whole and then stored, with one result per item.
 *
 * @module
 */

import { inSlabs } from '#shared/bytes/slab.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Answer } from '#shared/handler.ts'
import { errorResponse, jsonResponse } from '#shared/http/respond.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import type { PublishResult } from '#shared/publish/publish.ts'
import { SUBMITTED, processedAt } from './answer.ts'
import { originOfPlace, prepare, publishPrepared, refusedOutcomes, indexedResultsOf } from './ingest.ts'
import type { Ingest, Origin, Prepared } from './ingest.ts'
import type { Generation } from './submission.ts'

function refuseSize(count: number, most: number): void {
  if (count === 0)
    throw new AvisoError('ERR_INVALID_NOTIFICATION', 'Invalid notification, the batch is empty')
  if (count <= most) return
  throw new AvisoError('ERR_TOO_LARGE', `A batch must not have more than ${most} notifications`, {
    details: { limit_items: most },
  })
}

/** The refusal of a batch with an invalid item. Nothing is stored, and the answer lists every invalid item by its index. */
function refusal(prepared: readonly Prepared[], ingest: Ingest, requestId: string): Answer {
  const results = indexedResultsOf(prepared, []).filter((_, index) => prepared[index]?.kind === 'refused')
  const refused = prepared.filter((each) => each.kind === 'refused')
  // An internal error decides the status first, then a malformed item, then an item that is too large.
  const { error: worst, generation } = refused.reduce((a, b) =>
    b.error.status >= 500 || a.error.code === 'ERR_TOO_LARGE' ? b : a,
  )
  const message = `Nothing was stored, ${results.length} of ${prepared.length} notifications are invalid`
  // What is about the one item is in its result.
  const { challenge, wire_code: wireCode } = worst.details
  const details = {
    ...(challenge !== undefined && { challenge }),
    ...(wireCode !== undefined && { wire_code: wireCode }),
  }
  return errorResponse(new AvisoError(worst.code, message, { details }), {
    requestId,
    logger: ingest.logger,
    generation,
    extra: { results },
  })
}

/** A notification that could not be stored, and the generation of the codes of its answer. */
interface Failure {
  readonly error: AvisoError
  readonly generation: Generation
}

/** The answer to a batch that the store failed to store in part: the status of the worst failure, and the result of each item. */
function partialFailure(
  failures: readonly Failure[],
  results: readonly Readonly<Record<string, unknown>>[],
  ingest: Ingest,
  requestId: string,
): Answer {
  const { error: worst, generation } = failures.reduce((a, b) => (b.error.status > a.error.status ? b : a))
  const stored = results.length - failures.length
  const message = `${stored} of ${results.length} notifications were stored or skipped; see the result of each`
  const response = errorResponse(
    new AvisoError(worst.code, message, { details: worst.details, cause: worst.cause }),
    {
      requestId,
      logger: ingest.logger,
      generation,
      extra: { results, outcome: 'see_results' },
    },
  )
  return response
}

function failuresOf(prepared: readonly Prepared[], published: readonly PublishResult[]): readonly Failure[] {
  if (published.every(({ ok }) => ok)) return []
  const valid = prepared.filter(({ kind }) => kind === 'valid')
  return published.flatMap((result, index) =>
    result.ok ? [] : [{ error: result.error, generation: valid[index]?.generation ?? 2 }],
  )
}

/**
 * Stores a batch. After validation each item has its own result. A batch that is larger than one transaction of the store can be stored
 * in part, and the answer says which part.
 *
 * @throws {AvisoError} `ERR_INVALID_NOTIFICATION` for an empty batch, `ERR_TOO_LARGE` for too many items.
 */
export async function ingestBatch(
  bodies: readonly JsonValue[],
  origin: Origin,
  ingest: Ingest,
  requestId: string,
): Promise<Answer> {
  refuseSize(bodies.length, ingest.limits.batchItems)
  // Their values are kept until they are stored, which is about at the same time.
  const prepared = inSlabs(() =>
    bodies.map((body, index) => prepare(body, originOfPlace(origin, index), ingest)),
  )
  if (prepared.some(({ kind }) => kind === 'refused')) {
    origin.provider.record(refusedOutcomes(prepared))
    return refusal(prepared, ingest, requestId)
  }
  const published = await publishPrepared(prepared, origin, ingest)
  const results = indexedResultsOf(prepared, published)
  const failures = failuresOf(prepared, published)
  if (failures.length > 0) return partialFailure(failures, results, ingest, requestId)
  return jsonResponse(
    200,
    {
      message: SUBMITTED,
      status: 'success',
      request_id: requestId,
      processed_at: processedAt(ingest.clock.now()),
      results,
    },
    { 'x-request-id': requestId },
  )
}
