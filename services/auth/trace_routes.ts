/**
 * `GET /api/v1/notifications/{id}/trace`: the way of one notification, from the ingest to the listeners.
 *
 * The journal says who published it and when it was written, as long as history is kept. The exact times and the number of listeners are
 * those that this process has seen, and only for recent notifications.
 *
 * @module
 */

import type { Access, Listener } from '#shared/access/access.ts'
import { costOfRead, type ReadCost } from '#shared/access/quota/read_cost.ts'
import { AvisoError, HistoryCompacted, isAvisoError } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { readSegment } from '#shared/http/query.ts'
import { rateLimitFields } from '#shared/http/rate_limit.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, type Route } from '#shared/http/route.ts'
import { readCommit } from '#shared/journal/commits.ts'
import type { JournalEvent } from '#shared/journal/journal.ts'
import { revisionOfSequence, type NumberPosition } from '#shared/journal/positions.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { NotificationTimes, TraceBook } from '#shared/observe/telemetry/trace_book.ts'

export interface TraceParts {
  readonly clock: Clock
  readonly store: Store
  readonly schemas: Schemas
  readonly access: Pick<Access, 'forListening'>
  readonly traces: TraceBook
}

/** A notification by its number. */
interface NotificationId {
  readonly event: string
  readonly sequence: number
}

/** `event@sequence`, the id in the ingest's answer and in listeners' events. */
const ID = /^([^@/]{1,64})@([1-9]\d{0,14})$/
/** A search in history is about thirty point reads. */
const SEARCH_LIMIT_MS = 10_000

/** The route. */
export function createTraceRoutes(parts: TraceParts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/notifications/:id/trace',
      doc: 'trace',
      generation: 2,
      offers: OFFERS_JSON,
      handle: (request, { requestId, params }) =>
        answer(parts, request, { requestId, id: params['id'] ?? '' }),
    },
  ]
}

async function answer(
  parts: TraceParts,
  request: HandlerRequest,
  { requestId, id }: { readonly requestId: string; readonly id: string },
): Promise<Answer> {
  const { access, schemas, traces } = parts
  const listener = await access.forListening(request)
  const { event, sequence } = parseId(id)
  if (!schemas.events.includes(event)) throw notFound()
  const { revision, entry, at } = await searchWithin(parts, { event, sequence }, listener, request.signal)
  await requireVisible(listener, entry.key)
  const body = {
    id: `${event}@${sequence}`,
    event_type: event,
    sequence: String(sequence),
    revision: revision.toString(),
    key: entry.key,
    traceparent: entry.traceparent ?? null,
    provider: { id: entry.id, source: entry.source, time: entry.time ?? null },
    // When the ingest built the transaction that stored it.
    written_at: at,
    ...timesBody(traces.find(event, sequence)),
  }
  return jsonResponse(200, body, { 'x-request-id': requestId, ...rateLimitFields(listener.readsLeft()) })
}

/** Searches within the time limit. A search is about a dozen reads, so it is charged to the listener, whether it finds something or not. */
async function searchWithin(
  { store, clock }: TraceParts,
  id: NotificationId,
  listener: Listener,
  signal: AbortSignal,
): Promise<Found> {
  const late = (): never => {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The search in the history took too long; try again later')
  }
  const charge = await listener.takeRead()
  const metered = meterReads(store)
  try {
    const search = (searching: AbortSignal): Promise<Found> => findEntry(metered.store, id, searching)
    return await runWithin(search, { clock, ms: SEARCH_LIMIT_MS, signal, late })
  } finally {
    charge(metered.cost())
  }
}

/** A store that adds up what its reads cost. */
function meterReads(store: Store): { readonly store: Store; readonly cost: () => ReadCost } {
  let total: ReadCost = { reads: 0, keys: 0, bytes: 0 }
  const range: Store['range'] = async (request, options) => {
    const result = await store.range(request, options)
    const { reads, keys, bytes } = costOfRead(result)
    total = { reads: total.reads + reads, keys: total.keys + keys, bytes: total.bytes + bytes }
    return result
  }
  return { store: { ...store, range }, cost: () => total }
}

interface Found {
  readonly revision: Revision
  readonly entry: JournalEvent
  /** When the ingest built its commit. */
  readonly at: string
}

/** @throws {AvisoError} `ERR_NOT_FOUND`, `ERR_HISTORY_COMPACTED`. */
async function findEntry(
  store: Store,
  { event, sequence }: NotificationId,
  signal: AbortSignal,
): Promise<Found> {
  const revision = revisionIn(await revisionOfSequence(store, event, BigInt(sequence), { signal }))
  const { commit } = await readCommit({ store, event }, revision, { signal })
  const entry = commit?.batch.events.find(({ seq }) => seq === sequence)
  if (commit === undefined || entry === undefined) throw notFound()
  return { revision, entry, at: commit.batch.at }
}

/** @throws {AvisoError} `ERR_NOT_FOUND`, `ERR_HISTORY_COMPACTED`. */
function revisionIn(position: NumberPosition): Revision {
  switch (position.kind) {
    case 'found':
    // Reading it says what is damaged.
    case 'damaged':
      return position.revision
    case 'future':
    case 'unknown':
      throw notFound()
    case 'compacted':
      throw new HistoryCompacted('This notification is no longer kept in the history', position.revision)
  }
}

/** Answers 404 to a listener that may not see the notification, as if it did not exist. */
async function requireVisible(listener: Listener, key: string): Promise<void> {
  try {
    await listener.grant([{ key: toBytes(key) }], 'refuse')
  } catch (error) {
    throw isAvisoError(error, 'ERR_FORBIDDEN') ? notFound() : error
  }
}

/** @throws {AvisoError} `ERR_BAD_REQUEST`. */
function parseId(text: string): NotificationId {
  const [, event, sequence] = ID.exec(readSegment(text, 'id')) ?? []
  if (event !== undefined && sequence !== undefined) return { event, sequence: Number(sequence) }
  throw new AvisoError('ERR_BAD_REQUEST', 'A notification id is EVENT@NUMBER, as in the answer of the ingest')
}

function timesBody({ acceptedAt, committedAt, seenAt, listeners }: NotificationTimes): object {
  const text = (at: number | undefined): string | null =>
    at === undefined ? null : new Date(at).toISOString()
  return {
    accepted_at: text(acceptedAt),
    committed_at: text(committedAt),
    seen_by_hub_at: text(seenAt),
    listeners: listeners ?? null,
  }
}

function notFound(): AvisoError {
  return new AvisoError('ERR_NOT_FOUND', 'There is no such notification')
}
