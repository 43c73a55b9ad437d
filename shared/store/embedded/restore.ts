/**
 * Makes a copy of a store ready to take the store's place.
 *
 * @module
 */

import { AvisoError, KeyDamaged } from '#shared/errors.ts'
import { crc32 } from '#shared/bytes/crc32.ts'
import type { Logger } from '#shared/logger.ts'
import type { DatabaseLook, SqlDatabase } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import { upgrade } from './carry_over.ts'
import { renewedEpoch } from '../epoch_key.ts'
import { renewEpoch } from './loss.ts'
import { newestRevision } from './revisions.ts'
import { doInTurns } from './steps.ts'
import { makeIndexes, SCHEMA_VERSION, schemaVersion } from './tables.ts'
import { decodeWitness, encodeWitness, readMarks } from './witness.ts'
import { verifyEvents } from './verify.ts'

export interface RestoreParts {
  /** Newest revision that the store in its place has given out; 0n for none. */
  readonly acknowledged: Revision
  readonly logger: Logger
  /** 128 random bits as text. */
  readonly random: () => string
  /** @param share Done so far, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** A copy that is ready. */
export interface ReadyCopy {
  /** Newest revision that was in the copy. */
  readonly copied: Revision
  /** Revision of its new epoch. */
  readonly revision: Revision
  /** The witness file that belongs to it. */
  readonly witness: Uint8Array
}

/**
 * Checks that a copy is a whole store, carries it over where it is of an older version, and gives it a new epoch, behind every revision that
 * it or the store in its place has given out.
 *
 * @throws {AvisoError} `ERR_CONFIG` where it is no store, `ERR_STORE_DAMAGED` where it is damaged.
 */
export async function prepareCopy(
  copy: SqlDatabase,
  { acknowledged, logger, random, onProgress = () => undefined }: RestoreParts,
): Promise<ReadyCopy> {
  const isStore = copy.all(`SELECT 1 FROM sqlite_master WHERE name = 'meta'`).length > 0
  if (!isStore || schemaVersion(copy) === undefined)
    throw new AvisoError('ERR_CONFIG', 'The file holds no store: name a file that "aviso admin backup" wrote')
  // Before anything of it is read by key.
  if (schemaVersion(copy) === SCHEMA_VERSION) copy.transaction(() => makeIndexes(copy))
  // The file that it was made from stays, so no backup is needed.
  const { keepCopy: _kept, ...changed } = copy
  upgrade(changed, logger)
  const walk = { last: newestRevision(copy), sizeBytes: copy.sizeBytes(), onProgress }
  try {
    await doInTurns(verifyEvents(copy, walk), (step) => step())
  } catch (error) {
    throw error instanceof KeyDamaged ? backupDamaged(error) : error
  }
  const [result] = copy.all('PRAGMA integrity_check(1)')
  if (result?.['integrity_check'] !== 'ok')
    throw new AvisoError('ERR_STORE_DAMAGED', 'The file is damaged: take an older backup')
  const copied = newestRevision(copy)
  const epoch = renewedEpoch(random())
  const revision = copy.transaction(() => {
    copy.run(`UPDATE meta SET value = 1 WHERE name = 'witnessed'`)
    return renewEpoch(copy, acknowledged, epoch)
  })
  return { copied, revision, witness: encodeWitness(copy, { newest: revision, epoch }) }
}

/**
 * The newest revision that a store is known to have given out.
 *
 * @throws what SQLite throws for a damaged one.
 */
export function acknowledgedBy({ view, witness }: DatabaseLook): Revision {
  const known = witness && decodeWitness({ crc32 }, witness)
  const witnessed = known === undefined || known === 'damaged' ? 0n : known.newest
  const { newest } = readMarks(view)
  return newest > witnessed ? newest : witnessed
}

function backupDamaged({ revision, details }: KeyDamaged): AvisoError {
  const key = String(details['damaged_key'])
  return new AvisoError(
    'ERR_STORE_DAMAGED',
    `The backup is damaged: it does not agree with its checksum at "${key}", revision ${revision}. Take an older backup`,
    { details },
  )
}
