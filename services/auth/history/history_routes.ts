/**
 * `GET /api/v1/notifications`: the history of an event type page by page, newest or oldest first. `GET /api/v1/notifications/{id}`: one
 * notification.
 *
 * @module
 */

import { cloudEventText } from '../listen/cloudevent.ts'
import { formatCursor, parseCursor } from '../listen/cursor.ts'
import { authorise, refusal, type Asking, type ListenParts } from '../listen/listen.ts'
import { parseListenQuery } from '../listen/request.ts'
import type { StreamDialect } from '../listen/stream_format.ts'
import { firstNumberFrom, lastNumberUpTo } from './numbers.ts'
import { readPage, type IsRemoved, type HistoryPage, type HistoryPlace, type PageRequest } from './page.ts'
import { takeHistoryQuery, type HistoryQuery } from './request.ts'
import type { Grant, Listener } from '#shared/access/access.ts'
import { contains } from '#shared/access/interval.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError, HistoryCompacted, isAvisoError } from '#shared/errors.ts'
import type { Answer } from '#shared/handler.ts'
import { chooseType } from '#shared/http/accept.ts'
import { answerUnlessKnown } from '#shared/http/conditional.ts'
import { readQuery } from '#shared/http/query.ts'
import { rateLimitFields } from '#shared/http/rate_limit.ts'
import type { Route } from '#shared/http/route.ts'
import type { SharedPositions } from '#shared/journal/positions.ts'
import type { Notification } from '#shared/notification/notification.ts'
import { runWithin } from '#shared/time/deadline.ts'

export interface HistoryParts extends ListenParts {
  /** Finds numbers in the journals of the store. */
  readonly search: Pick<SharedPositions, 'ofSequence'>
  /** Which notifications operators have removed. */
  readonly isRemoved: IsRemoved
}

/** What a page can be, the form that a client gets without a wish first. */
const TYPES = ['application/json', 'application/x-ndjson', 'application/ndjson', 'application/jsonl'] as const
/** A page is read within a second; what takes this long waits for a store that does not answer. */
const READ_LIMIT_MS = 10_000
/**
 * How long a copy of what cannot change may be used. It is not longer, because an operator may remove a notification. It is for the client
 * alone, because others may not see it.
 */
const FIXED = 'private, max-age=3600, immutable'
/** `event@sequence`, the id in the ingest's answer and in listeners' events. */
const ID = /^([^@/]{1,64})@([1-9]\d{0,14})$/
/** There is no stream, so its form does not matter. */
const lines = (): StreamDialect => ({ wire: 'ndjson', strict: false })

/** The routes. They come behind those of `/api/v1/notifications/poll` and `/count`. */
export function createHistoryRoutes(parts: HistoryParts): readonly Route[] {
  const route = (
    { path, doc, offers }: Pick<Route, 'path' | 'doc' | 'offers'>,
    answer: (asking: Asking, listener: Listener, id: string) => Promise<Answer>,
  ): Route => ({
    method: 'GET',
    path,
    doc,
    generation: 2,
    ...(offers !== undefined && { offers }),
    handle: async (request, { requestId, params }) => {
      const asking: Asking = { request, requestId, mode: 'watch' }
      const listener = await parts.access.forListening(request)
      try {
        const answered = await answer(asking, listener, params['id'] ?? '')
        return { ...answered, headers: { ...answered.headers, 'x-request-id': requestId } }
      } catch (error) {
        return refusal(parts, error, asking)
      }
    },
  })
  return [
    route({ path: '/api/v1/notifications', doc: 'history', offers: TYPES }, (asking, listener) =>
      answerPage(parts, asking, listener),
    ),
    route(
      { path: '/api/v1/notifications/:id', doc: 'notification', offers: [TYPES[0]] },
      (asking, listener, id) => answerOne(parts, { asking, listener, id }),
    ),
  ]
}

async function answerPage(parts: HistoryParts, asking: Asking, listener: Listener): Promise<Answer> {
  const { request } = asking
  const { clock } = parts
  const query = readQuery(request.url)
  const wanted = takeHistoryQuery(query, clock.now())
  const { listen, filter, grant } = await authorise(parts, { ...asking, listener, dialect: lines }, () =>
    parseListenQuery(query, null, clock.now()),
  )
  const page = await readWithin(parts, grant, request.signal, async (signal) => {
    const span = await resolveSpan(parts, listen.event, wanted, signal)
    const { order, limit } = wanted
    const isVisible = (key: string): boolean => contains(grant.keys, toBytes(key))
    return { filter, isVisible, order, limit, signal, ...span }
  })
  const answer = pageAnswer(parts, page, request)
  const headers = { ...answer.headers, ...rateLimitFields(grant.left('reads')) }
  const isFixed = isNumbered(wanted, page)
  return isFixed ? answerUnlessKnown(request, { ...answer, headers }, FIXED) : { ...answer, headers }
}

/** Reads a page within the time limit, and charges what it has cost, whether it was read or not. */
async function readWithin(
  parts: HistoryParts,
  right: Pick<Grant, 'takeRead'>,
  signal: AbortSignal,
  prepare: (signal: AbortSignal) => Promise<PageRequest>,
): Promise<HistoryPage> {
  const charge = await right.takeRead()
  let cost = (): Parameters<typeof charge>[0] => ({ reads: 1, keys: 0, bytes: 0 })
  const late = (): never => {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'Reading the history took too long; try again later')
  }
  try {
    return await runWithin(
      async (reading) => {
        const begun = readPage(parts, await prepare(reading))
        cost = begun.cost
        return begun.page
      },
      { clock: parts.clock, ms: READ_LIMIT_MS, signal, late },
    )
  } finally {
    charge(cost())
  }
}

/** The bounds of a page, with dates as numbers. */
async function resolveSpan(
  { positions, epoch }: HistoryParts,
  event: string,
  { from, to, cursor }: HistoryQuery,
  signal: AbortSignal,
): Promise<Pick<PageRequest, 'from' | 'to' | 'place'>> {
  const source = { positions, event, signal }
  return {
    from: from && (await firstNumberFrom(source, from)),
    to: to && (await lastNumberUpTo(source, to)),
    place: cursor === undefined ? undefined : placeOf(cursor, epoch()),
  }
}

/** The place that a cursor names: the one behind which a stream goes on. */
function placeOf(cursor: string, epoch: string): HistoryPlace | undefined {
  const start = parseCursor(cursor, epoch)
  if (start.kind !== 'revision') return undefined
  const { revision, afterIndex } = start
  return afterIndex === undefined ? { revision: revision - 1n } : { revision, index: afterIndex }
}

/** Whether the same request always has the same answer: its numbers are given out, and all of them are kept. */
function isNumbered({ from, to }: HistoryQuery, { newest, isTruncated }: HistoryPage): boolean {
  if (isTruncated || from?.kind !== 'sequence' || to?.kind !== 'sequence') return false
  return from.sequence >= 1n && to.sequence <= BigInt(newest)
}

function pageAnswer(parts: HistoryParts, page: HistoryPage, request: Asking['request']): Answer {
  const { notifications, next, more, looked, isTruncated } = page
  const cursor = next === undefined ? null : formatCursor(parts.epoch(), next)
  const type = chooseType(request.headers.get('accept'), TYPES) ?? TYPES[0]
  const texts = notifications.map((notification) => cloudEventText(notification, parts.baseUrl()))
  const headers = {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    vary: 'Accept, Authorization',
    // As for streams.
    'access-control-allow-origin': '*',
    ...(more && cursor !== null && { link: `<${nextAddress(request.url, cursor)}>; rel="next"` }),
  }
  if (type !== TYPES[0]) return { status: 200, headers, body: texts.map((text) => `${text}\n`).join('') }
  const rest = JSON.stringify({
    cursor,
    more,
    looked:
      looked === undefined
        ? null
        : { first: String(looked.first), last: String(looked.last), count: looked.count },
    ...(isTruncated && { truncated: true }),
  })
  // Written by hand, because payloads have the digits that were published.
  return { status: 200, headers, body: `{"notifications":[${texts.join(',')}],${rest.slice(1)}` }
}

/** The address of the next page: relative, because a proxy may have another name than this service. */
function nextAddress(address: string, cursor: string): string {
  const { pathname, searchParams } = new URL(address)
  searchParams.set('cursor', cursor)
  return `${pathname}?${searchParams}`
}

interface AskingOne {
  readonly asking: Asking
  readonly listener: Listener
  readonly id: string
}

async function answerOne(parts: HistoryParts, { asking, listener, id }: AskingOne): Promise<Answer> {
  const { event, sequence } = parseId(id)
  if (!parts.schemas.events.includes(event)) throw notFound()
  const { request } = asking
  const page = await readWithin(parts, listener, request.signal, async (signal) => ({
    filter: { event, conditions: new Map() },
    // The right is looked for once the key is known.
    isVisible: () => true,
    order: 'oldest',
    limit: 1,
    from: sequence,
    to: sequence,
    signal,
  }))
  const [notification] = page.notifications
  if (notification === undefined) throw page.isTruncated ? lost() : notFound()
  await requireVisible(listener, notification)
  const answer: Answer = {
    status: 200,
    headers: {
      'content-type': TYPES[0],
      'x-content-type-options': 'nosniff',
      vary: 'Accept, Authorization',
      'access-control-allow-origin': '*',
      ...rateLimitFields(listener.readsLeft()),
    },
    body: cloudEventText(notification, parts.baseUrl()),
  }
  return answerUnlessKnown(request, answer, FIXED)
}

/** Answers 404 to a listener that may not see the notification, as if it did not exist. */
async function requireVisible(listener: Listener, { key }: Notification): Promise<void> {
  try {
    await listener.grant([{ key: toBytes(key) }], 'refuse')
  } catch (error) {
    throw isAvisoError(error, 'ERR_FORBIDDEN') ? notFound() : error
  }
}

/** @throws {AvisoError} `ERR_BAD_REQUEST`. */
function parseId(text: string): { readonly event: string; readonly sequence: bigint } {
  const [, event, sequence] = ID.exec(decode(text)) ?? []
  if (event !== undefined && sequence !== undefined) return { event, sequence: BigInt(sequence) }
  throw new AvisoError(
    'ERR_BAD_REQUEST',
    'A notification id is EVENT@NUMBER, as in the answer of the ingest',
    {
      details: { field: 'id' },
    },
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

function lost(): AvisoError {
  return new HistoryCompacted('This notification is no longer kept in the history', undefined)
}

function notFound(): AvisoError {
  return new AvisoError('ERR_NOT_FOUND', 'There is no such notification')
}
