/**
 * Reads and writes the history of time marks (revisions with the time when they were written) in the store. A write succeeds only when
 * the writer has read the latest state.
 *
 * @module
 */

import {
  NO_HISTORY,
  HISTORY_KEY,
  encodeHistory,
  parseHistory,
  type MarkHistory,
} from '#shared/retention/mark_history.ts'
import { parseLegacyHistory } from '#shared/retention/legacy_history.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { CallOptions, Compare, Revision, Store } from '#shared/store/store.ts'

/** The history, with the revisions that guard its next write. */
export interface ReadHistory {
  readonly history: MarkHistory
  /** The store's revision at that moment. */
  readonly head: Revision
  /** Revision of the history's key, or 0n when it does not exist: the guard of the next write. */
  readonly guard: Revision
}

/**
 * Reads the history, or takes over the history of aviso 1.x when ours does not exist yet.
 *
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that is not a history, and what the store throws.
 */
export async function readHistory(
  store: Store,
  legacyKey: string,
  options?: CallOptions,
): Promise<ReadHistory> {
  const { kvs, revision } = await store.range({ key: toBytes(HISTORY_KEY) }, options)
  const [kv] = kvs
  if (kv !== undefined) return { history: parseHistory(kv.value), head: revision, guard: kv.modRevision }
  const legacy = await store.range({ key: toBytes(legacyKey) }, options)
  const marks = parseLegacyHistory(legacy.kvs[0]?.value ?? new Uint8Array(), legacy.revision)
  return { history: { ...NO_HISTORY, marks }, head: legacy.revision, guard: 0n }
}

/**
 * Writes the history if it has not changed since it was read.
 *
 * @param fence Further guards of the write.
 * @returns `true` when the history was written, `false` when a guard failed
 */
export async function writeHistory(
  store: Store,
  { guard }: Pick<ReadHistory, 'guard'>,
  { history, fence }: { readonly history: MarkHistory; readonly fence: readonly Compare[] },
  options?: CallOptions,
): Promise<boolean> {
  const key = toBytes(HISTORY_KEY)
  const request = {
    compare: [{ key, target: 'MOD', result: 'EQUAL', value: guard } as const, ...fence],
    success: [{ kind: 'put', key, value: encodeHistory(history) } as const],
  }
  return (await store.txn(request, options)).succeeded
}
