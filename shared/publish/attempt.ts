/**
 * One transaction of a group commit: which notifications go into it, and what it says.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { encodeJournal } from '#shared/journal/codec.ts'
import { journalKey, waitingKey, type JournalBatch } from '#shared/journal/journal.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import {
  MAX_TXN_BYTES,
  MAX_TXN_OPERATIONS,
  type Compare,
  type Revision,
  type StoreOperation,
  type TxnRequest,
} from '#shared/store/store.ts'
import type { IdWindow } from './id_window.ts'
import { OPERATION_OVERHEAD_BYTES } from './limits.ts'
import { isSame, settle, toReceipt, type Pending } from './pending.ts'
import type { PublishItem } from './publish.ts'
import { nextStatus, type NextStatus, type StatusCache, type WriterIdentity } from './status_document.ts'

/** The newest commit an ingest knows of an event type. */
export interface Head {
  /** `mod_revision` of the journal; 0n before the first commit. */
  readonly revision: Revision
  readonly nextSequence: number
  /** Its `at` in milliseconds since 1970. */
  readonly atMs: number
}

/** A transaction as it was built. */
export interface Attempt {
  readonly batch: JournalBatch
  readonly items: readonly Pending[]
  readonly bases: readonly { readonly base: string; readonly next: NextStatus }[]
  readonly request: TxnRequest
}

/** The value of an admin key. */
const ADMIN_VALUE = toBytes('None')
/** Batch id, time, numbers and member names of a journal value. */
const JOURNAL_OVERHEAD_BYTES = 256
/** Member names, numbers and time of a status document. */
const STATUS_OVERHEAD_BYTES = 320
/** A character of a status document that is not ASCII: `\u0000`. */
const STATUS_CHARACTER_BYTES = 6

type KeyKind = 'notification' | 'status' | 'admin' | 'journal'

/** Counts what a transaction holds. */
interface Budget {
  operations: number
  bytes: number
  readonly keys: Map<string, KeyKind>
}

function openBudget(event: string): Budget {
  const key = journalKey(event)
  // Besides the journal, the key of those who wait is read.
  const bytes = JOURNAL_OVERHEAD_BYTES + guardedBytes(key) + guardedBytes(waitingKey(event))
  return { operations: 2, bytes, keys: new Map([[key, 'journal']]) }
}

/** A guarded key is compared, written and read back, each with its name. */
function guardedBytes(key: string): number {
  return 3 * (3 * key.length + OPERATION_OVERHEAD_BYTES)
}

/** What adding an item costs, given what is there already. */
function costOf(
  { item, bytes }: Pending,
  budget: Budget,
  writer: WriterIdentity,
): { operations: number; bytes: number } {
  const cost = { operations: 1, bytes }
  const { base, admin, stem } = item.keys
  if (!budget.keys.has(base)) {
    const characters = stem.length + writer.unixUser.length + writer.hostname.length + writer.version.length
    cost.operations++
    cost.bytes += guardedBytes(base) + STATUS_OVERHEAD_BYTES
    cost.bytes += characters * STATUS_CHARACTER_BYTES
  }
  if (admin !== undefined && !budget.keys.has(admin)) {
    cost.operations++
    cost.bytes += 3 * admin.length + ADMIN_VALUE.length + OPERATION_OVERHEAD_BYTES
  }
  return cost
}

/** @throws {AvisoError} Never: the refusal of an item that fits no transaction is returned. */
export function refusalOf(pending: Pending, writer: WriterIdentity): AvisoError | undefined {
  const { event } = pending.item
  const budget = openBudget(event)
  if (new Map(keysOf(pending)).size < keysOf(pending).length || clashes(pending, budget)) {
    return new AvisoError(
      'ERR_INVALID_NOTIFICATION',
      'The keys of a notification must differ: mend the schema',
    )
  }
  const bytes = budget.bytes + costOf(pending, budget, writer).bytes
  if (bytes <= MAX_TXN_BYTES) return undefined
  return new AvisoError(
    'ERR_TOO_LARGE',
    'The notification is too large to be stored: send a shorter payload',
    {
      details: { max_bytes: MAX_TXN_BYTES },
    },
  )
}

/** What {@link selectItems} looks at besides the queue. */
export interface Selection {
  readonly event: string
  readonly window: IdWindow
  readonly writer: WriterIdentity
  readonly strictIds: boolean
  /** Most notifications to take. */
  readonly most: number
}

/**
 * Takes notifications from the front of the queue until the next one does not fit or would write a key twice, so the order is kept.
 * Those that are stored already are answered on the way, and those that repeat one of the selection are joined to it.
 */
export function selectItems(queue: readonly Pending[], selection: Selection): Pending[] {
  const budget = openBudget(selection.event)
  const selected = new Map<string, Pending>()
  for (const pending of queue) {
    if (pending.done) continue
    const twin = selected.get(pending.identity)
    if (twin === undefined && isAnswered(pending, selection)) continue
    if (twin !== undefined && isSame(pending, { key: twin.item.keys.stem, hash: twin.hash })) {
      twin.twins.push(pending)
      pending.done = true
      continue
    }
    // The other content of an id waits until this one is stored or refused.
    if (twin !== undefined || selected.size >= selection.most || !take(pending, budget, selection.writer))
      break
    selected.set(pending.identity, pending)
  }
  return [...selected.values()]
}

/** Answers a notification whose id is known. */
function isAnswered(pending: Pending, { event, window, strictIds }: Selection): boolean {
  const stored = window.get(pending.identity)
  if (stored === undefined) return false
  if (isSame(pending, stored)) {
    settle(pending, { ok: true, receipt: toReceipt(event, stored, true) })
    return true
  }
  if (!strictIds) return false
  const error = new AvisoError(
    'ERR_ID_REUSED',
    'A notification with the same id and source but other content is stored: give each notification its own id',
  )
  settle(pending, { ok: false, error })
  return true
}

function take(pending: Pending, budget: Budget, writer: WriterIdentity): boolean {
  const cost = costOf(pending, budget, writer)
  if (
    clashes(pending, budget) ||
    budget.operations + cost.operations > MAX_TXN_OPERATIONS ||
    budget.bytes + cost.bytes > MAX_TXN_BYTES
  ) {
    return false
  }
  budget.operations += cost.operations
  budget.bytes += cost.bytes
  for (const [key, kind] of keysOf(pending)) budget.keys.set(key, kind)
  return true
}

function keysOf({ item: { keys } }: Pending): [key: string, kind: KeyKind][] {
  const named: [string, KeyKind][] = [
    [keys.stem, 'notification'],
    [keys.base, 'status'],
  ]
  if (keys.admin !== undefined) named.push([keys.admin, 'admin'])
  return named
}

/** Whether a key would be written twice. Status and admin keys are shared. */
function clashes(pending: Pending, { keys }: Budget): boolean {
  return keysOf(pending).some(([key, kind]) => {
    const holder = keys.get(key)
    return holder !== undefined && (holder !== kind || kind === 'notification')
  })
}

/** What {@link buildAttempt} needs besides the notifications. */
export interface AttemptParts {
  readonly event: string
  readonly head: Head
  readonly batchId: string
  /** Milliseconds since 1970. */
  readonly now: number
  readonly writer: WriterIdentity
  /** Whether to leave a sign if the transaction does not apply. */
  readonly isStarving: boolean
  readonly statuses: StatusCache
  /** By time to live in seconds. */
  readonly leases: ReadonlyMap<number, bigint>
}

/**
 * Builds the transaction. It applies only while the journal and every status document are as they are known; where they are not, it answers
 * with what they are, so a lost race costs one round trip.
 */
export function buildAttempt(items: readonly Pending[], parts: AttemptParts): Attempt {
  const { event, head, writer } = parts
  const batch: JournalBatch = {
    batch: parts.batchId,
    at: new Date(Math.max(parts.now, head.atMs)).toISOString(),
    prev: head.revision.toString(),
    first_seq: head.nextSequence,
    events: items.map(({ item, hash }, index) => ({
      key: item.keys.stem,
      seq: head.nextSequence + index,
      id: item.id,
      source: item.source,
      hash,
      ...(item.time !== undefined && { time: item.time }),
      ...(item.traceparent !== undefined && { traceparent: item.traceparent }),
    })),
  }
  const journal = toBytes(journalKey(event))
  const success: StoreOperation[] = items.map(({ item, key }) => putOf(item, key, parts))
  const compare: Compare[] = [unchanged(journal, head.revision)]
  const failure: StoreOperation[] = [{ kind: 'range', range: { key: journal } }]
  const bases: Attempt['bases'][number][] = []
  for (const [base, stem] of new Map(items.map(({ item }) => [item.keys.base, item.keys.stem]))) {
    const key = toBytes(base)
    const status = parts.statuses.get(base)
    const next = nextStatus(status, { stem, at: batch.at, identity: writer })
    compare.push(unchanged(key, status.revision))
    success.push({ kind: 'put', key, value: toBytes(next.text) })
    failure.push({ kind: 'range', range: { key } })
    bases.push({ base, next })
  }
  for (const admin of new Set(items.map(({ item }) => item.keys.admin))) {
    if (admin !== undefined) success.push({ kind: 'put', key: toBytes(admin), value: ADMIN_VALUE })
  }
  success.push({ kind: 'put', key: journal, value: encodeJournal(batch) })
  const waiting = toBytes(waitingKey(event))
  success.push({ kind: 'range', range: { key: waiting } })
  if (parts.isStarving) failure.push({ kind: 'put', key: waiting, value: toBytes(parts.batchId) })
  return { batch, items, bases, request: { compare, success, failure } }
}

function putOf(
  { value, ttlSeconds }: PublishItem,
  key: Uint8Array,
  { leases }: AttemptParts,
): StoreOperation {
  const put = { kind: 'put', key, value } as const
  const lease = ttlSeconds === undefined ? undefined : leases.get(ttlSeconds)
  return lease === undefined ? put : { ...put, lease }
}

function unchanged(key: Uint8Array, revision: Revision): Compare {
  return { key, target: 'MOD', result: 'EQUAL', value: revision }
}
