/**
 * Compares a copy with its source: all keys that are there now, their values, and their number.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { toText } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import type { KeyValue, Revision, Store } from '#shared/store/store.ts'
import { keysAt } from './source.ts'

/** Keys and values of a store, in one figure. */
export interface Contents {
  readonly keys: number
  readonly sha256: string
}

/** What is compared. */
export interface Side {
  readonly store: Store
  readonly revision: Revision
  /** The value as the other side has to have it. Default: as it is. */
  readonly mapped?: (kv: KeyValue) => Uint8Array
}

/** @throws {AvisoError} `ERR_CONFLICT` where the copy is not what the source holds. */
export async function compareContents(source: Side, copy: Side): Promise<Contents> {
  const [wanted, found] = [await contentsOf(source), await contentsOf(copy)]
  if (wanted.keys === found.keys && wanted.sha256 === found.sha256) return found
  throw new AvisoError(
    'ERR_CONFLICT',
    `The copy differs from its source: ${found.keys} keys (${found.sha256.slice(0, 12)}) for ${wanted.keys} (${wanted.sha256.slice(0, 12)}). Do not use it: empty the target, and begin again`,
  )
}

/** Keys with a lease may end at any moment, and the epoch may be a new one: both are left out. */
async function contentsOf({ store, revision, mapped }: Side): Promise<Contents> {
  const sum = createHash('sha256')
  const lengths = Buffer.alloc(8)
  let keys = 0
  for await (const page of keysAt(store, revision)) {
    for (const kv of page) {
      if (kv.lease !== 0n || toText(kv.key) === EPOCH_KEY) continue
      const value = mapped?.(kv) ?? kv.value
      lengths.writeUInt32BE(kv.key.length, 0)
      lengths.writeUInt32BE(value.length, 4)
      sum.update(lengths).update(kv.key).update(value)
      keys++
    }
  }
  return { keys, sha256: sum.digest('hex') }
}
