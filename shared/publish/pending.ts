/**
 * A notification between its acceptance and its answer.
 *
 * @module
 */

import { fingerprint } from '#shared/journal/codec.ts'
import { joinBytes, toBytes } from '#shared/bytes/bytes.ts'
import { toSlabBytes } from '#shared/bytes/slab.ts'
import { identityOf } from './id_window.ts'
import { OPERATION_OVERHEAD_BYTES } from './limits.ts'
import type { PublishItem, PublishReceipt, PublishResult } from './publish.ts'
import type { StoredItem } from './id_window.ts'

/** An accepted notification, with everything that is needed more than once. */
export interface Pending {
  readonly item: PublishItem
  readonly key: Uint8Array
  readonly hash: string
  readonly identity: string
  /** Most bytes that it takes in a transaction, with its journal entry. */
  readonly bytes: number
  /** When it is answered at the latest, in monotonic time. */
  readonly deadline: number
  /** Repetitions of this notification that came before it was answered. */
  readonly twins: Pending[]
  /** Whether a transaction with it was sent that may have been applied, or may still be. */
  maybeStored: boolean
  /** Whether it is answered, or will be answered together with its twin. */
  done: boolean
  readonly load: Load
  readonly answer: (result: PublishResult) => void
}

/** The notifications in this process that wait for their answers. */
export interface Load {
  items: number
  bytes: number
  /** How many of them are under way to the store. */
  sent: number
}

/** Longest UTF-8 form of a UTF-16 unit in JSON: `\u0000`. */
const MAX_JSON_BYTES = 6
/** Member names, numbers and the fingerprint of a journal entry. */
const ENTRY_OVERHEAD_BYTES = 128

export interface Acceptance extends Pick<Pending, 'deadline' | 'load' | 'answer'> {
  readonly strictIds: boolean
}

/** Accepts a notification. It is part of the load until it is answered. */
export function createPending(item: PublishItem, { strictIds, deadline, load, answer }: Acceptance): Pending {
  const { id, source, keys, value, time = '', traceparent = '' } = item
  const key = toSlabBytes(keys.stem)
  const characters =
    keys.stem.length +
    id.length +
    source.length +
    time.length +
    traceparent.length +
    (keys.unkeyed === undefined ? 0 : lengthOf(keys.unkeyed))
  const overhead = OPERATION_OVERHEAD_BYTES + ENTRY_OVERHEAD_BYTES
  const bytes = key.length + value.length + characters * MAX_JSON_BYTES + overhead
  load.items++
  load.bytes += bytes
  return {
    item,
    key,
    hash: hashOf(item),
    identity: identityOf({ id, source, key: keys.stem }, strictIds),
    bytes,
    deadline,
    load,
    twins: [],
    maybeStored: false,
    done: false,
    answer,
  }
}

/** Characters of names and texts, with what separates them. */
function lengthOf(fields: Readonly<Record<string, string>>): number {
  return Object.entries(fields).reduce((sum, [name, text]) => sum + name.length + text.length + 6, 0)
}

/** The fingerprint of the payload: `5` and `"5"` are stored alike, and are two payloads. */
function hashOf({ value, payloadKind }: PublishItem): string {
  return fingerprint(payloadKind === undefined ? value : joinBytes([value, toBytes(`\0${payloadKind}`)]))
}

/** Answers a notification and its twins. Later answers are ignored. */
export function settle(pending: Pending, result: PublishResult): void {
  if (pending.done) return
  pending.done = true
  release(pending, result)
  if (pending.twins.length === 0) return
  const again: PublishResult = result.ok
    ? { ok: true, receipt: { ...result.receipt, replayed: true } }
    : result
  for (const twin of pending.twins) release(twin, again)
}

function release(pending: Pending, result: PublishResult): void {
  pending.load.items--
  pending.load.bytes -= pending.bytes
  pending.answer(result)
}

/** Whether a stored notification has the same content. */
export function isSame(pending: Pending, stored: { readonly key: string; readonly hash: string }): boolean {
  return stored.key === pending.item.keys.stem && stored.hash === pending.hash
}

export function toReceipt(event: string, stored: StoredItem, replayed: boolean): PublishReceipt {
  return {
    event,
    key: stored.key,
    revision: stored.revision,
    sequence: BigInt(stored.seq),
    committedAt: stored.at,
    replayed,
  }
}
