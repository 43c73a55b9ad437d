/**
 * Deletes one notification: its key, if that was not written again, and its entry in the history that listeners can replay.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { readCommit } from '#shared/journal/commits.ts'
import { revisionOfSequence } from '#shared/journal/positions.ts'
import { MAX_REMOVED_IDS, forgetCompacted } from '#shared/journal/removed.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { CallOptions, Compare, Revision, Store, StoreOperation } from '#shared/store/store.ts'
import type { NotificationId } from './event_names.ts'
import { readHistory } from './jobs/history_store.ts'
import { CAS_ATTEMPTS } from './jobs/limits.ts'
import { putRemoved, readRemoved } from './jobs/removed_store.ts'
import { LEGACY_HISTORY_KEY } from '#shared/retention/legacy_history.ts'

/** The notification that was deleted. */
export interface RemovedNotification {
  readonly key: string
  readonly revision: Revision
  /** Whether the key was deleted; `false` when it was written again or is gone. */
  readonly wasLive: boolean
}

/**
 * Deletes a notification.
 *
 * @throws {AvisoError} `ERR_NOT_FOUND` when it was never stored, was deleted, or is older than the history; `ERR_TOO_LARGE` when too many
 *   of its event type were deleted one by one; `ERR_CONFLICT` when other admins keep removing some; and what the store throws.
 */
export async function removeNotification(
  store: Store,
  id: NotificationId,
  options?: CallOptions,
): Promise<RemovedNotification> {
  const { key, revision } = await locate(store, id, options)
  const { history } = await readHistory(store, LEGACY_HISTORY_KEY, options)
  for (let attempt = 0; attempt < CAS_ATTEMPTS; attempt++) {
    const read = await readRemoved(store, id.event, options)
    if (read.removed.ids.has(id.sequence) || revision <= read.removed.wipedThrough) throw notFound(id)
    const kept = forgetCompacted(read.removed, history.compacted)
    if (kept.ids.size >= MAX_REMOVED_IDS) {
      throw new AvisoError(
        'ERR_TOO_LARGE',
        `${MAX_REMOVED_IDS} notifications of ${id.event} were deleted one by one already: wipe the stream instead`,
      )
    }
    const removed = { ...kept, ids: new Map([...kept.ids, [id.sequence, revision]]) }
    const live = await readLive(store, key, revision, options)
    const { succeeded } = await store.txn(
      {
        compare: [read.guard, ...(live.guard === undefined ? [] : [live.guard])],
        success: [putRemoved(id.event, removed), ...live.deletions],
      },
      options,
    )
    if (succeeded) return { key, revision, wasLive: live.deletions.length > 0 }
  }
  throw new AvisoError(
    'ERR_CONFLICT',
    'Other admins keep removing notifications of this event type: try again',
  )
}

/** The deletion of the key and its guard. Both are absent when the key has changed since this notification wrote it. */
async function readLive(
  store: Store,
  text: string,
  revision: Revision,
  options?: CallOptions,
): Promise<{ readonly guard?: Compare; readonly deletions: readonly StoreOperation[] }> {
  const key = toBytes(text)
  const [kv] = (await store.range({ key, keysOnly: true }, options)).kvs
  // The key was written again, and that is another notification.
  if (kv?.modRevision !== revision) return { deletions: [] }
  return {
    guard: { key, target: 'MOD', result: 'EQUAL', value: revision },
    deletions: [{ kind: 'delete', range: { key } }],
  }
}

/** The key of a notification, and the revision of the commit that stored it, from the journal. */
async function locate(
  store: Store,
  id: NotificationId,
  options?: CallOptions,
): Promise<{ readonly key: string; readonly revision: Revision }> {
  const position = await revisionOfSequence(store, id.event, id.sequence, options)
  if (position.kind !== 'found') throw notFound(id)
  const { commit } = await readCommit({ store, event: id.event }, position.revision, options)
  const entry = commit?.batch.events.find(({ seq }) => BigInt(seq) === id.sequence)
  if (commit === undefined || entry === undefined) throw notFound(id)
  return { key: entry.key, revision: commit.revision }
}

function notFound({ event, sequence }: NotificationId): AvisoError {
  return new AvisoError(
    'ERR_NOT_FOUND',
    `There is no notification ${event}@${sequence}: it was never stored, was deleted, or is older than the history that is kept`,
  )
}
