/**
 * Reads of one event type's journal and of the notifications that it names, each at its own revision. They add up what they cost.
 *
 * Flow: store → journal → **history** → listener
 *
 * @module
 */

import type { ReadCost } from '#shared/access/quota/read_cost.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { toCommit, type JournalCommit } from '#shared/journal/commits.ts'
import { journalKey } from '#shared/journal/journal.ts'
import type { Hub } from '#shared/hub/hub.ts'
import type { KeyValue, RangeRequest, Revision, Store } from '#shared/store/store.ts'

/** A commit of the journal, with the key and value that it was read from. */
export interface HistoryCommit extends JournalCommit {
  readonly kv: KeyValue
}

/** Reads for one request. */
export interface HistoryReads {
  readonly event: string
  /** The newest commit at a revision (absent: now); `undefined` before the first. @throws {AvisoError} The store's error. */
  at(revision?: Revision): Promise<HistoryCommit | undefined>
  /** The same; `lost` where that revision is no longer kept. */
  atKept(revision: Revision): Promise<HistoryCommit | 'lost' | undefined>
  /** A notification as its commit stored it; `lost` where that revision is no longer kept. */
  value(key: string, revision: Revision): Promise<KeyValue | 'lost'>
  /** What was read so far. */
  cost(): ReadCost
}

/** Where history is read. */
export interface HistorySource {
  readonly store: Store
  /** Holds the newest notifications, so that their values are not read again. */
  readonly hub: Pick<Hub, 'read'>
}

/** @param signal Ends the reads. */
export function createHistoryReads(
  { store, hub, event }: HistorySource & { readonly event: string },
  signal: AbortSignal,
): HistoryReads {
  const journal = toBytes(journalKey(event))
  let reads = 0
  let keys = 0
  let bytes = 0

  async function read(key: Uint8Array, revision: Revision | undefined): Promise<KeyValue | undefined> {
    reads++
    const request: RangeRequest = { key, ...(revision !== undefined && { revision }) }
    const { kvs } = await hub.read(request, () => store.range(request, { signal }))
    const [kv] = kvs
    keys += kvs.length
    bytes += kv === undefined ? 0 : kv.key.length + kv.value.length
    return kv
  }
  async function at(revision?: Revision): Promise<HistoryCommit | undefined> {
    const kv = await read(journal, revision)
    return kv === undefined ? undefined : { ...toCommit({ event }, kv), kv }
  }
  return {
    event,
    at,
    atKept: (revision) => orLost(at(revision)),
    value: (key, revision) => orLost(read(toBytes(key), revision).then(required)),
    cost: () => ({ reads, keys, bytes }),
  }
}

async function orLost<Value>(reading: Promise<Value>): Promise<Value | 'lost'> {
  try {
    return await reading
  } catch (error) {
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return 'lost'
    throw error
  }
}

/** A commit stores each notification that its journal names, in one transaction. */
function required(kv: KeyValue | undefined): KeyValue {
  if (kv !== undefined) return kv
  throw new AvisoError(
    'ERR_STORE_PROTOCOL',
    'The store lacks a notification that its journal names; try again later',
  )
}
