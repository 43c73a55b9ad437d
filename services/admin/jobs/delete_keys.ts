/**
 * Deletes keys in bounded transactions. A key that was written again since it was read stays.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { KeyValue, OperationResult, Store, StoreOperation } from '#shared/store/store.ts'
import type { Claim } from './claim.ts'
import { DELETE_KEYS } from './limits.ts'
import { jobKey, type JobName } from './job_record.ts'
import type { Pacer } from './pacer.ts'

/** The result of a deletion. */
export interface Deleted {
  readonly keys: number
  /** Bytes of the deleted keys and values. */
  readonly bytes: number
  /** Number of keys that were written again meanwhile, and stay. */
  readonly rewritten: number
}

export interface DeleteParts {
  readonly store: Store
  readonly pacer: Pacer
  readonly job: JobName
  /** Absent in a dry run, which only counts. */
  readonly claim: Claim | undefined
}

/**
 * Deletes keys.
 *
 * @param kvs The keys as they were read, with their values, because their bytes are counted. A guard on each revision makes sure that
 *   exactly these are deleted.
 * @throws {AvisoError} `ERR_JOB_RUNNING` when another admin has taken over, and what the store throws. Batches deleted before the error
 *   stay deleted.
 */
export async function deleteKeys(parts: DeleteParts, kvs: readonly KeyValue[]): Promise<Deleted> {
  const { claim } = parts
  if (claim === undefined) return { keys: kvs.length, bytes: bytesOf(kvs), rewritten: 0 }
  let total: Deleted = { keys: 0, bytes: 0, rewritten: 0 }
  for (let start = 0; start < kvs.length; start += DELETE_KEYS) {
    const deleted = await deleteBatch(parts, claim, kvs.slice(start, start + DELETE_KEYS))
    total = {
      keys: total.keys + deleted.keys,
      bytes: total.bytes + deleted.bytes,
      rewritten: total.rewritten + deleted.rewritten,
    }
  }
  return total
}

async function deleteBatch(
  { store, pacer, job }: DeleteParts,
  claim: Claim,
  batch: readonly KeyValue[],
): Promise<Deleted> {
  let left = batch
  const rewritten = new Set<KeyValue>()
  while (left.length > 0) {
    const present = left
    const { succeeded, results } = await pacer.run(() =>
      store.txn({
        compare: [
          ...claim.fence(),
          ...present.map(
            ({ key, modRevision }) => ({ key, target: 'MOD', result: 'EQUAL', value: modRevision }) as const,
          ),
        ],
        success: present.map(({ key }): StoreOperation => ({ kind: 'delete', range: { key } })),
        failure: [
          { kind: 'range', range: { key: toBytes(jobKey(job)) } },
          ...present.map(({ key }): StoreOperation => ({ kind: 'range', range: { key, keysOnly: true } })),
        ],
      }),
    )
    if (succeeded) break
    const [own, ...found] = results.map(onlyKey)
    claim.check(own)
    // A key that is gone counts as deleted: another client deleted it, or this admin did and the answer was lost.
    const unchanged = present.filter(({ modRevision }, index) => found[index]?.modRevision === modRevision)
    if (unchanged.length === present.length)
      throw new AvisoError('ERR_STORE_PROTOCOL', 'The store refused a deletion whose guards all hold')
    for (const [index, kv] of present.entries()) {
      if (found[index] !== undefined && !unchanged.includes(kv)) rewritten.add(kv)
    }
    left = unchanged
  }
  const deleted = batch.filter((kv) => !rewritten.has(kv))
  return { keys: deleted.length, bytes: bytesOf(deleted), rewritten: rewritten.size }
}

function bytesOf(kvs: readonly KeyValue[]): number {
  return kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
}

function onlyKey(result: OperationResult): KeyValue | undefined {
  return result.kind === 'range' ? result.result.kvs[0] : undefined
}
