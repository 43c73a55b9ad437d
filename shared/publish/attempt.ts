/**
 * One transaction of a group commit: it selects the notifications for the transaction, and builds it.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Epoch } from '#shared/journal/epoch.ts'
import { journalKey, waitingKey, type JournalBatch, type JournalEvent } from '#shared/journal/journal.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { MAX_TXN_BYTES, MAX_TXN_OPERATIONS, type Revision, type StoreOperation } from '#shared/store/store.ts'
import { EPOCH_KEY_BYTES } from './guards.ts'
import { roomForNames, type IdWindow, type Names } from './id_window.ts'
import { OPERATION_OVERHEAD_BYTES } from './limits.ts'
import { isSame, toReceipt, type Pending } from './pending.ts'
import type { PublishResult } from './publish.ts'
import { nextStatus, type NextStatus, type StatusCache, type WriterIdentity } from './status_document.ts'

/** The newest commit of an event type that an ingest knows. */
export interface Head {
  /** `mod_revision` of the journal; 0n before the first commit. */
  readonly revision: Revision
  readonly nextSequence: number
  /** Its `at` in milliseconds since 1970. */
  readonly atMs: number
  /** Its id; absent before the first commit. */
  readonly batch: string | undefined
  /** The epoch of the store that it was read from; absent in a store without one. */
  readonly epoch: Epoch | undefined
  /** Whether its ingest lets another one go first. */
  readonly endsTurn: boolean
}

/** What an event type wants to commit. A transaction carries one attempt, or those of several event types. */
export interface Attempt {
  readonly frame: Frame
  /** The commit that it follows. */
  readonly head: Head
  readonly batch: JournalBatch
  readonly items: readonly Pending[]
  /** The names of their identities, in their order; absent: not known. */
  readonly names: Names | undefined
  /** The status documents that it writes, guards and reads back. */
  readonly bases: readonly StatusChange[]
  /** Writes of its notifications. */
  readonly puts: readonly StoreOperation[]
  /** The admin keys that it writes. */
  readonly admins: ReadonlySet<string>
  /** Most bytes that it takes in a transaction. */
  readonly bytes: number
  /** Whether to write the waiting key if the transaction does not apply. */
  readonly isWaiting: boolean
}

/** A status document that is written. */
export interface StatusChange {
  readonly base: string
  /** The revision of the present one. */
  readonly revision: Revision
  readonly next: NextStatus
}

/** The value of an admin key. */
export const ADMIN_VALUE = toBytes('None')
/** Batch id, time, numbers and member names of a journal value. */
const JOURNAL_OVERHEAD_BYTES = 256
/** Member names, numbers and time of a status document. */
const STATUS_OVERHEAD_BYTES = 320
/** Longest form of a UTF-16 unit in a status document: `\u0000`. */
const STATUS_CHARACTER_BYTES = 6
/** Longest UTF-8 form of a UTF-16 unit in a key. */
const MAX_CHARACTER_BYTES = 3

/** What all transactions of an event type share. */
export interface Frame {
  readonly event: string
  readonly writer: WriterIdentity
  readonly journalName: string
  /** The same as bytes. */
  readonly journal: Uint8Array
  /** The key that a waiting ingest writes; each transaction reads it. */
  readonly waiting: Uint8Array
  /** Most bytes of a transaction without notifications. */
  readonly bytes: number
}

export function createFrame(event: string, writer: WriterIdentity): Frame {
  const journalName = journalKey(event)
  const journal = toBytes(journalName)
  const waiting = toBytes(waitingKey(event))
  const guarded = [journal, waiting, EPOCH_KEY_BYTES]
  const bytes = guarded.reduce((sum, key) => sum + guardedBytes(key.length), JOURNAL_OVERHEAD_BYTES)
  return { event, writer, journalName, journal, waiting, bytes }
}

/** Bytes of a guarded key: it is compared, written and read back, each time with its name. */
function guardedBytes(keyBytes: number): number {
  return 3 * (keyBytes + OPERATION_OVERHEAD_BYTES)
}

/** Keys that a transaction writes. Its notifications may share status keys and admin keys. */
type WrittenKeys = Map<string, 'notification' | 'status' | 'admin'>

const NO_KEYS: WrittenKeys = new Map()

/** The cost of adding a notification to a transaction that writes the given keys already. */
function costOf(
  { item, bytes }: Pending,
  { writer }: Frame,
  written: WrittenKeys,
): { operations: number; bytes: number } {
  const cost = { operations: 1, bytes }
  const { base, admin, stem } = item.keys
  if (!written.has(base)) {
    const characters = stem.length + writer.unixUser.length + writer.hostname.length + writer.version.length
    cost.operations++
    cost.bytes += guardedBytes(MAX_CHARACTER_BYTES * base.length) + STATUS_OVERHEAD_BYTES
    cost.bytes += characters * STATUS_CHARACTER_BYTES
  }
  if (admin !== undefined && !written.has(admin)) {
    cost.operations++
    cost.bytes += MAX_CHARACTER_BYTES * admin.length + ADMIN_VALUE.length + OPERATION_OVERHEAD_BYTES
  }
  return cost
}

/** @returns the refusal of a notification that no transaction can hold; `undefined` for any other notification. */
export function refusalOf(pending: Pending, frame: Frame): AvisoError | undefined {
  const { stem, base, admin } = pending.item.keys
  const { journalName } = frame
  const isRepeated =
    stem === base || stem === admin || base === admin || stem === journalName || base === journalName
  if (isRepeated || admin === journalName) {
    return new AvisoError(
      'ERR_INVALID_NOTIFICATION',
      'The keys of a notification must differ: fix the schema',
    )
  }
  if (frame.bytes + costOf(pending, frame, NO_KEYS).bytes <= MAX_TXN_BYTES) return undefined
  return new AvisoError(
    'ERR_TOO_LARGE',
    'The notification is too large for the store: send a shorter payload',
    {
      details: { max_bytes: MAX_TXN_BYTES },
    },
  )
}

/** What is done with notifications from the front of the queue. */
export interface Selected {
  /** For the next transaction. */
  readonly items: readonly Pending[]
  /** The names of their identities, in their order. */
  readonly names: Names
  /** Most bytes that these take in a transaction. */
  readonly bytes: number
  /** Answers that come from memory alone. They are due once the store is known to be the one that is remembered. */
  readonly known: readonly { readonly pending: Pending; readonly result: PublishResult }[]
}

/** What {@link selectItems} works with besides the queue. */
export interface Selection {
  readonly frame: Frame
  readonly window: IdWindow
  readonly strictIds: boolean
  /** Most notifications to take. */
  readonly most: number
}

/**
 * Takes notifications from the front of the queue until the next one does not fit or would write a key twice. So the order is kept.
 * Notifications that are stored already are found on the way. A repetition of a selected notification becomes its twin.
 */
export function selectItems(queue: readonly Pending[], selection: Selection): Selected {
  const { frame, most } = selection
  const written: WrittenKeys = new Map()
  // Two operations: the journal and the epoch are compared, or the journal is written and the key of waiting ingests is read.
  const budget = { operations: 2, bytes: frame.bytes }
  const selected = new Map<string, Pending>()
  // One more, for the notification that is looked at and not taken.
  const names = roomForNames(Math.min(queue.length, most) + 1)
  const known: Selected['known'][number][] = []
  for (const pending of queue) {
    if (pending.done) continue
    const twin = selected.get(pending.identity)
    const result =
      twin === undefined ? knownResult(pending, selection, { names, index: selected.size }) : undefined
    if (result !== undefined) {
      known.push({ pending, result })
      continue
    }
    if (twin !== undefined && isSame(pending, { key: twin.item.keys.stem, hash: twin.hash })) {
      twin.twins.push(pending)
      pending.done = true
      continue
    }
    // A notification with the same id and other content waits until this one is stored or refused.
    if (twin !== undefined || selected.size >= most || clashes(pending, written)) break
    const cost = costOf(pending, frame, written)
    const operations = budget.operations + cost.operations
    const bytes = budget.bytes + cost.bytes
    if (operations > MAX_TXN_OPERATIONS || bytes > MAX_TXN_BYTES) break
    budget.operations = operations
    budget.bytes = bytes
    const { stem, base, admin } = pending.item.keys
    written.set(stem, 'notification')
    if (cost.operations > 1) written.set(base, 'status')
    if (admin !== undefined) written.set(admin, 'admin')
    selected.set(pending.identity, pending)
  }
  return { items: [...selected.values()], names, bytes: budget.bytes, known }
}

/** Whether a key would be written twice. */
function clashes({ item }: Pending, written: WrittenKeys): boolean {
  const { stem, base, admin } = item.keys
  return (
    written.has(stem) ||
    (written.get(base) ?? 'status') !== 'status' ||
    (admin !== undefined && (written.get(admin) ?? 'admin') !== 'admin')
  )
}

/** The answer to a notification whose id is known. */
function knownResult(
  pending: Pending,
  { frame, window, strictIds }: Selection,
  { names, index }: { readonly names: Names; readonly index: number },
): PublishResult | undefined {
  const stored = window.get(pending.identity, names, index)
  if (stored === undefined) return undefined
  if (isSame(pending, stored)) return { ok: true, receipt: toReceipt(frame.event, stored, true) }
  if (!strictIds) return undefined
  const error = new AvisoError(
    'ERR_ID_REUSED',
    'A notification with the same id and source but other content is already stored: give each notification its own id',
  )
  return { ok: false, error }
}

/** What {@link buildAttempt} needs besides the notifications. */
export interface AttemptParts {
  readonly frame: Frame
  readonly batchId: string
  /** Milliseconds since 1970. */
  readonly now: number
  readonly statuses: StatusCache
}

/** How an attempt is sent. */
export interface AttemptOptions {
  readonly head: Head
  /** The names of the items' identities, in their order; absent: not known. */
  readonly names: Names | undefined
  /** Most bytes of the items in a transaction. */
  readonly bytes: number
  /** By time to live in seconds. */
  readonly leases: ReadonlyMap<number, bigint>
  /** Whether to tell the other ingests that this one waits, if it loses again. The waiting key is then written. */
  readonly isWaiting: boolean
  /** Whether other ingests publish the event type, too. They are told which status documents change. */
  readonly isShared: boolean
  /** Whether to let another ingest go first after it. */
  readonly endsTurn: boolean
}

/** Builds what an event type wants to commit. */
export function buildAttempt(
  items: readonly Pending[],
  { frame, batchId, now, statuses }: AttemptParts,
  { head, names, bytes, leases, isWaiting, isShared, endsTurn }: AttemptOptions,
): Attempt {
  const at = isoDate(Math.max(now, head.atMs))
  const events: JournalEvent[] = []
  const puts: StoreOperation[] = []
  let admins = NO_ADMINS
  for (const { item, key, hash } of items) {
    const { id, source, time, traceparent, keys, ttlSeconds, value, payloadKind: payload } = item
    const seq = head.nextSequence + events.length
    events.push({ key: keys.stem, seq, id, source, hash, time, traceparent, payload, fields: keys.unkeyed })
    const lease = ttlSeconds === undefined ? undefined : leases.get(ttlSeconds)
    puts.push({ kind: 'put', key, value, lease })
    if (keys.admin === undefined) continue
    if (admins === NO_ADMINS) admins = new Set()
    admins.add(keys.admin)
  }
  const stems = lastStems(items)
  const batch: JournalBatch = {
    batch: batchId,
    at,
    prev: head.revision.toString(),
    first_seq: head.nextSequence,
    events,
    ...(isShared && { bases: [...stems.keys()] }),
    ...(endsTurn && { ends_turn: true }),
  }
  const bases: StatusChange[] = []
  for (const [base, stem] of stems) {
    const status = statuses.get(base)
    bases.push({
      base,
      revision: status.revision,
      next: nextStatus(status, { stem, at, identity: frame.writer }),
    })
  }
  return { frame, head, batch, items, names, bases, puts, admins, bytes, isWaiting }
}

/** The last date that was written: lanes of many event types write the same one. */
let lastDate = { ms: 0, text: '1970-01-01T00:00:00.000Z' }

function isoDate(ms: number): string {
  if (ms !== lastDate.ms) lastDate = { ms, text: new Date(ms).toISOString() }
  return lastDate.text
}

/** Those of most event types. Nothing is added to it. */
const NO_ADMINS = new Set<string>()

/** The last notification of each base, which the status document names. */
function lastStems(items: readonly Pending[]): ReadonlyMap<string, string> {
  const stems = new Map<string, string>()
  let last: Pending['item']['keys'] | undefined
  for (const { item } of items) {
    // Mostly one base for all: to compare with it takes less than to look it up.
    if (last !== undefined && last.base !== item.keys.base) stems.set(last.base, last.stem)
    last = item.keys
  }
  if (last !== undefined) stems.set(last.base, last.stem)
  return stems
}
