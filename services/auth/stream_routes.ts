/**
 * `GET /api/v1/admin/streams`: the open streams of this process, whose they are and how far behind. `DELETE /api/v1/admin/streams/{id}` ends
 * one; its client may come back.
 *
 * Each process answers for its own streams, and says which process it is.
 *
 * @module
 */

import { between } from './listen/count.ts'
import { formatCursor } from './listen/cursor.ts'
import { createHistoryReads, type HistoryCommit } from './history/reads.ts'
import { refuse, take, takeLimit } from './history/request.ts'
import type { OpenStream, StreamRegistry } from './streams/registry.ts'
import type { Access } from '#shared/access/access.ts'
import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { refuseForeignPages } from '#shared/http/foreign_pages.ts'
import { readQuery } from '#shared/http/query.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, type Route } from '#shared/http/route.ts'
import type { Hub, StreamState } from '#shared/hub/hub.ts'
import { lastSequence } from '#shared/journal/commits.ts'
import type { Logger } from '#shared/logger.ts'
import { lastElsewhereIn, type FirstNumbers } from '#shared/publish/numbers.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'

export interface StreamRoutesParts {
  readonly access: Pick<Access, 'forAdministration'>
  readonly streams: StreamRegistry
  readonly hub: Pick<Hub, 'status' | 'read'>
  readonly store: Store
  /** The store's epoch. @throws {AvisoError} `ERR_STORE_UNAVAILABLE` while it is not known. */
  readonly epoch: () => string
  readonly clock: Clock
  readonly logger: Logger
  /** Default: none, every event type begins with 1. */
  readonly firstNumbers?: FirstNumbers
}

/** A page that a client without a wish gets, and the largest. */
const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000
/** Places of streams that are looked up in the journal for one page. Others are told by revision alone. */
const MOST_LOOKUPS = 100
const READ_LIMIT_MS = 10_000
const SORTS = ['since', 'behind'] as const
/** `instance-number`. */
const ID = /^([\w]{1,64})-(\d{1,15})$/

/** The routes. */
export function createStreamRoutes(parts: StreamRoutesParts): readonly Route[] {
  const path = '/api/v1/admin/streams'
  return [
    {
      method: 'GET',
      path,
      doc: 'streams',
      generation: 2,
      offers: OFFERS_JSON,
      handle: async (request, { requestId }) => {
        await parts.access.forAdministration(request)
        refuseForeignPages(request)
        return jsonResponse(200, await listStreams(parts, request), { 'x-request-id': requestId })
      },
    },
    {
      method: 'DELETE',
      path: `${path}/:id`,
      doc: 'endStream',
      generation: 2,
      handle: async (request, { requestId, params }) => {
        const { name: who } = await parts.access.forAdministration(request)
        refuseForeignPages(request)
        const id = params['id'] ?? ''
        const stream = find(parts.streams, id)
        stream.end()
        parts.logger('info', 'An operator has ended a stream', { who, of: stream.who, stream: id })
        return jsonResponse(200, { success: true, id, request_id: requestId }, { 'x-request-id': requestId })
      },
    },
  ]
}

/** @throws {AvisoError} `ERR_NOT_FOUND`, `ERR_BAD_REQUEST`. */
function find({ instance, get }: StreamRegistry, id: string): OpenStream {
  const [, of, number] = ID.exec(id) ?? []
  if (of === undefined) throw refuse('The id of a stream is INSTANCE-NUMBER, as in the list of streams', 'id')
  if (of !== instance)
    throw new AvisoError('ERR_NOT_FOUND', 'The stream is of another process than this one: ask that one', {
      details: { instance },
    })
  const stream = get(Number(number))
  if (stream === undefined)
    throw new AvisoError('ERR_NOT_FOUND', 'There is no such stream; it may have ended')
  return stream
}

/** What an operator asks for. */
interface Wanted {
  readonly limit: number
  readonly sort: (typeof SORTS)[number]
  readonly event: string | undefined
  readonly who: string | undefined
  /** Only streams with a greater number. */
  readonly after: number
}

function readWanted(request: HandlerRequest): Wanted {
  const query = readQuery(request.url)
  const limit = takeLimit(query, { standard: DEFAULT_LIMIT, most: MAX_LIMIT })
  const order = take(query, 'sort') ?? 'since'
  const sort = SORTS.find((name) => name === order)
  if (sort === undefined) throw refuse(`Query parameter 'sort' must be one of ${SORTS.join(', ')}`, 'sort')
  const cursor = take(query, 'cursor') ?? '0'
  if (!/^\d{1,15}$/.test(cursor))
    throw refuse("Query parameter 'cursor' is not one that this service gave out", 'cursor')
  const wanted = { limit, sort, after: Number(cursor), event: take(query, 'event'), who: take(query, 'who') }
  const [unknown] = query.keys()
  if (unknown === undefined) return wanted
  throw refuse('Query parameters here are limit, sort, cursor, event and who', unknown.slice(0, 64))
}

/** A stream and how it is just now. */
interface Seen {
  readonly stream: OpenStream
  readonly state: StreamState
  readonly behind: Revision
}

async function listStreams(parts: StreamRoutesParts, request: HandlerRequest): Promise<object> {
  const { streams, hub, clock } = parts
  const { limit, sort, event, who, after } = readWanted(request)
  const { revision } = hub.status()
  const all = Array.from(streams.list()).filter(
    (stream) => (event === undefined || stream.event === event) && (who === undefined || stream.who === who),
  )
  const see = (stream: OpenStream): Seen => {
    const state = stream.look()
    const { position } = state
    return { stream, state, behind: position.revision < revision ? revision - position.revision : 0n }
  }
  const rest = all.filter(({ number }) => number > after)
  const page =
    sort === 'since'
      ? rest.slice(0, limit).map(see)
      : rest
          .map(see)
          .toSorted((a, b) => Number(b.behind - a.behind))
          .slice(0, limit)
  const late = (): never => {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'Looking up positions took too long; try again later')
  }
  const lags = await runWithin((signal) => lookUp(parts, page, signal), {
    clock,
    ms: READ_LIMIT_MS,
    signal: request.signal,
    late,
  })
  const last = page.at(-1)?.stream.number
  // Sorted by what changes, a list has no place to go on from.
  const isMore = sort === 'since' && page.length < rest.length && last !== undefined
  return {
    instance: streams.instance,
    total: all.length,
    streams: page.map((seen) => describe(parts, seen, lags)),
    cursor: isMore ? String(last) : null,
  }
}

/** How far a stream is behind: notifications of its event type, and seconds between the newest and the last that it has. */
interface Lag {
  readonly notifications: number
  /** `null`: it has nothing yet. */
  readonly seconds: number | null
}

const NO_LAG: Lag = { notifications: 0, seconds: 0 }

/** Lags by {@link placeKey}; a place that is not looked up is missing. */
type Lags = ReadonlyMap<string, Lag>

function placeKey(event: string, { position }: StreamState): string {
  return `${event} ${position.revision}`
}

/** Looks up places of streams that are behind, each once. */
async function lookUp(
  { store, hub, firstNumbers }: StreamRoutesParts,
  page: readonly Seen[],
  signal: AbortSignal,
): Promise<Lags> {
  const lastElsewhere = lastElsewhereIn(firstNumbers)
  const lags = new Map<string, Lag>()
  const newest = new Map<string, Promise<HistoryCommit | undefined>>()
  const lookups: Promise<void>[] = []
  const seen = new Set<string>()
  for (const { stream, state, behind } of page) {
    const { event } = stream
    const { revision } = state.position
    if (event === undefined || behind === 0n) continue
    const key = placeKey(event, state)
    if (seen.has(key) || seen.size >= MOST_LOOKUPS) continue
    seen.add(key)
    const reads = createHistoryReads({ store, hub, event }, signal)
    const last = newest.get(event) ?? reads.at()
    newest.set(event, last)
    lookups.push(
      Promise.all([last, revision < 1n ? undefined : reads.atKept(revision)]).then(([to, from]) => {
        if (from !== 'lost') lags.set(key, lagBetween(from, to, lastElsewhere(event)))
      }),
    )
  }
  await Promise.all(lookups)
  return lags
}

function lagBetween(
  from: HistoryCommit | undefined,
  to: HistoryCommit | undefined,
  lastElsewhere: bigint,
): Lag {
  if (to === undefined) return NO_LAG
  const before = from === undefined ? 0n : BigInt(lastSequence(from))
  const ms = from === undefined ? undefined : Date.parse(to.batch.at) - Date.parse(from.batch.at)
  return {
    notifications: between(before, BigInt(lastSequence(to)), lastElsewhere),
    seconds: ms === undefined ? null : Math.max(0, ms) / 1000,
  }
}

function describe(
  { streams, epoch, clock }: StreamRoutesParts,
  { stream, state, behind }: Seen,
  lags: Lags,
): object {
  const { position, isCatchingUp, parkedMs, bytes } = state
  const { number, who, address, client, event, asks, since, requestId } = stream
  const lag = behind === 0n ? NO_LAG : event === undefined ? undefined : lags.get(placeKey(event, state))
  return {
    id: `${streams.instance}-${number}`,
    who,
    address: address ?? null,
    client: client ?? null,
    event_type: event ?? null,
    request: asks,
    request_id: requestId,
    since: new Date(since).toISOString(),
    age_seconds: Math.max(0, Math.round((clock.now() - since) / 1000)),
    state: parkedMs > 0 ? 'parked' : isCatchingUp ? 'catching_up' : 'live',
    parked_seconds: Math.round(parkedMs / 100) / 10,
    position: position.revision < 1n ? null : formatCursor(epoch(), position),
    behind: {
      revisions: String(behind),
      notifications: lag?.notifications ?? null,
      seconds: lag?.seconds ?? null,
    },
    bytes,
    bytes_per_second: Math.round(stream.rate()),
  }
}
