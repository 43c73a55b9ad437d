/**
 * Lost writes: how they are noticed when a store is opened, refused, and accepted where the operator says so.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { crc32 } from '#shared/bytes/crc32.ts'
import type { DatabaseLook, SqlDatabase, SqlView } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import { fileError } from './describe_damage.ts'
import { LEFT_OUT_REVISIONS, newestRevision } from './revisions.ts'
import { isDamage } from './state.ts'
import { append, createCopies, toPut } from './txn.ts'
import { decodeWitness, EPOCH_KEY_BYTES, readMarks, type DatabaseMarks } from './witness.ts'

/** Acknowledged writes that a store no longer has. */
export interface Loss {
  /** What is missing, in a sentence. */
  readonly what: string
  /** Newest revision that is known to have been acknowledged. */
  readonly acknowledged: Revision
}

/**
 * Compares a database with its witness.
 *
 * @returns `undefined` where nothing is missing.
 */
export function findLoss(
  marks: DatabaseMarks,
  view: Pick<SqlView, 'crc32'>,
  witness: Uint8Array | undefined,
): Loss | undefined {
  const { newest, epoch, epochRevision, isWitnessed } = marks
  if (witness === undefined) {
    if (!isWitnessed) return undefined
    return {
      what: 'Its witness file is gone, so the database may be an older copy that was put here',
      acknowledged: newest,
    }
  }
  const known = decodeWitness(view, witness)
  if (known === 'damaged')
    return {
      what: 'Its witness file is damaged, so nobody can tell whether anything is missing',
      acknowledged: newest,
    }
  if (newest === 0n)
    return { what: `The database is gone, with revisions up to ${known.newest}`, acknowledged: known.newest }
  if (newest < known.newest)
    return {
      what: `${numberOf(known.newest - newest)} missing: ${known.newest} was acknowledged, and the database ends with ${newest}`,
      acknowledged: known.newest,
    }
  // An epoch that was written after the witness, whose last write a power cut took, is no sign of anything.
  if (epochRevision === undefined || epochRevision > known.newest || epoch === known.epoch) return undefined
  return {
    what: 'The database is another one than was here: it has another epoch',
    acknowledged: known.newest,
  }
}

function numberOf(missing: bigint): string {
  return missing === 1n ? '1 revision is' : `${missing} revisions are`
}

/**
 * Refuses a database that is damaged or lost acknowledged writes, before anything is changed on disk.
 *
 * @throws {AvisoError} `ERR_CONFIG`
 */
export function refuseLoss({ view, witness, damage }: DatabaseLook): void {
  if (view !== undefined && damage !== undefined) throw fileError(view, damage)
  const loss = orFileError(view, () => findLoss(readMarks(view), { crc32 }, witness))
  if (loss !== undefined) throw lossError(loss)
}

/** Reads of a store that is being opened. @throws {AvisoError} `ERR_CONFIG` where a page that they need is damaged. */
export function orFileError<Result>(view: SqlView | undefined, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (view !== undefined && isDamage(error)) throw fileError(view, error)
    throw error
  }
}

/** The refusal of a store that lost writes. */
export function lossError({ what }: Loss): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    `The embedded store has lost acknowledged writes. ${what}. Restore a backup with "aviso admin restore FILE", or start once with --accept-loss, which gives the store a new epoch. Nothing was changed`,
  )
}

/**
 * Gives a store a new epoch, at a revision that no lost one can reach. It runs in a transaction.
 *
 * @param acknowledged Newest revision that may have been given out.
 * @param epoch As `renewedEpoch()` makes it.
 * @returns Its revision.
 */
export function renewEpoch(database: SqlDatabase, acknowledged: Revision, epoch: string): Revision {
  const newest = newestRevision(database)
  const revision = (acknowledged > newest ? acknowledged : newest) + LEFT_OUT_REVISIONS
  const operation = { kind: 'put', key: EPOCH_KEY_BYTES, value: toBytes(epoch) } as const
  const parts = { revision, heads: new Map(), copies: createCopies([operation]) }
  append(database, toPut(database, operation, parts), 0)
  return revision
}
