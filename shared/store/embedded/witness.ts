/**
 * The witness: a small file beside the database that says what was acknowledged, so that a database that lost some of it is not taken for
 * whole.
 *
 * It is written after each commit and before what was committed is acknowledged, without being synced. The database is synced first, so
 * after a power cut the witness is at most behind, which is harmless. It has two records, written in turn, so that a torn write leaves the
 * one before it.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { compareBytes, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { Logger } from '#shared/logger.ts'
import type { SqlView, WitnessFile } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import { EPOCH_KEY } from '../epoch_key.ts'
import { isCarrying, isOld, newestOld } from './carry_over.ts'
import { readKey } from './range.ts'
import { newestRevision, type RevisionEvents } from './revisions.ts'
import { bytesIn, numberIn } from './rows.ts'
import { schemaVersion } from './tables.ts'

export const EPOCH_KEY_BYTES: Uint8Array = toBytes(EPOCH_KEY)
/** An epoch; any other value counts as none. */
const EPOCH = /^[\w-]{1,64}$/
/** Stands for no epoch. */
const NO_EPOCH = '.'
/** Distance of the two records: a disk's sector, so that one write does not touch both. */
const RECORD_STRIDE = 512
const FILE_BYTES = 2 * RECORD_STRIDE
const RECORD = /^aviso-witness 1 (\d{20}) ([\w-]{1,64}|\.) *$/
/** Bytes of a record before its checksum: name and version, revision, epoch. */
const TEXT_BYTES = 16 + 20 + 1 + 64
/** A space, eight digits, a line feed. */
const RECORD_BYTES = TEXT_BYTES + 10

/** A state of a store. */
export interface Marks {
  /** Newest revision, 0n where there is no store. */
  readonly newest: Revision
  readonly epoch: string | undefined
}

/** What a database says about itself. */
export interface DatabaseMarks extends Marks {
  /** Revision that wrote the epoch; `undefined` where that is not known. */
  readonly epochRevision: Revision | undefined
  /** Whether it has had a witness. */
  readonly isWitnessed: boolean
}

/** The marks of a database; `undefined` view: of none. */
export function readMarks(view: SqlView | undefined): DatabaseMarks {
  const nothing = { newest: 0n, epoch: undefined, epochRevision: 0n, isWitnessed: false }
  if (view === undefined || view.all(`SELECT 1 FROM sqlite_master WHERE name = 'meta'`).length === 0)
    return nothing
  const version = schemaVersion(view)
  if (version === undefined) return nothing
  if (isOld(version)) return readOldMarks(view)
  const [flag] = view.all(`SELECT value FROM meta WHERE name = 'witnessed'`)
  const isWitnessed = numberIn(flag, 'value') === 1
  if (isCarrying(view)) {
    const [newest, old] = [newestRevision(view), BigInt(newestOld(view))]
    return { newest: newest > old ? newest : old, epoch: undefined, epochRevision: undefined, isWitnessed }
  }
  return { newest: newestRevision(view), ...readEpoch(view), isWitnessed }
}

/** The epoch that a database holds now. */
export function readEpoch(view: SqlView): Pick<DatabaseMarks, 'epoch' | 'epochRevision'> {
  try {
    const kv = readKey(view, EPOCH_KEY_BYTES)
    return { epoch: kv && toEpoch(kv.value), epochRevision: kv?.modRevision ?? 0n }
  } catch (error) {
    // A damaged epoch is none: it cannot be the witness's.
    if (isAvisoError(error, 'ERR_STORE_DAMAGED')) return { epoch: undefined, epochRevision: 0n }
    throw error
  }
}

/** The marks of a store of version 1, which had no witness of its own, but may be an older copy of one that has. */
function readOldMarks(view: SqlView): DatabaseMarks {
  const [newest] = view.all('SELECT revision FROM events ORDER BY id DESC LIMIT 1')
  const [epoch] = view.all(
    'SELECT e.revision, e.value FROM current c JOIN events e ON e.id = c.id WHERE c.key = ?',
    EPOCH_KEY_BYTES,
  )
  return {
    newest: BigInt(numberIn(newest, 'revision') || 1),
    epoch: epoch && toEpoch(bytesIn(epoch, 'value')),
    epochRevision: BigInt(numberIn(epoch, 'revision')),
    isWitnessed: false,
  }
}

/** The last epoch that was committed; `undefined` where these revisions do not touch it, no text where it was deleted. */
export function epochIn(
  committed: readonly RevisionEvents[],
): { readonly epoch: string | undefined } | undefined {
  for (const { events } of committed.toReversed()) {
    for (const { kind, kv } of events) {
      if (kv.key.length !== EPOCH_KEY_BYTES.length || compareBytes(kv.key, EPOCH_KEY_BYTES) !== 0) continue
      return { epoch: kind === 'put' ? toEpoch(kv.value) : undefined }
    }
  }
  return undefined
}

function toEpoch(value: Uint8Array): string | undefined {
  const text = toText(value)
  return EPOCH.test(text) ? text : undefined
}

/**
 * Reads a witness file.
 *
 * @returns What the newer of its records says; `damaged` where neither can be read.
 */
export function decodeWitness(view: Pick<SqlView, 'crc32'>, bytes: Uint8Array): Marks | 'damaged' {
  const records = [0, RECORD_STRIDE].flatMap((start) => {
    const marks = decodeRecord(view, bytes.subarray(start, start + RECORD_BYTES))
    return marks === undefined ? [] : [marks]
  })
  const [first, second] = records
  if (first === undefined) return 'damaged'
  return second !== undefined && second.newest > first.newest ? second : first
}

function decodeRecord(view: Pick<SqlView, 'crc32'>, bytes: Uint8Array): Marks | undefined {
  const text = bytes.subarray(0, TEXT_BYTES)
  const [, revision, epoch] = RECORD.exec(toText(text)) ?? []
  if (revision === undefined || toText(bytes.subarray(TEXT_BYTES)) !== ` ${hexSum(view, text)}\n`)
    return undefined
  return { newest: BigInt(revision), epoch: epoch === NO_EPOCH ? undefined : epoch }
}

function encodeRecord(view: Pick<SqlView, 'crc32'>, { newest, epoch }: Marks): Uint8Array {
  const revision = newest.toString().padStart(20, '0')
  const text = `aviso-witness 1 ${revision} ${(epoch ?? NO_EPOCH).padEnd(64)}`
  return toBytes(`${text} ${hexSum(view, toBytes(text))}\n`)
}

/** A whole witness file. */
export function encodeWitness(view: Pick<SqlView, 'crc32'>, marks: Marks): Uint8Array {
  const record = encodeRecord(view, marks)
  const bytes = new Uint8Array(FILE_BYTES)
  bytes.set(record, 0)
  bytes.set(record, RECORD_STRIDE)
  return bytes
}

function hexSum({ crc32 }: Pick<SqlView, 'crc32'>, bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0')
}

/** Writes what was acknowledged. */
export interface Witness {
  record(marks: Marks): void
}

/** The witness of an open store. Where it cannot be written the store goes on, and says so. */
export function createWitness(view: Pick<SqlView, 'crc32'>, file: WitnessFile, logger: Logger): Witness {
  let isSecond = false
  let hasFailed = false
  return {
    record: (marks) => {
      try {
        file.write(encodeRecord(view, marks), isSecond ? RECORD_STRIDE : 0)
        isSecond = !isSecond
        hasFailed = false
      } catch (error) {
        if (hasFailed) return
        hasFailed = true
        logger('error', 'The witness of the store cannot be written: a loss may go unnoticed', {
          cause: String(error),
        })
      }
    },
  }
}
