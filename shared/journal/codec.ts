/**
 * Journal values ↔ bytes, and the fingerprint by which a repeated POST is told from a reused id.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/store/bytes.ts'
import type { JournalBatch, JournalEvent } from './journal.ts'

/** RFC 3339 UTC with milliseconds, as `Date.toISOString()` writes it. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const DECIMAL = /^(?:0|[1-9]\d{0,18})$/

const strictDecoder = new TextDecoder('utf-8', { fatal: true })

/** The value of a journal key: JSON text. */
export function encodeJournal(batch: JournalBatch): Uint8Array {
  return toBytes(JSON.stringify(batch))
}

/**
 * Reads the value of a journal key. Members it does not know are left alone, for a newer version may have written them.
 *
 * @param key Named in the error.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for anything that no version of ours wrote.
 */
export function parseJournal(value: Uint8Array, key: string): JournalBatch {
  let batch: unknown
  try {
    batch = JSON.parse(strictDecoder.decode(value))
  } catch {
    batch = undefined
  }
  if (isJournalBatch(batch)) return batch
  throw new AvisoError(
    'ERR_STORE_PROTOCOL',
    `The store key ${key} does not hold a journal: somebody else wrote it, so delete it or restore it from a backup`,
  )
}

function isJournalBatch(value: unknown): value is JournalBatch {
  if (!isRecord(value)) return false
  const { batch, at, prev, first_seq: first, events } = value
  return (
    isText(batch) &&
    isText(at) &&
    TIMESTAMP.test(at) &&
    !Number.isNaN(Date.parse(at)) &&
    isText(prev) &&
    DECIMAL.test(prev) &&
    typeof first === 'number' &&
    Number.isSafeInteger(first) &&
    first >= 1 &&
    Array.isArray(events) &&
    events.every((event: unknown, index) => isJournalEvent(event, first + index))
  )
}

function isJournalEvent(value: unknown, sequence: number): value is JournalEvent {
  if (!isRecord(value)) return false
  const { key, seq, id, source, hash, time, traceparent } = value
  return (
    seq === sequence &&
    [key, id, source, hash].every(isText) &&
    [time, traceparent].every((optional) => optional === undefined || isText(optional))
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/**
 * 64 bits of hash as 16 hexadecimal digits: the same on every runtime and in every version, for it is stored. Not cryptographic:
 * whoever forges a collision only harms the id that is already theirs.
 */
export function fingerprint(bytes: Uint8Array): string {
  let high = 0x243f6a88
  let low = 0x85a308d3
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0
    high = Math.imul(high ^ byte, 0x01000193)
    low = Math.imul((low << 5) | (low >>> 27), 0x9e3779b1) ^ Math.imul(byte + 1, 0xc2b2ae3d)
  }
  return hexadecimal(avalanche(high ^ bytes.length)) + hexadecimal(avalanche(low ^ high))
}

/** Spreads every bit over the whole word. */
function avalanche(word: number): number {
  let mixed = word
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b)
  return mixed ^ (mixed >>> 16)
}

function hexadecimal(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
