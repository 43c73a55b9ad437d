/**
 * The etcd facade: two of etcd's routes under `/v3/`, read-only, for aviso 1.x clients and etcd tools.
 *
 * @module
 */

import { followedAmong, requireFollowed } from './followed.ts'
import { createHeader, FACADE_METHODS, facadeErrorResponse, rangeMessage } from './messages.ts'
import { parseRangeRequest, readVisible } from './range.ts'
import { createRelayView, readNothing, shownKeys } from './relay.ts'
import { createGatewayFormat, parseWatchRequest } from './watch.ts'
import { aboutStream, type StreamRegistry } from '../streams/registry.ts'
import type { AuthLimits } from '../listen/limits.ts'
import { ageOf, endingOf } from '../listen/stream.ts'
import type { Access, Grant } from '#shared/access/access.ts'
import { costOfRead } from '#shared/access/quota/read_cost.ts'
import { AvisoError, oldestRevisionOf } from '#shared/errors.ts'
import type { Answer, AnswerBody, Handler, HandlerRequest } from '#shared/handler.ts'
import { rateLimitFields, type RateLimitLeft } from '#shared/http/rate_limit.ts'
import { readBody } from '#shared/http/read_body.ts'
import { requestIdOf } from '#shared/http/respond.ts'
import { optionsAnswer, rawPath, type KnownRoute } from '#shared/http/route.ts'
import { toText } from '#shared/bytes/bytes.ts'
import { parseStrictJson, type JsonValue } from '#shared/json/strict_json.ts'
import { toKeyRange } from '#shared/access/interval.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { CallOptions, KeyRange, RangeRequest, RangeResult, Store } from '#shared/store/store.ts'
import { STREAM_ROUTES } from '#shared/observe/metrics/observe_deliveries.ts'
import type { ForeignPosition } from '#shared/observe/metrics/observe_positions.ts'
import type { Clock } from '#shared/time/clock.ts'
import { createTurnGate } from '#shared/time/turn_gate.ts'
import type { Logger } from '#shared/logger.ts'
import type { Hub } from '#shared/hub/hub.ts'

export interface FacadeParts {
  readonly store: Store
  readonly hub: Hub
  readonly access: Pick<Access, 'forListening'>
  readonly schemas: Schemas
  /** The store's epoch. @throws {AvisoError} `ERR_STORE_UNAVAILABLE` while it is not known. */
  readonly epoch: () => string
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly limits: AuthLimits
  /** The open streams, for operators. */
  readonly streams: StreamRegistry
  /** Called for a poll from a revision that this store never had; the client's form has no word for it. */
  readonly onForeignPosition: (code: ForeignPosition, event: string) => void
}

/** Whether the facade answers a path. It also answers unknown paths (404), because etcd's clients read etcd's error form. */
export function isFacadePath(path: string): boolean {
  return path === '/v3' || path.startsWith('/v3/')
}

/** Deeper than `{"create_request":{"filters":[]}}`, so that a request with a wrong field is refused for the field, not for its depth. */
const JSON_LIMITS = { maxDepth: 8, maxNames: 64, maxArray: 64 }

/** Reads answered in one turn of the event loop: some 0.4 ms, which is what a publish beside very many polls waits for in each of its turns. */
const READS_PER_TURN = 4

const RANGE = '/v3/kv/range'
const WATCH = '/v3/watch'

/** What the facade answers. */
export const FACADE_ROUTES: readonly KnownRoute[] = [
  { method: 'POST', path: RANGE, doc: 'etcdRange' },
  { method: 'POST', path: WATCH, doc: 'etcdWatch' },
]

type FacadeRoute = (request: HandlerRequest, requestId: string) => Promise<Answer>

/** Answers every path of {@link isFacadePath}. */
export function createFacade(parts: FacadeParts): Handler {
  const { store, hub, access, epoch, random, logger, schemas, streams } = parts
  const turnToRead = createTurnGate(READS_PER_TURN)
  const routes: ReadonlyMap<string, FacadeRoute> = new Map([
    [RANGE, range],
    [WATCH, watch],
  ])
  return async (request) => {
    const requestId = requestIdOf(request, random)
    try {
      const route = routes.get(rawPath(request.url))
      if (route === undefined) throw new AvisoError('ERR_NOT_FOUND', 'There is nothing at this path')
      if (request.method === 'OPTIONS') return optionsAnswer(FACADE_METHODS)
      if (request.method !== 'POST')
        throw new AvisoError('ERR_METHOD_NOT_ALLOWED', 'This path answers POST only')
      return await route(request, requestId)
    } catch (error) {
      return facadeErrorResponse(error, requestId, logger)
    }
  }

  async function range(request: HandlerRequest, requestId: string): Promise<Answer> {
    await turnToRead()
    const listener = await access.forListening(request)
    const asked = parseRangeRequest(await readMessage(request, parts))
    const granted = await listener.grant([asked], 'narrow')
    const charge = await granted.takeRead()
    const counted = createTally()
    const result = await read(granted, asked, { signal: request.signal, onCounted: counted.add })
    charge(costOfRead(result, counted.sum()))
    if ((asked.minModRevision ?? 0n) > result.revision + 1n)
      parts.onForeignPosition('ERR_FUTURE_POSITION', '/v3')
    const header = createHeader(epoch())(result.revision)
    const body = await rangeMessage(header, result, asked.keysOnly === true)
    return message(requestId, body, granted.left('reads'))
  }

  async function read(grant: Grant, asked: RangeRequest, options: CallOptions): Promise<RangeResult> {
    const shown = shownKeys(grant)
    if (shown.length === 0) return readNothing(store, options)
    if (grant.relay === undefined) return readVisible({ range: readThroughHub }, shown, asked, options)
    const result = await readVisible(store, shown, asked, options)
    return { ...result, kvs: result.kvs.map(createRelayView(grant.relay, schemas.roots).keyValue) }
  }

  /** A poll that finds nothing new does not reach the store. */
  function readThroughHub(request: RangeRequest, options?: CallOptions): Promise<RangeResult> {
    return hub.read(request, () => store.range(request, options))
  }

  async function watch(request: HandlerRequest, requestId: string): Promise<Answer> {
    const listener = await access.forListening(request)
    const { range: asked, from } = parseWatchRequest(await readMessage(request, parts))
    const grant = await listener.grant([asked], 'narrow')
    const { keys, relay } = grant
    const followed = followedAmong(keys, schemas.roots)
    if (relay === undefined) requireFollowed(followed, schemas.roots)
    const view = relay && createRelayView(relay, schemas.roots)
    const format = createGatewayFormat(epoch(), from, view)
    const place = await grant.takePlace({ requestId })
    try {
      const selection = {
        kind: 'ranges',
        ranges: followed.map(toKeyRange),
        ...(relay !== undefined && { relayed: relay.keys.map(toKeyRange) }),
      } as const
      const asks = describeKeys(asked)
      const entry = streams.prepare(
        aboutStream({ request, listener, requestId }, { asks, route: STREAM_ROUTES.ranges }),
      )
      const onGone = (): void => {
        place.leave()
        entry.remove()
      }
      const subscription = await hub.subscribe({ selection, from, format, ...ageOf(parts, grant), onGone })
      entry.add(subscription)
      place.hold(endingOf(subscription))
      return message(requestId, subscription.body, grant.left('opens'))
    } catch (error) {
      place.leave()
      const ended = canceledMessages(error)
      if (ended === undefined) throw error
      return message(requestId, ended)
    }
  }

  /** Reports in the stream that the start is no longer kept. etcd does the same, and its clients read only the stream. */
  function canceledMessages(error: unknown): string | undefined {
    const oldest = oldestRevisionOf(error)
    if (oldest === undefined) return undefined
    const header = createHeader(epoch())(hub.status().revision)
    const created = { result: { header, created: true } }
    const canceled = { result: { header, canceled: true, compact_revision: oldest.toString() } }
    return `${JSON.stringify(created)}\n${JSON.stringify(canceled)}\n`
  }
}

/** Adds up the keys that the store counts for an answer. One from the hub's memory, and a count that the store remembers, add nothing. */
function createTally(): { readonly add: (keys: number) => void; readonly sum: () => number } {
  let sum = 0
  return {
    add: (keys) => {
      sum += keys
    },
    sum: () => sum,
  }
}

function describeKeys({ key, end }: KeyRange): string {
  return end === undefined ? toText(key) : `${toText(key)}…${toText(end)}`
}

async function readMessage(request: HandlerRequest, { clock, limits }: FacadeParts): Promise<JsonValue> {
  const { bodyBytes: limitBytes, bodyTimeoutMs: timeoutMs } = limits
  const bytes = await readBody(request, { limitBytes, timeoutMs, clock })
  // The text of the 1.x service.
  if (bytes.length === 0) throw new AvisoError('ERR_BAD_REQUEST', 'Invalid request, data cannot be empty')
  return parseStrictJson(bytes, JSON_LIMITS)
}

function message(requestId: string, body: AnswerBody, left?: RateLimitLeft): Answer {
  return {
    status: 200,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'x-request-id': requestId,
      ...rateLimitFields(left),
    },
    body,
  }
}
