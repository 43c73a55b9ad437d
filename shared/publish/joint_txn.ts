/**
 * Joint transactions: one transaction of the store carries the attempts of several event types, each with its own journal and its own guards.
 * It applies whole or not at all. Where it does not, the values that come back say which attempts are to blame.
 *
 * @module
 */

import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { encodeJournal } from '#shared/journal/codec.ts'
import { WAITING_PREFIX } from '#shared/journal/journal.ts'
import {
  MAX_TXN_BYTES,
  MAX_TXN_OPERATIONS,
  type OperationResult,
  type RangeRequest,
  type Revision,
  type StoreOperation,
  type TxnRequest,
  type TxnResult,
} from '#shared/store/store.ts'
import type { Attempt } from './attempt.ts'
import { areKept, epochGuard, epochRead, guardsOf, readsOf, toPresent, type Present } from './guards.ts'

/** What became of an attempt. */
export type Outcome =
  | Applied
  | { readonly kind: 'refused'; readonly revision: Revision; readonly present: Present }

/** An attempt that is committed. */
export interface Applied {
  readonly kind: 'applied'
  readonly revision: Revision
  /** Revision at which an ingest last wrote the waiting key of the event type; 0n: never. */
  readonly sign: Revision
}

/** Operations of a transaction besides those of its attempts: the epoch is guarded, and read back; or the waiting keys are read. */
const COMMON_OPERATIONS = 1

/** The keys of all waiting ingests, the newest first. Mostly there are none. More than have room in an answer are as good as none. */
const SIGNS: RangeRequest = {
  ...prefixRange(WAITING_PREFIX),
  keysOnly: true,
  sortTarget: 'MOD',
  sortOrder: 'DESCEND',
  limit: MAX_TXN_OPERATIONS,
}

/** Room in a transaction, which attempts fill. */
export interface Room {
  /** Takes an attempt, unless it does not fit, would write a key twice, or knows another epoch. The first one always fits. */
  take(attempt: Attempt): boolean
}

/** An empty transaction. */
export function createRoom(): Room {
  let first: Attempt | undefined
  let operations = COMMON_OPERATIONS
  let bytes = 0
  /** Keys that are written. They are put in only when a second attempt asks, because most transactions carry one. */
  let written: Set<string> | undefined
  return {
    take: (attempt) => {
      if (first === undefined) {
        first = attempt
        operations += operationsOf(attempt)
        bytes = attempt.bytes
        return true
      }
      const [nextOperations, nextBytes] = [operations + operationsOf(attempt), bytes + attempt.bytes]
      if (nextOperations > MAX_TXN_OPERATIONS || nextBytes > MAX_TXN_BYTES) return false
      if (attempt.head.epoch?.epoch !== first.head.epoch?.epoch) return false
      const known = (written ??= new Set(keysOf(first)))
      const keys = keysOf(attempt)
      if (keys.some((key) => known.has(key))) return false
      for (const key of keys) known.add(key)
      operations = nextOperations
      bytes = nextBytes
      return true
    },
  }
}

/** Operations of an attempt in the branch that applies, which is never shorter than its guards or the other branch. */
function operationsOf({ puts }: Attempt): number {
  return puts.length + 1
}

/** All keys that an attempt writes. */
function keysOf({ frame, items, bases }: Attempt): string[] {
  const keys = [frame.journalName]
  for (const { base } of bases) keys.push(base)
  for (const { item } of items) {
    keys.push(item.keys.stem)
    if (item.keys.admin !== undefined) keys.push(item.keys.admin)
  }
  return keys
}

/** Builds the transaction of attempts that have the same epoch, and write no key twice. */
export function joinAttempts(attempts: readonly Attempt[]): TxnRequest {
  const success: StoreOperation[] = []
  const failure: StoreOperation[] = []
  const compare = attempts.flatMap(guardsOf)
  let place = 0
  for (const { frame, batch, puts } of attempts) {
    const value = encodeJournal(place === 0 ? batch : { ...batch, place })
    place += batch.events.length
    for (const put of puts) success.push(put)
    success.push({ kind: 'put', key: frame.journal, value })
  }
  for (const attempt of attempts) failure.push(...readsOf(attempt))
  const [first] = attempts
  compare.push(epochGuard(first?.head.epoch))
  failure.push(epochRead())
  const isAlone = attempts.length === 1
  success.push({ kind: 'range', range: isAlone && first ? { key: first.frame.waiting } : SIGNS })
  // An attempt that is to leave a sign goes alone, because all that the branch writes is written whoever is to blame.
  if (first?.isWaiting === true) {
    failure.push({ kind: 'put', key: first.frame.waiting, value: toBytes(first.batch.batch) })
  }
  return { compare, success, failure }
}

/** What became of each attempt of a transaction. `undefined`: nothing, because another one was to blame: it can be sent again as it is. */
export function separate(
  attempts: readonly Attempt[],
  { succeeded, revision, results }: TxnResult,
): readonly (Outcome | undefined)[] {
  if (succeeded) {
    const signs = signsIn(results.at(-1))
    return attempts.map(({ frame }) => {
      return { kind: 'applied', revision, sign: signs.get(frame.event) ?? 0n }
    })
  }
  const epoch = results[attempts.reduce((reads, { bases }) => reads + 1 + bases.length, 0)]
  let from = 0
  const refused = attempts.map((attempt) => {
    const reads = results.slice(from, (from += 1 + attempt.bases.length))
    const present = toPresent(reads, epoch)
    const outcome: Outcome = { kind: 'refused', revision, present }
    return { outcome, isToBlame: !areKept(attempt, present) }
  })
  // Where nobody seems to be to blame, all of them look again for themselves.
  const isNobody = refused.every(({ isToBlame }) => !isToBlame)
  return refused.map(({ outcome, isToBlame }) => (isToBlame || isNobody ? outcome : undefined))
}

/** Event type → revision at which an ingest last wrote its waiting key. */
function signsIn(result: OperationResult | undefined): ReadonlyMap<string, Revision> {
  const signs = new Map<string, Revision>()
  if (result?.kind !== 'range') return signs
  for (const { key, modRevision } of result.result.kvs) {
    signs.set(toText(key).slice(WAITING_PREFIX.length), modRevision)
  }
  return signs
}
