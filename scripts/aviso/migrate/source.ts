/**
 * Reads a whole store: its state at the oldest revision that can be read, then revision by revision up to its head.
 *
 * @module
 */

import { END_OF_KEYS, nextKey } from '#shared/bytes/bytes.ts'
import { AvisoError, oldestRevisionOf } from '#shared/errors.ts'
import type { KeyRange, KeyValue, Revision, Store, StoreEvent } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'

/** Keys of one page: with the largest values that an ingest takes, half of the largest answer. */
const PAGE_KEYS = 256
/** Keys of one page without values. */
const NAME_PAGE_KEYS = 5_000
/** Keys whose values are read at once. */
const READ_KEYS = 100
/** Longest silence of a source whose history has not come to its head. */
const SILENCE_MS = 60_000

const EVERYTHING: Required<KeyRange> = { key: new Uint8Array([0]), end: END_OF_KEYS }

/** The ends of a store's history. */
export interface SourceBounds {
  /** Oldest revision that can be read, where something was compacted; 0n: nothing was. */
  readonly base: Revision
  readonly head: Revision
}

/** All writes of one revision. */
export interface SourceRevision {
  readonly revision: Revision
  readonly events: readonly StoreEvent[]
}

/** Finds the ends of the history. */
export async function boundsOf(store: Store): Promise<SourceBounds> {
  const { revision: head } = await store.status()
  try {
    for await (const { kind } of store.watch({ ...EVERYTHING, from: 1n }))
      if (kind !== 'created' || head < 2n) break
    return { base: 0n, head }
  } catch (error) {
    const base = oldestRevisionOf(error)
    if (base === undefined) throw error
    return { base, head }
  }
}

/** The keys at a revision, in pages in the order of keys. */
export async function* keysAt(
  store: Store,
  revision: Revision,
  { keysOnly = false }: { readonly keysOnly?: boolean } = {},
): AsyncGenerator<readonly KeyValue[]> {
  let { key } = EVERYTHING
  for (;;) {
    const limit = keysOnly ? NAME_PAGE_KEYS : PAGE_KEYS
    const { kvs, more } = await store.range({ key, end: END_OF_KEYS, revision, limit, keysOnly })
    if (kvs.length > 0) yield kvs
    const last = kvs.at(-1)
    if (!more || last === undefined) return
    key = nextKey(last.key)
  }
}

/** The keys at a revision, with those of one last write together, the oldest write first. Names are kept in memory, values are not. */
export async function* writesAt(store: Store, revision: Revision): AsyncGenerator<SourceRevision> {
  const names: Pick<KeyValue, 'key' | 'modRevision'>[] = []
  for await (const page of keysAt(store, revision, { keysOnly: true }))
    for (const { key, modRevision } of page) names.push({ key, modRevision })
  names.sort((a, b) => (a.modRevision < b.modRevision ? -1 : a.modRevision > b.modRevision ? 1 : 0))
  let open: KeyValue[] = []
  for (let at = 0; at < names.length; at += READ_KEYS) {
    for (const kv of await readKeys(store, revision, names.slice(at, at + READ_KEYS))) {
      const before = open[0]?.modRevision
      if (before !== undefined && before !== kv.modRevision) {
        yield toWrites(before, open)
        open = []
      }
      open.push(kv)
    }
  }
  const [first] = open
  if (first !== undefined) yield toWrites(first.modRevision, open)
}

async function readKeys(
  store: Store,
  revision: Revision,
  names: readonly Pick<KeyValue, 'key'>[],
): Promise<readonly KeyValue[]> {
  const success = names.map(({ key }) => ({ kind: 'range', range: { key, revision } }) as const)
  const { results } = await store.txn({ compare: [], success })
  return results.flatMap((result) => (result.kind === 'range' ? result.result.kvs : []))
}

function toWrites(revision: Revision, kvs: readonly KeyValue[]): SourceRevision {
  return { revision, events: kvs.map((kv) => ({ kind: 'put', kv })) }
}

/** The revisions behind the base, up to and including the head. */
export async function* revisionsOf(
  store: Store,
  { base, head }: SourceBounds,
): AsyncGenerator<SourceRevision> {
  if (head <= base || head < 2n) return
  const messages = store.watch({ ...EVERYTHING, from: base + 1n })[Symbol.asyncIterator]()
  const late = (): never => {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The source is silent: look at it, and begin again')
  }
  try {
    for (;;) {
      const next = await within(messages.next(), { clock: systemClock, ms: SILENCE_MS, late })
      if (next.done === true) return
      const message = next.value
      if (message.kind === 'revision' && message.revision <= head) yield message
      if (message.kind !== 'created' && message.revision >= head) return
    }
  } finally {
    await messages.return?.()
  }
}
