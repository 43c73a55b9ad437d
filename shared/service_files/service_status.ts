/**
 * The status document of a service's files: who pushed what, and when. Byte-compatible with 1.x's.
 *
 * @module
 */

import { parseJsonRecord } from '#shared/json/record.ts'
import { toPythonJson } from '#shared/notification/python_json.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyValue, Revision } from '#shared/store/store.ts'

/** What the next document says. */
export interface NextServiceStatus {
  /** The operator's words. */
  readonly message: string
  readonly user: string | null
  readonly unixUser: string
  readonly hostname: string
  readonly version: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** The document that this one follows. */
  readonly previous: KeyValue | undefined
}

/** A document as it was read; whatever it is. */
export type ServiceStatus = Readonly<Record<string, unknown>>

/** The value of a service's status key. */
export function nextServiceStatus(next: NextServiceStatus): string {
  const { previous } = next
  const before = previous === undefined ? {} : parseServiceStatus(previous)
  const at = new Date(next.now).toISOString()
  const isNewDay =
    typeof before['date_time'] === 'string' && before['date_time'].slice(0, 10) !== at.slice(0, 10)
  return toPythonJson({
    etcd_user: next.user,
    message: next.message,
    unix_user: next.unixUser,
    aviso_version: next.version,
    engine: 'ETCD_REST',
    hostname: next.hostname,
    date_time: `${at.slice(0, -1)}000Z`,
    prev_rev: previous?.modRevision,
    last_prev_day_rev: isNewDay ? previous?.modRevision : before['last_prev_day_rev'],
  })
}

/** Reads a document; an empty one where it is none. */
export function parseServiceStatus({ value }: Pick<KeyValue, 'value'>): ServiceStatus {
  return parseJsonRecord(toText(value)) ?? {}
}

/** Member that we add where a change took several transactions: the state before it is the one at this revision. */
const BASE = 'base_rev'

/** The same document, naming the revision of the state before it, or not. */
export function withBase(document: string, base: Revision | undefined): string {
  const { [BASE]: _base, ...members } = parseServiceStatus({ value: toBytes(document) })
  return toPythonJson({ ...members, [BASE]: base })
}

/** Revision of the state before a document's change. 1.x changes everything at once, so it is the one before the document. */
export function revisionBefore(status: KeyValue): Revision {
  const base = parseServiceStatus(status)[BASE]
  const isBase = typeof base === 'number' && Number.isSafeInteger(base) && base > 0
  return isBase ? BigInt(base) : status.modRevision - 1n
}
