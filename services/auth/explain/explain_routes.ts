/**
 * `POST /api/v1/explain`: what listeners would have got of a span of history, and why they did not get the rest. Nothing is delivered and
 * nothing runs.
 *
 * @module
 */

import { createHistoryReads } from '../history/reads.ts'
import { readPage, type IsRemoved } from '../history/page.ts'
import { cloudEventText } from '../listen/cloudevent.ts'
import { compileFilter } from '../listen/filter.ts'
import { refusal, type ListenParts } from '../listen/listen.ts'
import { lookThrough, type Looked } from './look_through.ts'
import { parseExplainBody, type ExplainRequest } from './request.ts'
import { createTally, HOUR_MS, type Candidate, type Tally, type TallyResult } from './tally.ts'
import type { Listener } from '#shared/access/access.ts'
import {
  contains,
  covers,
  normalise,
  subtract,
  toInterval,
  type IntervalSet,
} from '#shared/access/interval.ts'
import type { ReadCost } from '#shared/access/quota/read_cost.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { HistoryCompacted, isAvisoError, type AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { rateLimitFields } from '#shared/http/rate_limit.ts'
import { readBody } from '#shared/http/read_body.ts'
import { jsonResponse, jsonText, wireCode } from '#shared/http/respond.ts'
import type { Route } from '#shared/http/route.ts'
import type { SharedPositions } from '#shared/journal/positions.ts'
import type { NotificationFilter } from '#shared/notification/notification.ts'

export interface ExplainParts extends ListenParts {
  /** Finds numbers in the journals of the store. */
  readonly search: Pick<SharedPositions, 'ofSequence'>
  /** Which notifications operators have removed. */
  readonly isRemoved: IsRemoved
}

/** A file of listeners with many values. */
const BODY_BYTES = 64 * 1024
/** Keys that policy cuts, which are told. */
const MOST_CUT = 20

/** The route. */
export function createExplainRoutes(parts: ExplainParts): readonly Route[] {
  const { clock, limits } = parts
  return [
    {
      method: 'POST',
      path: '/api/v1/explain',
      doc: 'explain',
      generation: 2,
      handle: async (request, { requestId }) => {
        const listener = await parts.access.forListening(request)
        try {
          const reading = { limitBytes: BODY_BYTES, timeoutMs: limits.bodyTimeoutMs, clock }
          const asked = parseExplainBody(await readBody(request, reading), clock.now())
          const body = await explain(parts, { asked, listener, request })
          const headers = { 'x-request-id': requestId, ...rateLimitFields(listener.readsLeft()) }
          return { ...jsonResponse(200, {}, headers), body }
        } catch (error) {
          return refusal(parts, error, { request, requestId, mode: 'watch' })
        }
      },
    },
  ]
}

/** A listener that can be explained, or the reason why not. */
type Explained =
  | {
      readonly kind: 'listener'
      readonly filter: NotificationFilter
      readonly identifier: Readonly<Record<string, unknown>>
      readonly tally: Tally
      readonly isVisible: (key: string) => boolean
      readonly policy: object
    }
  | { readonly kind: 'refused'; readonly event: string; readonly error: AvisoError }

/** Listeners that are looked at together, because they are of one event type. */
interface Seen {
  readonly looked: Looked | undefined
  readonly isTruncated: boolean
  readonly count: number
  readonly first: Candidate | undefined
  readonly last: Candidate | undefined
  /** Visible notifications by hour since 1970. */
  readonly hours: ReadonlyMap<number, number>
}

interface Asked {
  readonly asked: ExplainRequest
  readonly listener: Listener
  readonly request: HandlerRequest
}

async function explain(parts: ExplainParts, { asked, listener, request }: Asked): Promise<string> {
  const charge = await listener.takeRead()
  const cost = { reads: 0, keys: 0, bytes: 0 }
  const add = (more: ReadCost): void => {
    cost.reads += more.reads
    cost.keys += more.keys
    cost.bytes += more.bytes
  }
  try {
    const explained = await Promise.all(asked.listeners.map((one) => prepare(parts, one, listener)))
    const seen = new Map<string, Seen>()
    // One after another, so that a request takes its turns once.
    for (const event of new Set(
      explained.flatMap((one) => (one.kind === 'listener' ? [one.filter.event] : [])),
    ))
      seen.set(event, await see(parts, { event, asked, explained, request, listener, add }))
    const listeners: string[] = []
    for (const one of explained) listeners.push(await describe(parts, one, { seen, request, add }))
    return `{"from":"${iso(asked.from)}","to":"${iso(asked.to)}","listeners":[${listeners.join(',')}]}`
  } finally {
    charge(cost)
  }
}

async function prepare(
  { schemas }: ExplainParts,
  { event, identifier }: ExplainRequest['listeners'][number],
  listener: Listener,
): Promise<Explained> {
  try {
    const schema = schemas.require(event)
    const filter = compileFilter(schema, identifier)
    const bases = schema.baseKeys(filter).map(prefixRange)
    const visible = await listener.visible(bases)
    return {
      kind: 'listener',
      filter,
      identifier,
      tally: createTally(filter.conditions),
      isVisible: (key) => contains(visible, toBytes(key)),
      policy: describePolicy(normalise(bases.map(toInterval)), visible),
    }
  } catch (error) {
    if (!isAvisoError(error, 'ERR_BAD_REQUEST', 'ERR_UNKNOWN_EVENT')) throw error
    return { kind: 'refused', event, error }
  }
}

/** What policy leaves of what a listener asks for. A stream of a part is refused, so this is the first thing to mend. */
function describePolicy(asked: IntervalSet, visible: IntervalSet): object {
  if (covers(visible, asked)) return { visible: 'all' }
  const cut = subtract(asked, visible).map(({ start }) => toText(start))
  return {
    visible: visible.length === 0 ? 'none' : 'part',
    cut: cut.slice(0, MOST_CUT),
    ...(cut.length > MOST_CUT && { more: true }),
  }
}

interface Seeing extends Asked {
  readonly event: string
  readonly explained: readonly Explained[]
  readonly add: (cost: ReadCost) => void
}

/** Looks through the span of an event type for all of its listeners. */
async function see(parts: ExplainParts, seeing: Seeing): Promise<Seen> {
  const { event, asked, explained, request, listener, add } = seeing
  const { store, hub, schemas, clock, isRemoved } = parts
  const { signal } = request
  const own = explained.filter((one) => one.kind === 'listener' && one.filter.event === event)
  // What others publish is counted beside it, as far as the listener may see it: a near miss may lie outside of what was asked for.
  const visible = await listener.visible([prefixRange(schemas.rootOf(event) ?? '')])
  const reads = createHistoryReads({ store, hub, event }, signal)
  const newest = await reads.at()
  add(reads.cost())
  const begin = await startOf(parts, event, asked, signal)
  const hours = new Map<number, number>()
  let count = 0
  let first: Candidate | undefined
  let last: Candidate | undefined
  const nothing: Seen = { looked: undefined, isTruncated: begin.isTruncated, count, first, last, hours }
  if (newest === undefined || begin.revision > newest.revision || visible.length === 0) return nothing
  const span = {
    store,
    event,
    from: begin.revision,
    through: newest.revision,
    until: asked.to,
    clock,
    signal,
  }
  const looked = await lookThrough(span, ({ revision, batch }) => {
    const at = Date.parse(batch.at)
    if (at < asked.from) return
    const hour = Math.floor(at / HOUR_MS)
    for (const { key, seq, fields } of batch.events) {
      if (!contains(visible, toBytes(key)) || isRemoved({ event, revision, sequence: BigInt(seq) })) continue
      const decoded = schemas.decodeKey(key)
      if (decoded?.event !== event) continue
      const candidate = { request: { ...decoded.request, ...fields }, sequence: seq, at }
      count++
      first ??= candidate
      last = candidate
      hours.set(hour, (hours.get(hour) ?? 0) + 1)
      for (const one of own) if (one.kind === 'listener') one.tally.add(candidate)
    }
  })
  add(looked.cost)
  return { looked, isTruncated: begin.isTruncated, count, first, last, hours }
}

/** Where the span begins in the store's history, or the oldest that is kept. */
async function startOf(
  { positions }: ExplainParts,
  event: string,
  { from }: ExplainRequest,
  signal: AbortSignal,
): Promise<{ readonly revision: bigint; readonly isTruncated: boolean }> {
  try {
    const { revision } = await positions.start(event, { kind: 'date', at: from, text: '' }, { signal })
    return { revision, isTruncated: false }
  } catch (error) {
    if (!(error instanceof HistoryCompacted)) throw error
    return { revision: error.oldest ?? 1n, isTruncated: true }
  }
}

interface Describing {
  readonly seen: ReadonlyMap<string, Seen>
  readonly request: HandlerRequest
  readonly add: (cost: ReadCost) => void
}

async function describe(
  parts: ExplainParts,
  explained: Explained,
  { seen, request, add }: Describing,
): Promise<string> {
  if (explained.kind === 'refused') {
    const { event, error } = explained
    const { field } = error.details
    const code = wireCode(error, 2)
    return jsonText({
      event_type: event,
      error: { message: error.message, code, ...(field !== undefined && { field }) },
    })
  }
  const { filter, identifier, tally, policy } = explained
  const result = tally.result()
  const of = seen.get(filter.event)
  const newest = await newestOf(parts, explained, { result, request, add })
  const rest = jsonText({
    event_type: filter.event,
    request: identifier,
    policy,
    looked: describeLooked(filter.event, of),
    matched: result.matched,
    first: describeOne(filter.event, result.first),
    last: describeOne(filter.event, result.last),
    hours: [...(of?.hours ?? [])].map(([hour, published]) => ({
      hour: iso(hour * HOUR_MS),
      published,
      matched: result.hours.get(hour) ?? 0,
    })),
    near_misses: result.nearMisses.map(({ field, excluded, instead, isCut }) => ({
      field,
      excluded,
      asked: identifier[field] ?? null,
      instead: instead.map(([value, count]) => ({ value, count })),
      ...(isCut && { more: true }),
    })),
  })
  // Written by hand, because a payload has the digits that were published.
  return `${rest.slice(0, -1)},"newest":${newest ?? 'null'}}`
}

function describeLooked(event: string, seen: Seen | undefined): object {
  return {
    count: seen?.count ?? 0,
    first: describeOne(event, seen?.first),
    last: describeOne(event, seen?.last),
    complete: seen?.looked?.isComplete ?? true,
    ...(seen?.isTruncated === true && { truncated: true }),
  }
}

function describeOne(event: string, candidate: Candidate | undefined): object | null {
  if (candidate === undefined) return null
  return { id: `${event}@${candidate.sequence}`, time: iso(candidate.at) }
}

/** The newest match, as a listener gets it: what its triggers would be given. */
async function newestOf(
  parts: ExplainParts,
  { filter, isVisible }: Extract<Explained, { kind: 'listener' }>,
  { result, request, add }: Pick<Describing, 'request' | 'add'> & { readonly result: TallyResult },
): Promise<string | null> {
  if (result.last === undefined) return null
  const number = BigInt(result.last.sequence)
  const { page, cost } = readPage(parts, {
    filter,
    isVisible,
    order: 'oldest',
    limit: 1,
    from: number,
    to: number,
    signal: request.signal,
  })
  try {
    const [notification] = (await page).notifications
    return notification === undefined ? null : cloudEventText(notification, parts.baseUrl())
  } finally {
    add(cost())
  }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
