/**
 * The record of the last backup, in the store: so its age is known after a restart, and to every process.
 *
 * @module
 */

import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import { parseJsonRecord } from '#shared/json/record.ts'
import type { CallOptions, Store } from '#shared/store/store.ts'

/** Store key of the record. */
export const BACKUP_KEY = `${INTERNAL_PREFIX}admin/backup`

/** A backup whose file is whole and on disk, as its receiver has said. */
export interface BackupRecord {
  /** When it was begun, RFC 3339: what was acknowledged before is in it. */
  readonly at: string
  /** Newest revision in it, as decimal text. */
  readonly revision: string
  readonly sizeBytes: number
  /** Hexadecimal digits. */
  readonly sha256: string
}

/** The value of {@link BACKUP_KEY}: JSON text. */
export function encodeBackupRecord({ at, revision, sizeBytes, sha256 }: BackupRecord): Uint8Array {
  return toBytes(JSON.stringify({ version: 1, at, revision, size_bytes: sizeBytes, sha256 }))
}

/** Reads a record; `undefined` for any other value, which the next backup then replaces. */
export function parseBackupRecord(value: Uint8Array): BackupRecord | undefined {
  const record = parseJsonRecord(toText(value)) ?? {}
  const { at, revision, size_bytes: sizeBytes, sha256 } = record
  const isRecord =
    typeof at === 'string' &&
    Number.isFinite(Date.parse(at)) &&
    typeof revision === 'string' &&
    typeof sizeBytes === 'number' &&
    typeof sha256 === 'string'
  return isRecord ? { at, revision, sizeBytes, sha256 } : undefined
}

/** The last backup; `undefined` before the first. @throws {AvisoError} What the store throws. */
export async function readBackupRecord(
  store: Pick<Store, 'range'>,
  options?: CallOptions,
): Promise<BackupRecord | undefined> {
  const [kv] = (await store.range({ key: toBytes(BACKUP_KEY) }, options)).kvs
  return kv && parseBackupRecord(kv.value)
}
