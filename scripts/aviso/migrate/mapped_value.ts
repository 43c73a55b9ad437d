/**
 * Rewrites the revisions that stand inside values: in journals, removals, the compactor's marks, and 1.x's status documents and history.
 *
 * @module
 */

import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { isAvisoError } from '#shared/errors.ts'
import { JOURNAL_PREFIX, REMOVED_PREFIX } from '#shared/journal/journal.ts'
import { encodeRemoved, parseRemoved } from '#shared/journal/removed.ts'
import { isJsonRecord, parseJsonRecord } from '#shared/json/record.ts'
import { LEGACY_HISTORY_KEY } from '#shared/retention/legacy_history.ts'
import { HISTORY_KEY, encodeHistory, parseHistory } from '#shared/retention/mark_history.ts'
import type { KeyValue, Revision } from '#shared/store/store.ts'

/** Where 1.x keeps the status documents of service files; those of notifications are at keys that end with a slash. */
const SERVICE_PREFIX = '/ec/config/'
/** What 1.x and this project write into every status document. */
const STATUS_SIGN = '"engine": "ETCD_REST"'
/** The members of a status document that are revisions. A quote inside a text is escaped, so it ends no name. */
const STATUS_REVISION = /"(prev_rev|last_prev_day_rev|base_rev)": (\d+)/g

/** Revision of the source → revision of the copy. */
export type MapRevision = (revision: Revision) => Revision

/** The value as it has to be in the copy; the same bytes where it names no revision. */
export function mappedValue({ key, value }: Pick<KeyValue, 'key' | 'value'>, map: MapRevision): Uint8Array {
  const name = toText(key)
  if (name.startsWith(JOURNAL_PREFIX)) return mappedJournal(value, map)
  if (name.startsWith(REMOVED_PREFIX))
    return readable(value, () => mappedRemoved(value, name.slice(REMOVED_PREFIX.length), map))
  if (name === HISTORY_KEY) return readable(value, () => mappedHistory(value, map))
  if (name === LEGACY_HISTORY_KEY) return mappedLegacy(value, map)
  if (name.endsWith('/') || name.startsWith(SERVICE_PREFIX)) return mappedStatus(value, map)
  return value
}

function mappedJournal(value: Uint8Array, map: MapRevision): Uint8Array {
  const journal = parseJsonRecord(toText(value))
  const previous = journal?.['prev']
  if (journal === undefined || typeof previous !== 'string' || !/^\d{1,19}$/.test(previous)) return value
  return toBytes(JSON.stringify({ ...journal, prev: map(BigInt(previous)).toString() }))
}

function mappedRemoved(value: Uint8Array, event: string, map: MapRevision): Uint8Array {
  const { wipedThrough, ids } = parseRemoved(value, event)
  const mapped = [...ids].map(([sequence, revision]) => [sequence, map(revision)] as const)
  return encodeRemoved({ wipedThrough: map(wipedThrough), ids: new Map(mapped) })
}

function mappedHistory(value: Uint8Array, map: MapRevision): Uint8Array {
  const { marks, compacted } = parseHistory(value)
  return encodeHistory({
    marks: marks.map((mark) => ({ ...mark, revision: map(mark.revision) })),
    compacted: map(compacted),
  })
}

function mappedLegacy(value: Uint8Array, map: MapRevision): Uint8Array {
  const entries = parseList(toText(value))
  if (entries === undefined) return value
  const mapped = entries.map((entry) =>
    isJsonRecord(entry) && typeof entry['revision'] === 'number' && Number.isSafeInteger(entry['revision'])
      ? { ...entry, revision: Number(map(BigInt(Math.max(0, entry['revision'])))) }
      : entry,
  )
  return toBytes(JSON.stringify(mapped))
}

function mappedStatus(value: Uint8Array, map: MapRevision): Uint8Array {
  const text = toText(value)
  if (!text.includes(STATUS_SIGN)) return value
  return toBytes(
    text.replaceAll(
      STATUS_REVISION,
      (_, name: string, digits: string) => `"${name}": ${map(BigInt(digits))}`,
    ),
  )
}

function parseList(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A value that no version of this service wrote is copied as it is. */
function readable(value: Uint8Array, read: () => Uint8Array): Uint8Array {
  try {
    return read()
  } catch (error) {
    if (isAvisoError(error, 'ERR_STORE_PROTOCOL')) return value
    throw error
  }
}
