/**
 * The common steps for one notification, a batch and a stream: validate, publish, and make results.
 *
 * @module
 */

import type { Provider } from '#shared/access/access.ts'
import { isAvisoError, type AvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { toAvisoError } from '#shared/http/respond.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Publisher, PublishItem, PublishResult } from '#shared/publish/publish.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { failureResult, successResult } from './answer.ts'
import type { ResultMembers } from './answer.ts'
import type { EnvelopeContext } from './cloud_event.ts'
import type { IngestLimits } from './limits.ts'
import { generationOf, parseSubmission } from './form.ts'
import { isSkipped, toPublishItem } from './submission.ts'
import type { Generation, Skips } from './submission.ts'

/** The parts of an ingest: the same for every request. */
export interface Ingest {
  readonly publisher: Publisher
  readonly schemas: Schemas
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly limits: IngestLimits
  readonly skips: Skips
  readonly onRefused?: (code: AvisoErrorCode) => void
}

/** Who sent a notification, and what the request around it adds. */
export interface Origin extends EnvelopeContext {
  readonly provider: Provider
}

/** Counts an error that is the provider's fault. Errors of the store are counted in the store. */
export function countRefusal(error: unknown, { onRefused }: Pick<Ingest, 'onRefused'>): void {
  if (isAvisoError(error) && error.status < 500) onRefused?.(error.code)
}

/** A notification after validation: valid, skipped as configured, or refused. */
export type Prepared =
  | { readonly kind: 'valid'; readonly generation: Generation; readonly item: PublishItem }
  | { readonly kind: 'skipped'; readonly generation: Generation }
  | { readonly kind: 'refused'; readonly generation: Generation; readonly error: AvisoError }

/**
 * @returns the item to publish, or `undefined` when the configuration skips it.
 * @throws {AvisoError} `ERR_UNAUTHENTICATED` or `ERR_FORBIDDEN` when the provider may not publish it; the errors of {@link parseSubmission}
 *   and {@link toPublishItem} for an invalid notification.
 */
export function toItem(body: JsonValue, origin: Origin, ingest: Ingest): PublishItem | undefined {
  const submission = parseSubmission(body, origin)
  if (isSkipped(submission, ingest.skips)) return undefined
  const item = toPublishItem(submission, ingest.schemas, ingest.limits.payloadBytes)
  origin.provider.requirePublish(item.event, item.keys.stem)
  return item
}

/** Validates one notification of several; never throws. */
export function prepare(body: JsonValue, origin: Origin, ingest: Ingest): Prepared {
  const generation = generationOf(body)
  try {
    const item = toItem(body, origin, ingest)
    return item === undefined ? { kind: 'skipped', generation } : { kind: 'valid', generation, item }
  } catch (error) {
    return refuse(error, generation, ingest)
  }
}

/** Counts a refusal of one notification of several. */
export function refuse(
  error: unknown,
  generation: Generation,
  ingest: Ingest,
): Extract<Prepared, { kind: 'refused' }> {
  countRefusal(error, ingest)
  return { kind: 'refused', generation, error: toAvisoError(error) }
}

/** The origin of one notification of several. An `Idempotency-Key` of the request, with the place added, becomes the notification's key. */
export function originOfPlace(
  { provider, random, traceparent, idempotencyKey }: Origin,
  place: number,
): Origin {
  return {
    provider,
    random,
    traceparent,
    idempotencyKey: idempotencyKey === undefined ? undefined : `${idempotencyKey}/${place}`,
  }
}

/** Publishes the valid notifications. */
export async function publishPrepared(
  prepared: readonly Prepared[],
  { provider }: Origin,
  { publisher }: Ingest,
): Promise<readonly PublishResult[]> {
  const items = prepared.flatMap((each) => (each.kind === 'valid' ? [each.item] : []))
  return items.length === 0 ? [] : publishItems(items, provider, publisher)
}

/** Publishes, and records the stored notifications in the audit log. */
export async function publishItems(
  items: readonly PublishItem[],
  provider: Provider,
  publisher: Publisher,
): Promise<readonly PublishResult[]> {
  const results = await publisher.publish(items)
  for (const result of results) {
    if (result.ok && !result.receipt.replayed) provider.published(result.receipt.event)
  }
  return results
}

/** One result per prepared notification, in their order. `published` has the results of the valid ones. */
export function resultsOf(
  prepared: readonly Prepared[],
  published: readonly PublishResult[],
): readonly ResultMembers[] {
  let next = 0
  return prepared.map((each) => {
    switch (each.kind) {
      case 'refused':
        return failureResult(each.error, each.generation)
      case 'skipped':
        return successResult(undefined)
      case 'valid': {
        const result = published[next++]
        if (result === undefined) return failureResult(toAvisoError(undefined), each.generation)
        return result.ok ? successResult(result.receipt) : failureResult(result.error, each.generation)
      }
    }
  })
}
