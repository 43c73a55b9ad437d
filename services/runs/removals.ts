/**
 * Reads which products were removed, and tells it.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { lastSequence, readCommit } from '#shared/journal/commits.ts'
import { REMOVED_PREFIX } from '#shared/journal/journal.ts'
import { NOTHING_REMOVED, parseRemoved, removedKey, type Removed } from '#shared/journal/removed.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { RunRemoval } from '#shared/runs/runs.ts'
import type { KeyValue, Revision, Store } from '#shared/store/store.ts'
import { RUN_EVENT } from './run_schema.ts'
import type { RemovalsRead } from './run_store.ts'

/** An operator has wiped event type `run`: everything begins anew, without what was stored before. */
export class RunsWiped extends Error {}

/** What was removed of an event type, and the revision that says so. */
export interface RemovedAt extends Removed {
  readonly revision: Revision
}

/** What is removed `now`, and what was `known` of that; all of it, where that is not known. */
export async function readRemoved(
  store: Store,
  read: RemovalsRead,
  signal: AbortSignal,
): Promise<Readonly<Record<'known' | 'now', ReadonlyMap<string, RemovedAt>>>> {
  const { kvs } = await store.range(prefixRange(REMOVED_PREFIX), { signal })
  const now = new Map<string, RemovedAt>()
  const known = new Map<string, RemovedAt>()
  for (const kv of kvs) {
    const event = toText(kv.key).slice(REMOVED_PREFIX.length)
    const removed = toRemoved(kv, event)
    // It is told where it is followed, and those who listen are told by others.
    if (removed === undefined) continue
    now.set(event, removed)
    const revision = BigInt(read.get(event) ?? kv.modRevision)
    known.set(
      event,
      revision < kv.modRevision ? ((await removedAt(store, event, revision)) ?? removed) : removed,
    )
  }
  return { known, now }
}

/** `undefined` for a value that no version of this service wrote. */
function toRemoved({ value, modRevision }: KeyValue, event: string): RemovedAt | undefined {
  try {
    return { ...parseRemoved(value, event), revision: modRevision }
  } catch (error) {
    if (!isAvisoError(error, 'ERR_STORE_PROTOCOL')) throw error
    return undefined
  }
}

/** The removals as they were at a revision; `undefined`: that is no longer known. */
async function removedAt(store: Store, event: string, revision: Revision): Promise<RemovedAt | undefined> {
  if (revision === 0n) return { ...NOTHING_REMOVED, revision }
  try {
    const [kv] = (await store.range({ key: toBytes(removedKey(event)), revision })).kvs
    return kv === undefined ? undefined : toRemoved(kv, event)
  } catch (error) {
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED', 'ERR_FUTURE_POSITION')) return undefined
    throw error
  }
}

/** What is told of removals. */
export interface RemovalReaders {
  removal(removal: RunRemoval): void
  /** All removals up to this revision have been told. */
  removalsRead(event: string, revision: Revision): void
}

/** What has been told of removals. */
export interface RemovalTeller {
  /** What was removed by now of an event type. */
  readonly of: (event: string) => Removed
  /**
   * Tells what was removed since.
   *
   * @param at When that was, in milliseconds since 1970.
   * @throws {RunsWiped}
   */
  readonly tell: (event: string, now: RemovedAt, at: number) => Promise<void>
}

/** @param removed What need not be told. */
export function createRemovalTeller(
  {
    store,
    schemas,
    events,
  }: { readonly store: Store; readonly schemas: Schemas; readonly events: readonly string[] },
  removed: ReadonlyMap<string, RemovedAt>,
  readers: RemovalReaders,
): RemovalTeller {
  const followed = new Set(events)
  const known = new Map<string, RemovedAt>(removed)

  async function tellRemoved(event: string, now: RemovedAt, at: number): Promise<void> {
    const before = known.get(event) ?? { ...NOTHING_REMOVED, revision: 0n }
    if (now.revision > before.revision) await tellDifference(event, { before, now }, at)
    if (followed.has(event)) readers.removalsRead(event, now.revision)
  }

  async function tellDifference(
    event: string,
    { before, now }: { readonly before: RemovedAt; readonly now: RemovedAt },
    at: number,
  ): Promise<void> {
    known.set(event, now)
    if (event === RUN_EVENT) {
      if (now.wipedThrough > before.wipedThrough) throw new RunsWiped()
      return
    }
    if (!followed.has(event)) return
    if (now.wipedThrough > before.wipedThrough) {
      const commit = await commitAt(store, event, now.wipedThrough)
      if (commit !== undefined) readers.removal({ event, at, sequence: lastSequence(commit) })
    }
    for (const [sequence, revision] of now.ids) {
      if (before.ids.has(sequence)) continue
      const commit = await commitAt(store, event, revision)
      const entry = commit?.batch.events.find(({ seq }) => BigInt(seq) === sequence)
      const fields = entry === undefined ? undefined : schemas.decodeKey(entry.key)?.request
      if (fields !== undefined) readers.removal({ event, at, fields })
    }
  }

  return { of: (event) => known.get(event) ?? NOTHING_REMOVED, tell: tellRemoved }
}

/** `undefined` where it is no longer kept, or damaged, which is told where the journal is read. */
async function commitAt(
  store: Store,
  event: string,
  revision: Revision,
): Promise<Awaited<ReturnType<typeof readCommit>>['commit']> {
  try {
    return (await readCommit({ store, event }, revision)).commit
  } catch (error) {
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED', 'ERR_STORE_PROTOCOL')) return undefined
    throw error
  }
}
