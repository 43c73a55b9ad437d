/**
 * The guards of transactions: a transaction applies only if the journals and status documents are as this ingest knows them, in the store
 * that it knows. Otherwise the store answers with their present values, so a lost race costs one round trip.
 *
 * @module
 */

import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { onlyKey, type Epoch } from '#shared/journal/epoch.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import type {
  Compare,
  KeyValue,
  OperationResult,
  Revision,
  StoreOperation,
  TxnRequest,
  TxnResult,
} from '#shared/store/store.ts'
import type { Attempt, Frame, Head } from './attempt.ts'

export const EPOCH_KEY_BYTES = toBytes(EPOCH_KEY)

/** What is there instead, where a transaction did not apply. */
export interface Present {
  readonly journal: KeyValue | undefined
  /** Text of the epoch. */
  readonly epoch: string | undefined
  /** The status documents, in the order of the attempt's. */
  readonly statuses: readonly (KeyValue | undefined)[]
}

/** Guards of the keys of one attempt. @param keys Of its status documents, in their order. */
export function guardsOf({ frame, head, bases }: Attempt, keys: readonly Uint8Array[]): Compare[] {
  const guards = [unchanged(frame.journal, head.revision)]
  keys.forEach((key, index) => guards.push(unchanged(key, bases[index]?.revision ?? 0n)))
  return guards
}

/** Reads the keys of {@link guardsOf}, in the same order. */
export function readsOf({ frame }: Attempt, keys: readonly Uint8Array[]): StoreOperation[] {
  const reads = [readOf(frame.journal)]
  for (const key of keys) reads.push(readOf(key))
  return reads
}

/** The guard of the store: neither another one, nor an older copy that was put back. */
export function epochGuard(epoch: Epoch | undefined): Compare {
  // By its text: another store may have written its own at the same revision.
  return epoch === undefined
    ? unchanged(EPOCH_KEY_BYTES, 0n)
    : { key: EPOCH_KEY_BYTES, target: 'VALUE', result: 'EQUAL', value: toBytes(epoch.epoch) }
}

export function epochRead(): StoreOperation {
  return readOf(EPOCH_KEY_BYTES)
}

/** What {@link readsOf} has read. @param epoch Text of the epoch. */
export function toPresent(reads: readonly OperationResult[], epoch: string | undefined): Present {
  const [journal, ...statuses] = reads.map(onlyKey)
  return { journal, epoch, statuses }
}

/** What {@link epochRead} has read. */
export function epochIn(read: OperationResult | undefined): string | undefined {
  const kv = onlyKey(read)
  return kv && toText(kv.value)
}

/** Whether the epoch in the store is the one that was read with a commit. */
export function isKnownEpoch(head: Head | undefined, epoch: string | undefined): boolean {
  return epoch === head?.epoch?.epoch
}

/**
 * Builds a transaction that changes nothing. It succeeds if the journal is as this ingest knows it, and the store is still the one that it
 * read. Otherwise the store answers with the present values.
 */
export function buildCheck(head: Head, frame: Frame): TxnRequest {
  // Without an operation, etcd would answer from one member, which may lag behind.
  const read: StoreOperation = { kind: 'range', range: { key: frame.journal, keysOnly: true } }
  return {
    compare: [unchanged(frame.journal, head.revision), epochGuard(head.epoch)],
    success: [read],
    failure: [readOf(frame.journal), epochRead()],
  }
}

/** What the store has instead, where {@link buildCheck} did not succeed. */
export function checkedPresent({ results: [journal, epoch] }: TxnResult): Present {
  return toPresent(journal === undefined ? [] : [journal], epochIn(epoch))
}

function readOf(key: Uint8Array): StoreOperation {
  return { kind: 'range', range: { key } }
}

function unchanged(key: Uint8Array, revision: Revision): Compare {
  return { key, target: 'MOD', result: 'EQUAL', value: revision }
}
