/**
 * `GET /api/v1/notifications/count`: how many notifications a stream from a place has to go through until now. It costs a search in the journal,
 * however many they are, so a client can say what it is about to do.
 *
 * @module
 */

import { authorise, refusal, type Asking, type ListenParts } from './listen.ts'
import { parseListenQuery } from './request.ts'
import { resolveStart, type HistoryStart } from './start.ts'
import type { StreamDialect } from './stream_format.ts'
import { oldestRevisionOf } from '#shared/errors.ts'
import type { Answer } from '#shared/handler.ts'
import { readQuery } from '#shared/http/query.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import type { Route } from '#shared/http/route.ts'
import { lastSequence, readCommit } from '#shared/journal/commits.ts'
import { lastElsewhereIn, NUMBERS_PER_EPOCH } from '#shared/publish/numbers.ts'

/** What a search costs the listener's quota: about as many reads as revisions have binary digits, each of one key. */
export const SEARCH_COST = { reads: 24, keys: 24, bytes: 24 * 256 }
const BLOCK = BigInt(NUMBERS_PER_EPOCH)
/** There is no stream, so its form does not matter. */
const lines = (): StreamDialect => ({ wire: 'ndjson', strict: false })

/** The route. */
export function createCountRoutes(parts: ListenParts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/notifications/count',
      doc: 'count',
      generation: 2,
      handle: (request, { requestId }) => answer(parts, { request, requestId, mode: 'watch' }),
    },
  ]
}

async function answer(parts: ListenParts, asking: Asking): Promise<Answer> {
  const { request, requestId } = asking
  const listener = await parts.access.forListening(request)
  try {
    const { listen, grant } = await authorise(parts, { ...asking, listener, dialect: lines }, () =>
      parseListenQuery(readQuery(request.url), null, parts.clock.now()),
    )
    const charge = await grant.takeRead()
    charge(SEARCH_COST)
    const { event } = listen
    const { signal } = request
    const { commit } = await readCommit({ store: parts.store, event }, undefined, { signal })
    const last = commit === undefined ? 0n : BigInt(lastSequence(commit))
    const from = await resolveStart(listen.start, {
      event,
      signal,
      positions: parts.positions,
      epoch: parts.epoch(),
    })
    const before = from.kind === 'live' ? last : await numberBefore(parts, event, { from, signal })
    const body = {
      event_type: event,
      last: String(last),
      count: before === undefined ? null : between(before, last, lastElsewhereIn(parts.firstNumbers)(event)),
    }
    return jsonResponse(200, body, { 'x-request-id': requestId, 'access-control-allow-origin': '*' })
  } catch (error) {
    return refusal(parts, error, asking)
  }
}

/** The last number that a stream leaves out; `undefined` where that is no longer kept. */
async function numberBefore(
  { positions }: ListenParts,
  event: string,
  { from, signal }: { readonly from: HistoryStart; readonly signal: AbortSignal },
): Promise<bigint | undefined> {
  const start = from.revision > 1n ? from : await oldest()
  if (start.revision <= 1n) return 0n
  // What is kept begins with a revision that cannot be looked behind.
  const before =
    (await positions.sequenceAt(event, start.revision - 1n, { signal })) ??
    (await positions.sequenceAt(event, start.revision, { signal }))
  if (before === undefined || start.afterIndex === undefined) return before
  return before + BigInt(start.afterIndex) + 1n

  async function oldest(): Promise<HistoryStart> {
    try {
      return await positions.start(event, { kind: 'sequence', sequence: 1n }, { signal })
    } catch (error) {
      const revision = oldestRevisionOf(error)
      if (revision === undefined) throw error
      return { kind: 'revision', revision }
    }
  }
}

/**
 * Numbers after one up to another. After a store was replaced they go on in the next block, so the others of the old block were never given
 * out.
 *
 * @param before 0n: from the beginning.
 * @param lastElsewhere The last number that another server gave out before this one, where numbers go on from it.
 */
export function between(before: bigint, last: bigint, lastElsewhere = 0n): number {
  const from = before === 0n && last > lastElsewhere ? lastElsewhere : before
  const start = from / BLOCK === last / BLOCK ? from : (last / BLOCK) * BLOCK
  return Number(last > start ? last - start : 0n)
}
