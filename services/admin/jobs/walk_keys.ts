/**
 * Reads the keys of a range in byte order, page by page, without delaying writers.
 *
 * A store counts all keys of a range before it answers. A million keys take a tenth of a second, in which it takes no write. So the walk
 * asks for ranges of few pages: the keys that share as long a prefix as those of the last page did. When such a range holds few keys or
 * none, the next range has a shorter prefix.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { END_OF_KEYS, compareBytes, isEndOfKeys, nextKey, prefixEnd } from '#shared/bytes/bytes.ts'
import type { KeyRange, KeyValue, RangeRequest, RangeResult, Store } from '#shared/store/store.ts'
import { LARGE_VALUE_KEYS, PAGE_KEYS, RANGE_PAGES, VALUE_PAGE_KEYS } from './limits.ts'
import type { Pacer } from './pacer.ts'

/** The key to go on from; `undefined`: the first key behind the page. */
export type NextKey = Uint8Array | undefined

export interface WalkParts {
  readonly store: Store
  readonly pacer: Pacer
  readonly signal: AbortSignal
  /** Whether to read the values, too. */
  readonly withValues?: boolean
  /** Keys of the first page, and of the largest. Default: {@link PAGE_KEYS}, or {@link VALUE_PAGE_KEYS}. */
  readonly pages?: { readonly first: number; readonly most: number }
}

/**
 * Calls `visit` with every key of a range, page by page. The visitor may skip ahead.
 *
 * @throws {AvisoError} What the store and the visitor throw.
 */
export async function walkKeys(
  parts: WalkParts,
  range: Required<KeyRange>,
  visit: (kvs: readonly KeyValue[]) => Promise<NextKey>,
): Promise<void> {
  const { withValues = false, pages = withValues ? VALUE_PAGE_KEYS : PAGE_KEYS } = parts
  let from = range.key
  let limit: number = pages.first
  /** How many bytes the keys of the next range share with `from`; the whole range at first. */
  let shared = 0
  while (!isBehind(from, range)) {
    const end = narrower(from, shared, range.end)
    const { kvs, count } = await readPage(parts, { key: from, end, limit, keysOnly: !withValues })
    const next = kvs.length === 0 ? undefined : await visit(kvs)
    const last = kvs.at(-1)
    if (next !== undefined) {
      if (isEndOfKeys(next)) return
      from = next
      limit = pages.first
      shared = Math.min(shared, from.length)
      continue
    }
    limit = Math.min(limit * 2, pages.most)
    if (last === undefined || BigInt(kvs.length) >= count) {
      if (compareBytes(end, range.end) === 0) return
      from = end
      const isSparse = Number(count) < pages.most / 4
      shared = Math.max(Math.min(shared, from.length) - (isSparse ? 1 : 0), 0)
    } else {
      from = nextKey(last.key)
      if (count <= BigInt(RANGE_PAGES * pages.most)) continue
      const [first] = kvs
      const common = first === undefined ? 0 : sharedBytes(first.key, last.key)
      shared = Math.min(Math.max(common, shared) + 1, last.key.length)
    }
  }
}

async function readPage({ store, pacer, signal }: WalkParts, request: RangeRequest): Promise<RangeResult> {
  try {
    return await pacer.run(() => store.range(request, { signal }))
  } catch (error) {
    const { limit = 0, keysOnly } = request
    // The adapter reports an answer larger than its limit as a protocol error, so try again with a small page.
    if (!isAvisoError(error, 'ERR_STORE_PROTOCOL') || keysOnly === true || limit <= LARGE_VALUE_KEYS)
      throw error
    return pacer.run(() => store.range({ ...request, limit: LARGE_VALUE_KEYS }, { signal }))
  }
}

/** The end of the keys that share their first `shared` bytes with `from`, or the end of the range if that comes first. */
function narrower(from: Uint8Array, shared: number, end: Uint8Array): Uint8Array {
  const own = shared === 0 ? END_OF_KEYS : prefixEnd(from.slice(0, shared))
  if (isEndOfKeys(own)) return end
  return isEndOfKeys(end) || compareBytes(own, end) < 0 ? own : end
}

function isBehind(key: Uint8Array, { key: start, end }: KeyRange & { readonly end: Uint8Array }): boolean {
  return compareBytes(key, start) < 0 || (!isEndOfKeys(end) && compareBytes(key, end) >= 0)
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  let index = 0
  while (index < a.length && index < b.length && a[index] === b[index]) index++
  return index
}
