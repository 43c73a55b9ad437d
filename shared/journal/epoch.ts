/**
 * The store's epoch: a random text that this service writes once into a store. After the store was wiped or replaced, the text is another
 * one. Cursors contain it.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyValue, Revision, Store } from '#shared/store/store.ts'
import { EPOCH_KEY } from './journal.ts'

/** A cursor is `epoch.revision.index` and stands in URLs and headers. */
const EPOCH = /^[\w-]{1,64}$/

/** The epoch of a store. */
export interface Epoch {
  readonly epoch: string
  /** The revision that wrote it: the first revision that positions of this epoch can mean. */
  readonly revision: Revision
}

/**
 * Reads the epoch, or writes it if the store has none yet. All processes that start at the same time get the same epoch.
 *
 * @param random 128 random bits as text.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that is not an epoch, and the store's errors. Trying again is safe.
 */
export async function readOrCreateEpoch(store: Store, random: () => string): Promise<Epoch> {
  const key = toBytes(EPOCH_KEY)
  const [known] = (await store.range({ key })).kvs
  if (known !== undefined) return toEpoch(known)
  const epoch = random()
  const { succeeded, revision, results } = await store.txn({
    compare: [{ key, target: 'CREATE', result: 'EQUAL', value: 0n }],
    success: [{ kind: 'put', key, value: toBytes(epoch) }],
    failure: [{ kind: 'range', range: { key } }],
  })
  if (succeeded) return { epoch, revision }
  const [result] = results
  const winner = result?.kind === 'range' ? result.result.kvs[0] : undefined
  if (winner === undefined) throw unusable()
  return toEpoch(winner)
}

function toEpoch({ value, modRevision }: KeyValue): Epoch {
  const epoch = toText(value)
  if (!EPOCH.test(epoch)) throw unusable()
  return { epoch, revision: modRevision }
}

function unusable(): AvisoError {
  return new AvisoError(
    'ERR_STORE_PROTOCOL',
    `The store key ${EPOCH_KEY} does not hold an epoch: delete it; listeners must then start again`,
  )
}
