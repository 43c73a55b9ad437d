/**
 * `GET /api/v1/events`: the event types that somebody may listen to, what came last, how much came, and which values their fields had.
 * `GET /api/v1/me`: who asks, what they may do, and which part of the configuration says so.
 *
 * @module
 */

import { between, SEARCH_COST } from '../listen/count.ts'
import { refusal, type ListenParts } from '../listen/listen.ts'
import { firstNumberFrom } from './numbers.ts'
import { createHistoryReads, type HistoryCommit, type HistoryReads } from './reads.ts'
import { refuse, take } from './request.ts'
import { rightsBody } from './rights_body.ts'
import { walkBack } from './walk.ts'
import type { IsRemoved } from './page.ts'
import type { Listener, OwnRights } from '#shared/access/access.ts'
import type { ReadCost } from '#shared/access/quota/read_cost.ts'
import { contains, covers, toInterval, type IntervalSet } from '#shared/access/interval.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { readQuery } from '#shared/http/query.ts'
import { rateLimitFields } from '#shared/http/rate_limit.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, type Route } from '#shared/http/route.ts'
import { lastSequence } from '#shared/journal/commits.ts'
import { lastElsewhereIn } from '#shared/publish/numbers.ts'
import { runWithin } from '#shared/time/deadline.ts'

export interface EventParts extends ListenParts {
  /** Which notifications operators have removed. */
  readonly isRemoved: IsRemoved
}

/** The newest notifications that are looked at for what fields have: two rounds of reads where each has its own commit. */
const MOST_RECENT = 200
/** Values of a field that are told. A list that a person reads is shorter. */
const MOST_VALUES = 50
/** Spans of the rates, in milliseconds. */
const SPANS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
const READ_LIMIT_MS = 10_000

/** A notification as the journal names it. */
interface Recent {
  readonly sequence: number
  readonly revision: bigint
  readonly key: string
  /** Milliseconds since 1970, and as text. */
  readonly at: number
  readonly time: string
}

/** The newest notifications of an event type, newest first. */
interface RecentList {
  /** The newest commit: with another one, the list is read again. */
  readonly revision: bigint
  readonly last: number
  readonly list: readonly Recent[]
  /** Whether these are all that are kept. */
  readonly isAll: boolean
}

/** The routes. */
export function createEventRoutes(parts: EventParts): readonly Route[] {
  const lists = new Map<string, RecentList>()
  const roots = new Map(parts.schemas.events.map((event) => [event, parts.schemas.rootOf(event) ?? '']))
  const route = (
    { path, doc }: Pick<Route, 'path' | 'doc'>,
    answer: (request: HandlerRequest, listener: Listener) => Promise<object>,
  ): Route => ({
    method: 'GET',
    path,
    doc,
    generation: 2,
    offers: OFFERS_JSON,
    handle: async (request, { requestId }) => {
      const listener = await parts.access.forListening(request)
      try {
        const body = await answer(request, listener)
        const headers = { 'x-request-id': requestId, vary: 'Authorization' }
        return jsonResponse(200, body, { ...headers, ...rateLimitFields(listener.readsLeft()) })
      } catch (error) {
        return refusal(parts, error, { request, requestId, mode: 'watch' })
      }
    },
  })
  return [
    route({ path: '/api/v1/events', doc: 'events' }, (request, listener) =>
      listEvents(parts, { lists, roots, request, listener }),
    ),
    route({ path: '/api/v1/me', doc: 'me' }, async (_request, listener) =>
      toSelf(await listener.explain(roots)),
    ),
  ]
}

function toSelf(rights: OwnRights): object {
  const { user, endsAt } = rights
  const ends = endsAt === undefined ? null : new Date(endsAt).toISOString()
  return { user: user ?? null, ends_at: ends, ...rightsBody(rights) }
}

interface Listing {
  readonly lists: Map<string, RecentList>
  readonly roots: ReadonlyMap<string, string>
  readonly request: HandlerRequest
  readonly listener: Listener
}

/** @throws {AvisoError} `ERR_BAD_REQUEST`, `ERR_TOO_MANY_REQUESTS`, the store's error. */
async function listEvents(parts: EventParts, { lists, roots, request, listener }: Listing): Promise<object> {
  const only = readOnly(parts, request)
  const charge = await listener.takeRead()
  const metered: (() => ReadCost)[] = []
  const late = (): never => {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'Reading the journals took too long; try again later')
  }
  try {
    const events = await runWithin(
      async (signal) => {
        const described: object[] = []
        for (const [event, root] of [...roots].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
          if (only !== undefined && event !== only) continue
          const visible = await listener.visible([prefixRange(root)])
          if (visible.length === 0) continue
          const reads = createHistoryReads({ ...parts, event }, signal)
          metered.push(reads.cost)
          const isWhole = covers(visible, [toInterval(prefixRange(root))])
          // The three searches for rates share most of their reads with others.
          if (isWhole) metered.push(() => SEARCH_COST)
          const recent = await readRecent(reads, lists)
          described.push(await describe(parts, { event, visible, isWhole, recent, signal }))
        }
        return described
      },
      { clock: parts.clock, ms: READ_LIMIT_MS, signal: request.signal, late },
    )
    return { events, now: new Date(parts.clock.now()).toISOString() }
  } finally {
    charge(sumOf(metered.map((cost) => cost())))
  }
}

function sumOf(costs: readonly ReadCost[]): ReadCost {
  const sum = { reads: 0, keys: 0, bytes: 0 }
  for (const { reads, keys, bytes } of costs) {
    sum.reads += reads
    sum.keys += keys
    sum.bytes += bytes
  }
  return sum
}

function readOnly({ schemas }: EventParts, request: HandlerRequest): string | undefined {
  const query = readQuery(request.url)
  const event = take(query, 'event')
  const [unknown] = query.keys()
  if (unknown !== undefined) throw refuse('The only query parameter here is event', unknown.slice(0, 64))
  return event === undefined ? undefined : schemas.require(event).event
}

/** The newest notifications; read again only where there is a newer one. */
async function readRecent(
  reads: HistoryReads,
  lists: Map<string, RecentList>,
): Promise<RecentList | undefined> {
  const newest = await reads.at()
  if (newest === undefined) return undefined
  const known = lists.get(reads.event)
  if (known?.revision === newest.revision) return known
  const list: Recent[] = []
  let isAll = true
  for await (const commit of walkBack(reads, newest, MOST_RECENT)) {
    list.push(...recentIn(commit))
    isAll = list.length < MOST_RECENT
    if (!isAll) break
  }
  const read = { revision: newest.revision, last: lastSequence(newest), list, isAll }
  lists.set(reads.event, read)
  return read
}

function recentIn({ revision, batch }: HistoryCommit): readonly Recent[] {
  const at = Date.parse(batch.at)
  return batch.events
    .map(({ key, seq }) => ({ sequence: seq, revision, key, at, time: batch.at }))
    .toReversed()
}

interface Describing {
  readonly event: string
  readonly visible: IntervalSet
  /** Whether the listener may see all of the event type. */
  readonly isWhole: boolean
  readonly recent: RecentList | undefined
  readonly signal: AbortSignal
}

async function describe(parts: EventParts, describing: Describing): Promise<object> {
  const { event, visible, isWhole, recent } = describing
  const { schemas, isRemoved } = parts
  const own = (recent?.list ?? []).filter(
    ({ key, revision, sequence }) =>
      contains(visible, toBytes(key)) && !isRemoved({ event, revision, sequence: BigInt(sequence) }),
  )
  const [newest] = own
  return {
    event_type: event,
    whole: isWhole,
    last:
      newest === undefined
        ? null
        : { id: `${event}@${newest.sequence}`, sequence: String(newest.sequence), time: newest.time },
    published: await countSpans(parts, describing, own),
    fields: describeFields(
      schemas.require(event).fields,
      own.map(({ key }) => schemas.decodeKey(key)?.request ?? {}),
    ),
    looked: own.length,
  }
}

/** How many came in each span; `null` where that is not known without looking at more. */
async function countSpans(
  { positions, clock, firstNumbers }: EventParts,
  { event, isWhole, recent, signal }: Describing,
  own: readonly Recent[],
): Promise<Readonly<Record<string, number | null>>> {
  const now = clock.now()
  const counted = Object.entries(SPANS).map(async ([name, ms]): Promise<[string, number | null]> => {
    const since = now - ms
    if (recent === undefined) return [name, 0]
    const reaches = recent.isAll || (recent.list.at(-1)?.at ?? now) < since
    if (reaches) return [name, own.filter(({ at }) => at >= since).length]
    // Numbers count what others published, too.
    if (!isWhole) return [name, null]
    const place = { kind: 'date', at: since, text: '' } as const
    const first = await firstNumberFrom({ positions, event, signal }, place)
    const elsewhere = lastElsewhereIn(firstNumbers)(event)
    return [name, first === undefined ? null : between(first - 1n, BigInt(recent.last), elsewhere)]
  })
  return Object.fromEntries(await Promise.all(counted))
}

function describeFields(
  names: readonly string[],
  requests: readonly Readonly<Record<string, string>>[],
): Readonly<Record<string, object>> {
  return Object.fromEntries(
    names.map((name) => {
      const counts = new Map<string, number>()
      for (const { [name]: value } of requests)
        if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1)
      const values = [...counts].toSorted(([, a], [, b]) => b - a).map(([value, count]) => ({ value, count }))
      return [name, { values: values.slice(0, MOST_VALUES), more: values.length > MOST_VALUES }]
    }),
  )
}
