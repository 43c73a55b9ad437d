/**
 * The status document of a service's files: which user pushed them, when, and with which message. Byte-compatible with 1.x.
 *
 * @module
 */

import { parseJsonRecord } from '#shared/json/record.ts'
import { toPythonJson } from '#shared/notification/python_json.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyValue, Revision } from '#shared/store/store.ts'

/** The content of the next status document. */
export interface NextServiceStatus {
  /** The operator's message about the push. */
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

/** A status document as it was read, not checked. */
export type ServiceStatus = Readonly<Record<string, unknown>>

/** The next value of a service's status key. */
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

/** Reads a status document. Any other value becomes an empty document. */
export function parseServiceStatus({ value }: Pick<KeyValue, 'value'>): ServiceStatus {
  return parseJsonRecord(toText(value)) ?? {}
}

/** Member that we add when a change took several transactions. It names the revision with the state before the change. */
const BASE = 'base_rev'

/** The same document with `base` as the revision before the change, or without one. */
export function withBase(document: string, base: Revision | undefined): string {
  const { [BASE]: _base, ...members } = parseServiceStatus({ value: toBytes(document) })
  return toPythonJson({ ...members, [BASE]: base })
}

/** The revision before a document's change. 1.x changes all in one transaction, so it is the revision before the document's. */
export function revisionBefore(status: KeyValue): Revision {
  const base = parseServiceStatus(status)[BASE]
  const isBase = typeof base === 'number' && Number.isSafeInteger(base) && base > 0
  return isBase ? BigInt(base) : status.modRevision - 1n
}
