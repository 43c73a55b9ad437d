/**
 * The status document at a base key. aviso 1.x clients follow its chain of `prev_rev` to find where history starts.
 *
 * @module
 */

import { parseJsonRecord } from '#shared/json/record.ts'
import type { JournalCommit } from '#shared/journal/commits.ts'
import { pythonText } from '#shared/notification/python_json.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { KeyValue, Revision } from '#shared/store/store.ts'
import { MAX_STATUSES } from './limits.ts'

/** The writer: members that 1.x puts into every status document. */
export interface WriterIdentity {
  readonly unixUser: string
  readonly hostname: string
  readonly version: string
}

/** What the next document needs to know about the present one. */
export interface Status extends StatusDays {
  /** `mod_revision` of the status key; 0n when there is none. */
  readonly revision: Revision
}

/** The days in a document. */
interface StatusDays {
  /** UTC day of its `date_time`, `YYYY-MM-DD`; absent when the document cannot be read. */
  readonly day?: string
  readonly lastPreviousDay?: bigint
}

export const NO_STATUS: Status = { revision: 0n }

/** `%Y-%m-%dT%H:%M:%S.%fZ` */
const DATE_TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d\.\d{1,6}Z$/

/** Reads a status document. It accepts any value that 1.x or another writer left there, and uses only the members that it knows. */
export function readStatus(kv: KeyValue | undefined): Status {
  if (kv === undefined) return NO_STATUS
  const revision = kv.modRevision
  const document = parseJsonRecord(toText(kv.value)) ?? {}
  const day = DATE_TIME.exec(String(document['date_time']))?.[1]
  const last = document['last_prev_day_rev']
  if (day === undefined) return { revision }
  return typeof last === 'number' && Number.isSafeInteger(last)
    ? { revision, day, lastPreviousDay: BigInt(last) }
    : { revision, day }
}

/** The next document, and what to remember about it. */
export interface NextStatus {
  readonly text: string
  readonly days: StatusDays
}

/**
 * Writes the status document after a notification.
 *
 * @param at RFC 3339 UTC with milliseconds; 1.x writes microseconds.
 */
export function nextStatus(
  previous: Status,
  { stem, at, identity }: { stem: string; at: string; identity: WriterIdentity },
): NextStatus {
  const days = nextDays(previous, at)
  const isFirst = previous.revision === 0n
  const { unixUser, hostname, version } = identity
  const prev = isFirst ? '' : `, "prev_rev": ${previous.revision}`
  const last = days.lastPreviousDay === undefined ? '' : `, "last_prev_day_rev": ${days.lastPreviousDay}`
  // Member by member: every commit of every event type writes one, and a writer of any value takes several times as long.
  const writer = `"unix_user": ${pythonText(unixUser)}, "aviso_version": ${pythonText(version)}, "engine": "ETCD_REST", "hostname": ${pythonText(hostname)}`
  const text = `{"etcd_user": null, "message": ${pythonText(`notification to key ${stem}`)}, ${writer}, "date_time": "${at.slice(0, -1)}000Z"${prev}${last}}`
  return { text, days }
}

/** The days in the next document. @param at As for {@link nextStatus}. */
export function nextDays(previous: Status, at: string): StatusDays {
  const day = at.slice(0, 10)
  const isNewDay = previous.day !== undefined && previous.day !== day
  const lastPreviousDay = isNewDay ? previous.revision : previous.lastPreviousDay
  return lastPreviousDay === undefined ? { day } : { day, lastPreviousDay }
}

/** Remembers status documents. An outdated entry costs only one repeated transaction. */
export interface StatusCache {
  get(base: string): Status
  set(base: string, status: Status): void
  /** Knows the documents that another ingest wrote, as far as its commit tells. What is known already may be newer. */
  follow(commit: JournalCommit): void
}

/** Status documents by base key. The entry that was set first is forgotten first. */
export function createStatusCache(): StatusCache {
  const known = new Map<string, Status>()
  const get = (base: string): Status => known.get(base) ?? NO_STATUS
  function set(base: string, status: Status): void {
    // In a small map the order does not matter, and to move an entry to the end costs several times what it costs to change it.
    if (known.size > MAX_STATUSES / 2) known.delete(base)
    known.set(base, status)
    if (known.size <= MAX_STATUSES) return
    const [oldest] = known.keys()
    if (oldest !== undefined) known.delete(oldest)
  }
  return {
    get,
    set,
    follow: ({ revision, batch: { at, bases = [] } }) => {
      for (const base of bases) {
        const status = get(base)
        if (status.revision < revision) set(base, { revision, ...nextDays(status, at) })
      }
    },
  }
}
