/**
 * The document of removals: it says which notifications of an event type an operator has removed (single ones, and everything up to a
 * wipe).
 *
 * The store's history cannot be rewritten, so a deleted notification is still in it. This document says which of them are no longer
 * delivered to listeners. It names only notifications that history still holds, so compaction makes it shorter.
 *
 * @module
 */

import { parseJsonRecord } from '#shared/json/record.ts'
import { AvisoError } from '#shared/errors.ts'
import { REMOVED_PREFIX } from './journal.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'

/**
 * Most single notifications in a document. Every listening process keeps them in memory, and an operator who deletes more needs a wipe.
 */
export const MAX_REMOVED_IDS = 10_000

/** The removals of one event type. */
export interface Removed {
  /** Everything stored up to this revision; 0n: nothing. */
  readonly wipedThrough: Revision
  /** Single notifications: sequence number → revision of their commit. */
  readonly ids: ReadonlyMap<bigint, Revision>
}

/** No removals. */
export const NOTHING_REMOVED: Removed = { wipedThrough: 0n, ids: new Map() }

/** Store key of the document of an event type. */
export function removedKey(event: string): string {
  return REMOVED_PREFIX + event
}

/** The document: JSON text, revisions and sequence numbers as text. */
export function encodeRemoved({ wipedThrough, ids }: Removed): Uint8Array {
  return toBytes(
    JSON.stringify({
      version: 1,
      wiped_through: wipedThrough.toString(),
      ids: [...ids].map(([sequence, revision]) => [sequence.toString(), revision.toString()]),
    }),
  )
}

/**
 * Reads the document.
 *
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that no version of this service wrote.
 */
export function parseRemoved(value: Uint8Array, event: string): Removed {
  const document = parseJsonRecord(toText(value))
  if (document !== undefined) {
    const { version, wiped_through: through, ids } = document
    const wipedThrough = toInteger(through)
    const pairs = Array.isArray(ids) ? ids.map(toPair) : [undefined]
    if (version === 1 && wipedThrough !== undefined && pairs.every((pair) => pair !== undefined))
      return { wipedThrough, ids: new Map(pairs) }
  }
  throw new AvisoError(
    'ERR_STORE_PROTOCOL',
    `The store key ${removedKey(event)} does not hold removals: delete it; removed notifications of ${event} are then delivered again`,
  )
}

/** The removals that still matter once history before a revision is compacted. */
export function forgetCompacted({ wipedThrough, ids }: Removed, compacted: Revision): Removed {
  const kept = [...ids].filter(([, revision]) => revision >= compacted && revision > wipedThrough)
  return { wipedThrough, ids: new Map(kept) }
}

function toPair(value: unknown): readonly [bigint, Revision] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined
  const sequence = toInteger(value[0])
  const revision = toInteger(value[1])
  return sequence === undefined || revision === undefined ? undefined : [sequence, revision]
}

function toInteger(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^(?:0|[1-9]\d{0,18})$/.test(value) ? BigInt(value) : undefined
}
