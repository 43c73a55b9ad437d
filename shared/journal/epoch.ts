/**
 * The store's epoch: a random text that names one history of a store. Cursors contain it. A service writes it into a new store, and writes
 * another one where it notices that the store has lost something: the store was wiped, or put back to an older copy.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { CallOptions, KeyValue, OperationResult, Revision, Store } from '#shared/store/store.ts'
import { EPOCH_KEY, isRenewedEpoch, MIGRATION_UNDER_WAY, renewedEpoch } from '#shared/store/epoch_key.ts'

/** A cursor is `epoch.revision.index` and stands in URLs and headers. */
const EPOCH = /^[\w-]{1,64}$/

/** The epoch of a store. */
export interface Epoch {
  readonly epoch: string
  /** The revision that wrote it. Positions of this epoch may be older than it, since the history before it stays readable. */
  readonly revision: Revision
  /** Whether it took the place of one that was lost. */
  readonly isRenewed: boolean
}

/**
 * Reads the epoch, or writes it if the store has none yet. All processes that start at the same time get the same epoch.
 *
 * @param random 128 random bits as text.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that is not an epoch, and the store's errors. Trying again is safe.
 */
export async function readOrCreateEpoch(store: Store, random: () => string): Promise<Epoch> {
  return (await readEpoch(store)) ?? writeEpoch(store, { epoch: random(), instead: 0n })
}

/**
 * Gives a store that has lost something a new epoch, so that no position of what was lost is ever accepted again. All processes that notice
 * the loss get the same epoch: the write is guarded by the old one.
 *
 * @param lost The epoch that was known before; a store that has another one already keeps it.
 * @throws {AvisoError} As {@link readOrCreateEpoch}; `ERR_READ_ONLY` for the store of a relay, whose own Aviso renews the epoch.
 */
export async function renewEpoch(store: Store, lost: string, random: () => string): Promise<Epoch> {
  const known = await readEpoch(store)
  if (known !== undefined && known.epoch !== lost) return known
  return writeEpoch(store, { epoch: renewedEpoch(random()), instead: known?.revision ?? 0n })
}

/** @throws {AvisoError} As {@link readOrCreateEpoch}. */
export async function readEpoch(store: Store, options?: CallOptions): Promise<Epoch | undefined> {
  const [known] = (await store.range({ key: toBytes(EPOCH_KEY) }, options)).kvs
  return known && toEpoch(known)
}

/** @param instead The revision of the present epoch, 0n for none. @returns the epoch that holds now. */
async function writeEpoch(
  store: Store,
  { epoch, instead }: { readonly epoch: string; readonly instead: Revision },
): Promise<Epoch> {
  const key = toBytes(EPOCH_KEY)
  const { succeeded, revision, results } = await store.txn({
    compare: [{ key, target: 'MOD', result: 'EQUAL', value: instead }],
    success: [{ kind: 'put', key, value: toBytes(epoch) }],
    failure: [{ kind: 'range', range: { key } }],
  })
  if (succeeded) return { epoch, revision, isRenewed: isRenewedEpoch(epoch) }
  const winner = onlyKey(results[0])
  if (winner === undefined) throw unusable()
  return toEpoch(winner)
}

/** The key that an operation of a transaction read. */
export function onlyKey(result: OperationResult | undefined): KeyValue | undefined {
  return result?.kind === 'range' ? result.result.kvs[0] : undefined
}

function toEpoch({ value, modRevision }: KeyValue): Epoch {
  const epoch = toText(value)
  if (epoch === MIGRATION_UNDER_WAY) throw halfMigrated()
  if (!EPOCH.test(epoch)) throw unusable()
  return { epoch, revision: modRevision, isRenewed: isRenewedEpoch(epoch) }
}

function halfMigrated(): AvisoError {
  return new AvisoError(
    'ERR_STORE_PROTOCOL',
    'This store is the target of a migration that is under way or was interrupted: wait, or empty the store and migrate again',
  )
}

function unusable(): AvisoError {
  return new AvisoError(
    'ERR_STORE_PROTOCOL',
    `The store key ${EPOCH_KEY} does not hold an epoch: delete it; listeners must then start again`,
  )
}
