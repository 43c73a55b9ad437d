/**
 * Joint transactions: one transaction of the store carries the attempts of several event types, each as a part with its own journal and its own
 * guards. Each of them applies or not by itself. Only where the store is another one, none of them does.
 *
 * @module
 */

import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { inSlabs, toSlabBytes } from '#shared/bytes/slab.ts'
import { encodeOwnJournal } from '#shared/journal/codec.ts'
import { WAITING_PREFIX } from '#shared/journal/journal.ts'
import {
  MAX_TXN_BYTES,
  MAX_TXN_OPERATIONS,
  type GuardedOperations,
  type OperationResult,
  type RangeRequest,
  type Revision,
  type StoreOperation,
  type TxnRequest,
  type TxnResult,
} from '#shared/store/store.ts'
import { ADMIN_VALUE, type Attempt } from './attempt.ts'
import { epochGuard, epochIn, epochRead, guardsOf, readsOf, toPresent, type Present } from './guards.ts'

/** What became of an attempt. */
export type Outcome =
  | Applied
  | {
      readonly kind: 'refused'
      readonly revision: Revision
      readonly present: Present
      /** Whether it had a transaction of its own. */
      readonly isAlone: boolean
    }

/** An attempt that is committed. */
export interface Applied {
  readonly kind: 'applied'
  readonly revision: Revision
  /** Revision at which an ingest last wrote the waiting key of the event type; 0n: never. */
  readonly sign: Revision
}

/** Operations of a transaction besides those of its attempts: the waiting keys are read. */
const COMMON_OPERATIONS = 1

/**
 * Places in a revision at which the notifications of an event type may begin. Readers know more (`shared/journal/journal.ts`), but those of
 * the version before do not, and versions run side by side on one etcd.
 */
const FIRST_PLACES = 128

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
  let parts = 0
  /** Operations of the largest part. The store leaves each part as many as the number of parts leaves. */
  let largest = 0
  let notifications = 0
  let bytes = 0
  /** Keys that are written. They are put in only when a second attempt asks, because most transactions carry one. */
  let written: Set<string> | undefined
  return {
    take: (attempt) => {
      const next = {
        largest: Math.max(largest, operationsOf(attempt)),
        notifications: notifications + attempt.items.length,
        bytes: bytes + attempt.bytes,
      }
      if (first === undefined) first = attempt
      else {
        if (COMMON_OPERATIONS + parts + 1 + next.largest > MAX_TXN_OPERATIONS) return false
        if (notifications >= FIRST_PLACES || next.bytes > MAX_TXN_BYTES) return false
        if (attempt.head.epoch?.epoch !== first.head.epoch?.epoch) return false
        const known = (written ??= new Set(keysOf(first)))
        const keys = keysOf(attempt)
        if (keys.some((key) => known.has(key))) return false
        for (const key of keys) known.add(key)
      }
      parts++
      ;({ largest, notifications, bytes } = next)
      return true
    },
  }
}

/** Operations of an attempt in the branch that applies, which is never shorter than its guards or the other branch. */
function operationsOf({ puts, bases, admins }: Attempt): number {
  return puts.length + bases.length + admins.size + 1
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
  const [first] = attempts
  const compare = [epochGuard(first?.head.epoch)]
  // Alone, it is a transaction without parts, which costs the store less.
  if (first !== undefined && attempts.length === 1) {
    const own = toGuarded(first, 0)
    const sign: StoreOperation = { kind: 'range', range: { key: first.frame.waiting } }
    return {
      compare: [...own.compare, ...compare],
      success: [...own.success, sign],
      failure: [...own.failure, epochRead()],
    }
  }
  let place = 0
  const parts = inSlabs(() =>
    attempts.map((attempt) => {
      const part = toGuarded(attempt, place)
      place += attempt.items.length
      return part
    }),
  )
  return { compare, success: [{ kind: 'range', range: SIGNS }], failure: [epochRead()], parts }
}

/** @param place Room for notifications before those of the attempt. */
function toGuarded(attempt: Attempt, place: number): Required<GuardedOperations> {
  const { frame, batch, puts, bases, admins, isWaiting } = attempt
  const keys = bases.map(({ base }) => toSlabBytes(base))
  const success = [...puts]
  bases.forEach(({ next }, index) => {
    const key = keys[index]
    if (key !== undefined) success.push({ kind: 'put', key, value: toSlabBytes(next.text) })
  })
  for (const admin of admins) success.push({ kind: 'put', key: toSlabBytes(admin), value: ADMIN_VALUE })
  const value = encodeOwnJournal(place === 0 ? batch : { ...batch, place })
  success.push({ kind: 'put', key: frame.journal, value })
  const failure = readsOf(attempt, keys)
  if (isWaiting) failure.push({ kind: 'put', key: frame.waiting, value: toBytes(batch.batch) })
  return {
    compare: guardsOf(attempt, keys),
    success,
    failure,
  }
}

/** What became of each attempt of a transaction. */
export function separate(
  attempts: readonly Attempt[],
  { succeeded, revision, results, parts }: TxnResult,
): readonly Outcome[] {
  if (succeeded) {
    const signs = signsIn(results.at(-1))
    return attempts.map(({ frame, head }, index): Outcome => {
      const part = parts?.[index]
      if (part?.succeeded !== false) return { kind: 'applied', revision, sign: signs.get(frame.event) ?? 0n }
      return {
        kind: 'refused',
        revision,
        present: toPresent(part.results, head.epoch?.epoch),
        isAlone: false,
      }
    })
  }
  // Where several did not run, the store is another one, and nothing else about it matters.
  const isAlone = attempts.length === 1
  const epoch = epochIn(results.at(-1))
  const present = toPresent(isAlone ? results.slice(0, -1) : [], epoch)
  return attempts.map(() => ({ kind: 'refused', revision, present, isAlone }))
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
