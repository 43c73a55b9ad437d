/**
 * The checksum of an event: over all that its row says, so that a flipped bit anywhere in it is noticed.
 *
 * @module
 */

import { KeyDamaged } from '#shared/errors.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { SqlView } from '#shared/runtime/runtime.ts'
import type { KeyValue } from '../store.ts'

/** Four numbers of 8 bytes and two of 4. */
export const HEAD_BYTES = 40
/** Longest part of a key that an error names. */
export const MAX_NAMED_BYTES = 200

const head = new Uint8Array(HEAD_BYTES)
const fields = new DataView(head.buffer)

/**
 * The checksum of one event.
 *
 * @param place The event's place in its revision, as its row has it.
 */
export function checksumOf({ crc32 }: Pick<SqlView, 'crc32'>, kv: KeyValue, place: number): number {
  writeHead(fields, 0, {
    revision: Number(kv.modRevision),
    created: Number(kv.createRevision),
    version: Number(kv.version),
    lease: Number(kv.lease),
    place,
    keyBytes: kv.key.length,
  })
  const sum = crc32(kv.key, crc32(head))
  return kv.value.length === 0 ? sum : crc32(kv.value, sum)
}

/** The numbers of an event that its checksum is over, before its key and its value. */
export interface ChecksumHead {
  readonly revision: number
  readonly created: number
  readonly version: number
  readonly lease: number
  readonly place: number
  readonly keyBytes: number
}

/** Writes {@link HEAD_BYTES} bytes. */
export function writeHead(to: DataView, offset: number, head: ChecksumHead): void {
  setNumber(to, offset, head.revision)
  setNumber(to, offset + 8, head.created)
  setNumber(to, offset + 16, head.version)
  setNumber(to, offset + 24, head.lease)
  to.setUint32(offset + 32, head.place)
  to.setUint32(offset + 36, head.keyBytes)
}

/** Whole numbers up to 2^53: a `bigint` would take longer than the checksum. */
function setNumber(to: DataView, offset: number, value: number): void {
  to.setUint32(offset, Math.floor(value / 2 ** 32))
  to.setUint32(offset + 4, value)
}

/** What an operator can do about damage that cannot be passed by. */
export const RESTORE = 'Restore a backup with "aviso admin restore FILE"'

/** What an operator can do about any damage. */
export const REMEDIES = `${RESTORE}, or start once with --accept-loss`

/** The error for an event that does not agree with its checksum. */
export function damagedError({ key, modRevision }: Pick<KeyValue, 'key' | 'modRevision'>): KeyDamaged {
  const name = toText(key.subarray(0, MAX_NAMED_BYTES))
  return new KeyDamaged(
    `The embedded store's copy of "${name}" at revision ${modRevision} is damaged: it does not agree with its checksum. ${REMEDIES}`,
    { key, name, revision: modRevision },
  )
}
