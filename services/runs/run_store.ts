/**
 * What the service of runs keeps in the store: runs, and from where the journal must be read to know what they lack.
 *
 * | key | value |
 * |---|---|
 * | `/_aviso/runs/holder` | which instance publishes |
 * | `/_aviso/runs/bookmark` | a {@link Bookmark}, `news_since` and `removed`, as JSON |
 * | `/_aviso/runs/run/ID` | a run: each finished one, and an open one as it was some time ago |
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import { parseRemoved, removedKey } from '#shared/journal/removed.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { isJsonRecord, parseJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import type { Bookmark, StoredRun } from '#shared/runs/runs.ts'
import type { Compare, KeyRange, Revision, Store, StoreOperation } from '#shared/store/store.ts'
import { RUNS_LIMITS } from './limits.ts'
import { RUN_EVENT } from './run_schema.ts'

/** Prefix of the keys. */
export const RUNS_PREFIX = `${INTERNAL_PREFIX}runs/`
const BOOKMARK_KEY = toBytes(`${RUNS_PREFIX}bookmark`)
const RUN_PREFIX = `${RUNS_PREFIX}run/`

/** Event type → the revision of its removals that is in what is stored; 0: there were none. An event type that is not there: it is not known. */
export type RemovalsRead = ReadonlyMap<string, number>

/** What is read back at a start. */
export interface RestoredRuns {
  readonly stored: readonly string[]
  readonly bookmark: Bookmark | undefined
  /** What happened before is not published, in milliseconds since 1970; absent: no instance has ever followed runs here. */
  readonly newsSince: number | undefined
  /** Whether no instance has ever followed runs here. After event type `run` was wiped, that is not so. */
  readonly isFirst: boolean
  readonly removed: RemovalsRead
  /** Ids of stored runs that are forgotten, because an operator has wiped event type `run` since they were stored. */
  readonly wiped: readonly string[]
}

/** @throws {AvisoError} The store's error. */
export async function readRuns(store: Store, signal: AbortSignal): Promise<RestoredRuns> {
  const wipedThrough = await readWiped(store, signal)
  const [kv] = (await store.range({ key: BOOKMARK_KEY }, { signal })).kvs
  const isKept = kv !== undefined && kv.modRevision > wipedThrough
  const record = isKept ? parseJsonRecord(toText(kv.value)) : undefined
  const newsSince = record?.['news_since']
  const stored: string[] = []
  const wiped: string[] = []
  let range: KeyRange | undefined = prefixRange(RUN_PREFIX)
  while (range !== undefined) {
    const { kvs, more } = await store.range({ ...range, limit: RUNS_LIMITS.perRead }, { signal })
    for (const { key, value, modRevision } of kvs) {
      if (modRevision > wipedThrough) stored.push(toText(value))
      else wiped.push(toText(key).slice(RUN_PREFIX.length))
    }
    const last = kvs.at(-1)
    range = more && last !== undefined ? { ...range, key: toBytes(`${toText(last.key)}\0`) } : undefined
  }
  return {
    stored,
    bookmark: record === undefined ? undefined : toBookmark(record),
    newsSince: typeof newsSince === 'number' ? newsSince : undefined,
    isFirst: kv === undefined && wipedThrough === 0n,
    removed: toRemovals(record?.['removed']),
    wiped,
  }
}

async function readWiped(store: Store, signal: AbortSignal): Promise<Revision> {
  const [kv] = (await store.range({ key: toBytes(removedKey(RUN_EVENT)) }, { signal })).kvs
  try {
    return kv === undefined ? 0n : parseRemoved(kv.value, RUN_EVENT).wipedThrough
  } catch (error) {
    if (!isAvisoError(error, 'ERR_STORE_PROTOCOL')) throw error
    return 0n
  }
}

/** @returns `undefined` for what is no bookmark: the journal is then read from its beginning. */
function toBookmark({ since, events }: JsonRecord): Bookmark | undefined {
  if (typeof since !== 'number' || typeof events !== 'object' || events === null) return undefined
  const places = Object.entries(events).flatMap(([event, place]: [string, unknown]) => {
    const { sequence, at } = Object(place) as { readonly sequence?: unknown; readonly at?: unknown }
    return typeof sequence === 'number' && typeof at === 'number' ? [[event, { sequence, at }] as const] : []
  })
  return { since, events: Object.fromEntries(places) }
}

function toRemovals(removed: unknown): RemovalsRead {
  if (!isJsonRecord(removed)) return new Map()
  const pairs = Object.entries(removed).flatMap(([event, revision]) =>
    typeof revision === 'number' && Number.isSafeInteger(revision) && revision >= 0
      ? [[event, revision] as const]
      : [],
  )
  return new Map(pairs)
}

/** What is to be written. */
export interface RunsToStore {
  /** Id → text; `null`: delete it. What is written is taken out. */
  readonly changed: Map<string, string | null>
  readonly bookmark: Bookmark
  readonly newsSince: number
  readonly removed: RemovalsRead
}

/**
 * Writes runs, and with the last of them the bookmark. Each write is a commit, which publishing waits for.
 *
 * @param fence Guards of every write.
 * @returns `false` where a guard did not hold: another instance writes
 * @throws {AvisoError} The store's error. Writing again is safe.
 */
export async function writeRuns(
  store: Store,
  { changed, bookmark, newsSince, removed }: RunsToStore,
  fence: readonly Compare[],
): Promise<boolean> {
  const text = JSON.stringify({ ...bookmark, news_since: newsSince, removed: Object.fromEntries(removed) })
  const last: StoreOperation = { kind: 'put', key: BOOKMARK_KEY, value: toBytes(text) }
  for (;;) {
    const part = partOf(changed)
    const isLast = part.length === changed.size
    const success = [...part.map(toOperation), ...(isLast ? [last] : [])]
    if (!(await store.txn({ compare: fence, success })).succeeded) return false
    // What has changed meanwhile is written again.
    for (const { id, text: written } of part) if (changed.get(id) === written) changed.delete(id)
    if (isLast) return true
  }
}

function partOf(changed: ReadonlyMap<string, string | null>): readonly StoredRun[] {
  const part: StoredRun[] = []
  let bytes = 0
  for (const [id, text] of changed) {
    bytes += id.length + (text?.length ?? 0)
    if (part.length > 0 && (part.length >= RUNS_LIMITS.perWrite || bytes > RUNS_LIMITS.writeBytes)) break
    part.push({ id, text })
  }
  return part
}

function toOperation({ id, text }: StoredRun): StoreOperation {
  const key = toBytes(RUN_PREFIX + id)
  return text === null ? { kind: 'delete', range: { key } } : { kind: 'put', key, value: toBytes(text) }
}
