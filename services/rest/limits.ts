/**
 * Bounds of the ingest.
 *
 * @module
 */

import type { JsonLimits } from '#shared/json/strict_json.ts'

/** Limits of one request. */
export interface IngestLimits {
  /** Body of one notification, or one line of a stream. */
  readonly bodyBytes: number
  /** Body of a batch. */
  readonly batchBytes: number
  /** Notifications of a batch. */
  readonly batchItems: number
  /** Lines of a stream. They bound the results in memory for a client that reads only at the end. */
  readonly streamLines: number
  /** One stored value. */
  readonly payloadBytes: number
  /** Time for a whole body, and for the next piece of a stream. */
  readonly bodyTimeoutMs: number
}

/**
 * aviso 2.x accepts bodies of 256 KiB, and payloads as large as fit. Ours may be longer by what stands around a payload, so that one that is
 * too large is refused in the words of its generation. Five such notifications fit a transaction.
 */
export const INGEST_LIMITS: IngestLimits = {
  bodyBytes: 272 * 1024,
  batchBytes: 1024 * 1024,
  batchItems: 1_000,
  streamLines: 100_000,
  payloadBytes: 256 * 1024,
  bodyTimeoutMs: 10_000,
}

/** Deeper than any real notification, shallow enough for every recursive reader of it. */
const MAX_DEPTH = 16
/** Names in one object: ten times as many as in the largest schema. */
const MAX_NAMES = 256
/** More than twice as many as the longest exact double needs. */
const MAX_NUMBER_CHARACTERS = 64

/** Bounds of the JSON of one notification. A batch is one level deeper. */
export const NOTIFICATION_JSON: JsonLimits = {
  maxDepth: MAX_DEPTH,
  maxNames: MAX_NAMES,
  maxNumberDigits: MAX_NUMBER_CHARACTERS,
}
