/**
 * Deletes keys in bounded transactions, each key only as it was seen: what is written meanwhile stays.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/store/bytes.ts'
import type { KeyValue, OperationResult, Store, StoreOperation } from '#shared/store/store.ts'
import type { Claim } from './claim.ts'
import { DELETE_KEYS } from './limits.ts'
import { jobKey, type JobName } from './job_record.ts'
import type { Pacer } from './pacer.ts'

/** What was done. */
export interface Deleted {
  readonly keys: number
  /** Of keys and values. */
  readonly bytes: number
  /** Keys that were written again meanwhile, and stay. */
  readonly rewritten: number
}

/** What a deletion works with. */
export interface DeleteParts {
  readonly store: Store
  readonly pacer: Pacer
  readonly job: JobName
  /** Absent: only looks, and reads the sizes of what would be deleted. */
  readonly claim: Claim | undefined
}

/**
 * Deletes keys.
 *
 * @param kvs As they were read; of each the key and the revision of its last write count.
 * @throws {AvisoError} `ERR_JOB_RUNNING` when another admin has taken over, and what the store throws. What is deleted is.
 */
export async function deleteKeys(parts: DeleteParts, kvs: readonly KeyValue[]): Promise<Deleted> {
  let total: Deleted = { keys: 0, bytes: 0, rewritten: 0 }
  for (let start = 0; start < kvs.length; start += DELETE_KEYS) {
    const batch = kvs.slice(start, start + DELETE_KEYS)
    const { claim } = parts
    const deleted = claim === undefined ? await measure(parts, batch) : await deleteBatch(parts, claim, batch)
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
  let bytes = 0
  let keys = 0
  let rewritten = 0
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
        success: present.flatMap(({ key }): StoreOperation[] => [
          { kind: 'range', range: { key } },
          { kind: 'delete', range: { key } },
        ]),
        failure: [
          { kind: 'range', range: { key: toBytes(jobKey(job)) } },
          ...present.map(({ key }): StoreOperation => ({ kind: 'range', range: { key, keysOnly: true } })),
        ],
      }),
    )
    if (succeeded) {
      bytes += bytesOf(results)
      keys += present.length
      break
    }
    const [own, ...found] = results.map(onlyKey)
    claim.check(own)
    if (found.every((kv, index) => kv?.modRevision === present[index]?.modRevision))
      throw new AvisoError('ERR_STORE_PROTOCOL', 'The store refused a deletion whose guards all hold')
    left = present.filter((seen, index) => found[index]?.modRevision === seen.modRevision)
    rewritten += found.filter(
      (kv, index) => kv !== undefined && kv.modRevision !== present[index]?.modRevision,
    ).length
    // Gone already: by another hand, or by this one where the answer was lost. Either way it is gone.
    keys += found.filter((kv) => kv === undefined).length
  }
  return { keys, bytes, rewritten }
}

/** Reads the sizes of keys that a dry run would delete. */
async function measure({ store, pacer }: DeleteParts, batch: readonly KeyValue[]): Promise<Deleted> {
  const { results } = await pacer.run(() =>
    store.txn({ compare: [], success: batch.map(({ key }) => ({ kind: 'range', range: { key } })) }),
  )
  return { keys: batch.length, bytes: bytesOf(results), rewritten: 0 }
}

function bytesOf(results: readonly OperationResult[]): number {
  let bytes = 0
  for (const result of results) {
    const kv = onlyKey(result)
    if (kv !== undefined) bytes += kv.key.length + kv.value.length
  }
  return bytes
}

function onlyKey(result: OperationResult): KeyValue | undefined {
  return result.kind === 'range' ? result.result.kvs[0] : undefined
}
