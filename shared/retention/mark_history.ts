/**
 * Encodes and parses the history of time marks, which the store keeps under one key, written under a guard.
 *
 * @module
 */

import { isJsonRecord, parseJsonRecord } from '#shared/json/record.ts'
import { AvisoError } from '#shared/errors.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'
import type { TimeMark } from './time_marks.ts'

/** Store key of the history. */
export const HISTORY_KEY = `${INTERNAL_PREFIX}admin/history`

/** The content of the key. */
export interface MarkHistory {
  /** The marks, oldest first. */
  readonly marks: readonly TimeMark[]
  /** The target of the last compaction, even if the admin stopped before it; 0n: none. */
  readonly compacted: Revision
}

/** The history of a store before the first run of the compactor. */
export const NO_HISTORY: MarkHistory = { marks: [], compacted: 0n }

/** An entry in the form of aviso 1.x, with further members. Revisions are text, because they may exceed 2^53. */
interface StoredMark {
  readonly revision: string
  readonly timestamp: string
  readonly counted_ms: number
  readonly legacy?: true
}

/** The value of {@link HISTORY_KEY}: JSON text. */
export function encodeHistory({ marks, compacted }: MarkHistory): Uint8Array {
  const stored = marks.map(({ revision, at, countedMs, legacy }): StoredMark => {
    const mark = {
      revision: revision.toString(),
      timestamp: new Date(at).toISOString(),
      counted_ms: countedMs,
    }
    return legacy === true ? { ...mark, legacy } : mark
  })
  return toBytes(JSON.stringify({ version: 1, compacted: compacted.toString(), marks: stored }))
}

/**
 * Reads the value of {@link HISTORY_KEY}.
 *
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that no admin of ours wrote, because nothing may be deleted because of it.
 */
export function parseHistory(value: Uint8Array): MarkHistory {
  const document = parseJsonRecord(toText(value))
  if (document?.['version'] === 1 && Array.isArray(document['marks'])) {
    const marks = document['marks'].map(toMark)
    const compacted = toRevision(document['compacted'])
    if (compacted !== undefined && marks.every((mark) => mark !== undefined) && isAscending(marks))
      return { marks, compacted }
  }
  throw new AvisoError(
    'ERR_STORE_PROTOCOL',
    `The store key ${HISTORY_KEY} does not hold a history of this admin: delete the key, then ages are counted from now on`,
  )
}

function toMark(value: unknown): TimeMark | undefined {
  if (!isJsonRecord(value)) return undefined
  const revision = toRevision(value['revision'])
  const at = typeof value['timestamp'] === 'string' ? Date.parse(value['timestamp']) : Number.NaN
  const countedMs = value['counted_ms']
  if (revision === undefined || !Number.isFinite(at) || !isFiniteNumber(countedMs)) return undefined
  return { revision, at, countedMs, ...(value['legacy'] === true && { legacy: true as const }) }
}

function isAscending(marks: readonly TimeMark[]): boolean {
  return marks.every((mark, index) => {
    const before = marks[index - 1]
    return before === undefined || before.revision <= mark.revision
  })
}

function toRevision(value: unknown): Revision | undefined {
  return typeof value === 'string' && /^(?:0|[1-9]\d{0,18})$/.test(value) ? BigInt(value) : undefined
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
