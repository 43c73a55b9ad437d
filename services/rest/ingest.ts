/**
 * The common steps for one notification, a batch and a stream: validate, publish, and make results.
 *
 * @module
 */

import type { Provider, PublishOutcome } from '#shared/access/access.ts'
import { AvisoError, isAvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { toAvisoError } from '#shared/http/respond.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import type { GenericBound } from '#shared/notification/aviso2/generic_bound.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Publisher, PublishItem, PublishReceipt, PublishResult } from '#shared/publish/publish.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { failureResult, indexedResult, successResult } from './answer.ts'
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
  /** Event types that no provider may publish, each with the reason. */
  readonly reserved: ReadonlyMap<string, string>
  readonly onRefused?: OnRefused
  /** Bounds event types without a schema. */
  readonly generic: GenericBound
}

/** Is told of a refusal. @param event The event type; {@link NO_EVENT} where it is none of a schema. */
export type OnRefused = (code: AvisoErrorCode, event: string) => void

/** As in 2.x. */
const NO_EVENT = 'generic'

/** Who sent a notification, and what the request around it adds. */
export interface Origin extends EnvelopeContext {
  readonly provider: Provider
}

/** Counts an error that is the provider's fault. Errors of the store are counted in the store. */
export function countRefusal(
  error: unknown,
  { onRefused, schemas }: Pick<Ingest, 'onRefused' | 'schemas'>,
  { event = NO_EVENT }: Subject = {},
): void {
  if (isAvisoError(error) && error.status < 500)
    onRefused?.(error.code, schemas.events.includes(event) ? event : NO_EVENT)
}

/** What is known of a notification so far, for the audit log. */
export interface Subject {
  /** The provider's own text until a schema has accepted it. */
  event?: string
  key?: string
}

/** A notification after validation: valid, skipped as configured, or refused. */
export type Prepared =
  | { readonly kind: 'valid'; readonly generation: Generation; readonly item: PublishItem }
  | { readonly kind: 'skipped'; readonly generation: Generation }
  | {
      readonly kind: 'refused'
      readonly generation: Generation
      readonly error: AvisoError
      readonly subject: Subject
    }

/**
 * @param subject Is told what the notification is about, also when it is refused.
 * @returns the item to publish, or `undefined` when the configuration skips it.
 * @throws {AvisoError} `ERR_UNAUTHENTICATED` or `ERR_FORBIDDEN` when the provider may not publish it, or no provider may; the errors of {@link parseSubmission}
 *   and {@link toPublishItem} for an invalid notification.
 */
export function toItem(
  body: JsonValue,
  origin: Origin,
  ingest: Ingest,
  subject: Subject,
): PublishItem | undefined {
  const submission = parseSubmission(body, origin)
  subject.event = submission.event
  const reason = ingest.reserved.get(submission.event)
  if (reason !== undefined) throw new AvisoError('ERR_FORBIDDEN', reason)
  if (isSkipped(submission, ingest.skips)) return undefined
  const item = toPublishItem(submission, ingest.schemas, ingest.limits.payloadBytes)
  subject.key = item.keys.stem
  origin.provider.requirePublish(item.event, item.keys.stem)
  ingest.generic.admit(item.event)
  return item
}

/** Validates one notification of several; never throws. */
export function prepare(body: JsonValue, origin: Origin, ingest: Ingest): Prepared {
  const generation = generationOf(body)
  const subject: Subject = {}
  try {
    const item = toItem(body, origin, ingest, subject)
    return item === undefined ? { kind: 'skipped', generation } : { kind: 'valid', generation, item }
  } catch (error) {
    countRefusal(error, ingest, subject)
    return { kind: 'refused', generation, error: toAvisoError(error), subject }
  }
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

/** Publishes the valid notifications, and records in the audit log what became of each. */
export async function publishPrepared(
  prepared: readonly Prepared[],
  { provider }: Origin,
  { publisher }: Ingest,
): Promise<readonly PublishResult[]> {
  const items: PublishItem[] = []
  for (const each of prepared) if (each.kind === 'valid') items.push(each.item)
  const results = items.length === 0 ? [] : await publisher.publish(items)
  const outcomes = refusedOutcomes(prepared)
  results.forEach((result, index) => {
    const outcome = publishOutcome(result, items[index])
    if (outcome !== undefined) outcomes.push(outcome)
  })
  if (outcomes.length > 0) provider.record(outcomes)
  return results
}

/** What became of a notification, for the audit log: nothing for one that was known already. */
export function publishOutcome(
  result: PublishResult,
  item: PublishItem | undefined,
): PublishOutcome | undefined {
  if (!result.ok) return refusedOutcome(result.error, { event: item?.event, key: item?.keys.stem })
  const { event, key, sequence, replayed } = result.receipt
  return replayed ? undefined : { kind: 'published', event, key, sequence }
}

/** The outcomes of the notifications that were refused before they reached the store. */
export function refusedOutcomes(prepared: readonly Prepared[]): PublishOutcome[] {
  const outcomes: PublishOutcome[] = []
  for (const each of prepared)
    if (each.kind === 'refused') outcomes.push(refusedOutcome(each.error, each.subject))
  return outcomes
}

/** The outcome of a notification that was refused, or of a request. */
export function refusedOutcome(
  error: unknown,
  subject: { readonly event?: string | undefined; readonly key?: string | undefined } = {},
): PublishOutcome {
  return { kind: 'refused', code: toAvisoError(error).code, ...subject }
}

/** One result per prepared notification, in their order. `published` has the results of the valid ones. */
export function resultsOf(
  prepared: readonly Prepared[],
  published: readonly PublishResult[],
): readonly ResultMembers[] {
  return makeResults(prepared, published, (each, result) =>
    result.ok ? successResult(result.receipt) : failureOf(each, result.error),
  )
}

/** As {@link resultsOf}, each with its `index`. */
export function indexedResultsOf(
  prepared: readonly Prepared[],
  published: readonly PublishResult[],
): readonly ResultMembers[] {
  return makeResults(prepared, published, (each, result, index) =>
    result.ok ? indexedResult(result.receipt, index) : { index, ...failureOf(each, result.error) },
  )
}

/** What became of one notification; no receipt: it was skipped. */
type Became =
  | { readonly ok: true; readonly receipt: PublishReceipt | undefined }
  | { readonly ok: false; readonly error: AvisoError }

const BECAME_SKIPPED: Became = { ok: true, receipt: undefined }

function makeResults(
  prepared: readonly Prepared[],
  published: readonly PublishResult[],
  make: (each: Prepared, result: Became, index: number) => ResultMembers,
): readonly ResultMembers[] {
  let next = 0
  return prepared.map((each, index) => {
    switch (each.kind) {
      case 'refused':
        return make(each, { ok: false, error: each.error }, index)
      case 'skipped':
        return make(each, BECAME_SKIPPED, index)
      case 'valid':
        return make(each, published[next++] ?? { ok: false, error: toAvisoError(undefined) }, index)
    }
  })
}

function failureOf({ generation }: Prepared, error: AvisoError): ResultMembers {
  return failureResult(error, generation)
}
