/**
 * Reads the history that aviso 1.x's compactor keeps: `[{"revision":123,"timestamp":"2026-11-21T00:00:00.000000Z"}, …]`.
 *
 * 1.x dates an entry with the midnight before its run. So a revision may be almost a day younger than its entry says, and 1.x itself
 * compacts up to a day early. Here such an entry counts from the end of its day.
 *
 * @module
 */

import { isJsonRecord } from '#shared/json/record.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'
import { LEGACY_GAP_MS, type TimeMark } from './time_marks.ts'

/** Store key where 1.x keeps its history by default. */
export const LEGACY_HISTORY_KEY = '/ec/admin/history'

const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d{0,3}Z$/
const DAY_MS = 86_400_000

/**
 * Reads 1.x's history into marks, oldest first.
 *
 * @param head The store's revision. Entries beyond it belong to another store, so they are left out.
 * @returns the marks; none when the value is not such a history. Single entries that make no sense are left out.
 */
export function parseLegacyHistory(value: Uint8Array, head: Revision): readonly TimeMark[] {
  const entries = parseArray(toText(value))
    .flatMap(toEntry)
    .filter(({ revision }) => revision <= head)
    .toSorted((a, b) => (a.revision < b.revision ? -1 : 1))
  const marks: TimeMark[] = []
  for (const { revision, at } of entries) {
    const last = marks.at(-1)
    // A later revision has an earlier time, so one of the two entries is wrong. The later time is the safe choice.
    if (last !== undefined && at < last.at) continue
    const sinceMs = last === undefined ? 0 : at - last.at
    const countedMs = (last?.countedMs ?? 0) + (sinceMs <= LEGACY_GAP_MS ? sinceMs : -LEGACY_GAP_MS)
    marks.push({ revision, at, countedMs, legacy: true })
  }
  return marks
}

function parseArray(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

function toEntry(value: unknown): { readonly revision: Revision; readonly at: number }[] {
  if (!isJsonRecord(value)) return []
  const { revision, timestamp } = value
  if (typeof revision !== 'number' || !Number.isSafeInteger(revision) || revision < 1) return []
  const time = typeof timestamp === 'string' ? TIMESTAMP.exec(timestamp)?.[1] : undefined
  const at = time === undefined ? Number.NaN : Date.parse(`${time}Z`)
  if (!Number.isFinite(at)) return []
  return [{ revision: BigInt(revision), at: at % DAY_MS === 0 ? at + DAY_MS : at }]
}
