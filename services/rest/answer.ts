/**
 * The answers to providers: the members of the 1.x and the 2.x answer together, plus the proof of storage.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import { wireCode, writeOutcome } from '#shared/http/respond.ts'
import type { PublishReceipt } from '#shared/publish/publish.ts'
import type { Generation } from './submission.ts'

/** The text of 1.x, on which its clients rely. */
export const SUBMITTED = 'Notification successfully submitted'
/** The text of 1.x. */
export const SKIPPED = 'Notification skipped'
/** Message of a notification that would be accepted. */
export const VALID = 'Notification is valid; nothing was stored'

/** The place of a stored notification. Sequence and revision are text, because they may exceed 2^53. */
export interface StoredMembers {
  readonly id: string
  readonly sequence: string
  readonly revision: string
  readonly key: string
}

/** The members that name a stored notification; `id` is the CloudEvents id that 2.x delivers. */
export function storedMembers(receipt: PublishReceipt): StoredMembers {
  const sequence = String(receipt.sequence)
  return {
    id: `${receipt.event}@${sequence}`,
    sequence,
    revision: String(receipt.revision),
    key: receipt.key,
  }
}

/** RFC 3339 UTC in whole seconds: exactly the 20 characters of 2.x's answer. */
export function processedAt(nowMs: number): string {
  const second = Math.floor(nowMs / 1_000)
  if (second !== lastSecond.second)
    lastSecond = { second, text: `${new Date(nowMs).toISOString().slice(0, 19)}Z` }
  return lastSecond.text
}

/** Thousands of answers have the same second. */
let lastSecond = { second: 0, text: '1970-01-01T00:00:00Z' }

/** Result of one notification of a batch or a stream. */
export type ResultMembers = Readonly<Record<string, string | number | boolean>>

/** Result of one notification of a batch or a stream that was stored or skipped. */
export function successResult(receipt: PublishReceipt | undefined): ResultMembers {
  if (receipt === undefined) return { status: 200, message: SKIPPED, skipped: true }
  return { status: 200, ...storedMembers(receipt), ...(receipt.replayed ? { replayed: true } : {}) }
}

/** As {@link successResult}, with the place of the notification in its batch. */
export function indexedResult(receipt: PublishReceipt | undefined, index: number): ResultMembers {
  if (receipt === undefined || receipt.replayed) return { index, ...successResult(receipt) }
  const { id, sequence, revision, key } = storedMembers(receipt)
  return { index, status: 200, id, sequence, revision, key }
}

/** A fault of a field, as a dry run lists it. */
export interface FaultMembers {
  readonly field?: string
  readonly message: string
  readonly reason?: string
}

/** The members of a fault. */
export function faultMembers({ message, details: { field, reason } }: AvisoError): FaultMembers {
  return {
    ...(field !== undefined && { field }),
    message,
    ...(typeof reason === 'string' && { reason }),
  }
}

/** Result of one notification of a batch or a stream that failed. A failure of the store says whether the notification may be stored. */
export function failureResult(error: AvisoError, generation: Generation): ResultMembers {
  const { field, hint } = error.details
  return {
    status: error.status,
    code: wireCode(error, generation),
    message: error.message,
    ...(field === undefined ? {} : { field }),
    ...(hint === undefined ? {} : { hint }),
    ...(error.status >= 500 ? { outcome: writeOutcome(error) } : {}),
  }
}
