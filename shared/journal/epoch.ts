/**
 * The store's epoch: a text of ours that tells one filling of the store from the next. Cursors carry it.
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
  /** Revision that wrote it: the first one that positions of this epoch can mean. */
  readonly revision: Revision
}

/**
 * Reads the epoch, or writes it where there is none yet. However many processes start at once, all of them get the same one.
 *
 * @param random 128 random bits as text.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that is not ours, and whatever the store throws; trying again is safe.
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
    `The store key ${EPOCH_KEY} does not hold an epoch: delete it, and listeners will be told to start again`,
  )
}
