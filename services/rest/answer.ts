/**
 * What a provider is told: the union of the answers of both generations, plus the proof of storage.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import { wireCode, writeOutcome } from '#shared/http/respond.ts'
import type { PublishReceipt } from '#shared/publish/publish.ts'
import type { Generation } from './submission.ts'

/** Text of 1.x, on which its clients rely. */
export const SUBMITTED = 'Notification successfully submitted'
/** Text of 1.x. */
export const SKIPPED = 'Notification skipped'

/** Where a stored notification is. Sequence and revision are text: they may pass 2^53. */
export interface StoredMembers {
  readonly id: string
  readonly sequence: string
  readonly revision: string
  readonly key: string
}

/** The members that name a stored notification; `id` is what 2.x delivers as the CloudEvents id. */
export function storedMembers(receipt: PublishReceipt): StoredMembers {
  const sequence = String(receipt.sequence)
  return {
    id: `${receipt.event}@${sequence}`,
    sequence,
    revision: String(receipt.revision),
    key: receipt.key,
  }
}

/** RFC 3339 UTC in whole seconds: exactly the 20 characters that 2.x answers. */
export function processedAt(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`
}

/** Result of one notification of a batch or a stream. */
export type ResultMembers = Readonly<Record<string, string | number | boolean>>

/** Result of one notification of a batch or a stream that was stored or skipped. */
export function successResult(receipt: PublishReceipt | undefined): ResultMembers {
  if (receipt === undefined) return { status: 200, message: SKIPPED, skipped: true }
  return { status: 200, ...storedMembers(receipt), ...(receipt.replayed ? { replayed: true } : {}) }
}

/** Result of one notification of a batch or a stream that failed; a store failure says whether it may have been stored. */
export function failureResult(error: AvisoError, generation: Generation): ResultMembers {
  const { field } = error.details
  return {
    status: error.status,
    code: wireCode(error, generation),
    message: error.message,
    ...(field === undefined ? {} : { field }),
    ...(error.status >= 500 ? { outcome: writeOutcome(error) } : {}),
  }
}
