/**
 * Opens the stream that a listener asks for. It finds where the stream starts and ends, and reports when that history is no longer kept.
 *
 * Flow: store → hub → **auth** → listener
 *
 * @module
 */

import type { StreamAbout, StreamEntry, StreamRegistry } from '../streams/registry.ts'
import type { AuthLimits } from './limits.ts'
import type { ListenMode, ListenRequest } from './request.ts'
import { isFromTheBeginning, resolveStart, type Positions } from './start.ts'
import { createStreamFormat, type StreamDialect } from './stream_format.ts'
import type { Grant, StreamPlace } from '#shared/access/access.ts'
import { isAvisoError, oldestRevisionOf } from '#shared/errors.ts'
import type { AnswerBody } from '#shared/handler.ts'
import { journalKey } from '#shared/journal/journal.ts'
import type { NotificationFilter } from '#shared/notification/notification.ts'
import { joinBytes, toBytes } from '#shared/bytes/bytes.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { ForeignPosition } from '#shared/observe/metrics/observe_positions.ts'
import type { Clock } from '#shared/time/clock.ts'
import type {
  EndReason,
  Hub,
  StartPosition,
  StreamFormat,
  SubscribeRequest,
  Subscription,
} from '#shared/hub/hub.ts'

export interface StreamParts {
  readonly store: Store
  readonly hub: Hub
  readonly positions: Positions
  /** The store's epoch. @throws {AvisoError} `ERR_STORE_UNAVAILABLE` while it is not known. */
  readonly epoch: () => string
  readonly clock: Clock
  readonly baseUrl: () => string
  readonly limits: AuthLimits
  /** Called for a position that this store never gave out. */
  readonly onForeignPosition: (code: ForeignPosition, event: string) => void
  /** The open streams, for operators. */
  readonly streams: StreamRegistry
}

/** A parsed and authorised request for a stream. */
export interface Listening {
  readonly mode: ListenMode
  readonly requestId: string
  readonly signal: AbortSignal
  readonly dialect: StreamDialect
  readonly listen: ListenRequest
  readonly filter: NotificationFilter
  /** Most notifications of history, where the event type has a limit. */
  readonly historyLimit?: number | undefined
  /** Base keys that the filter can match. */
  readonly bases: readonly string[]
  /** The right to see all of these keys. */
  readonly grant: Grant
  /** Whose stream it is, for operators. */
  readonly about: StreamAbout
}

/** The end of a replay. */
interface ReplayEnd {
  readonly until: Revision
  /** Number of its last notification, if the client has set the end. The client sends the same end again after a disconnection. */
  readonly sequence: bigint | undefined
}

/** The start and the end of a stream, found in the store's history. */
interface Span {
  readonly from: StartPosition
  readonly end: ReplayEnd | undefined
  /** Whether the client asked for everything, and a part of it is no longer kept. */
  readonly isTruncated: boolean
}

/** How often to start again at the oldest kept revision, when a request for everything finds it compacted. Compaction is rare. */
const MAX_OLDEST_ATTEMPTS = 3

/** Where a listener of another store can begin here: the whole history is another one. */
const WHOLE_HISTORY = 1n

/** Most keys to read for the end of history. A request that covers more asks the store for its head instead. */
const MAX_STATUS_READS = 16

/**
 * Opens a stream. @returns its body.
 *
 * @throws {AvisoError} `ERR_HISTORY_COMPACTED` unless the dialect reports it in the stream, and the errors of the hub and the store.
 */
export async function openStream(parts: StreamParts, listening: Listening): Promise<AnswerBody> {
  const epoch = parts.epoch()
  const { listen, signal, dialect, grant, requestId } = listening
  const { event, start } = listen
  const place = await grant.takePlace({ requestId, event })
  try {
    const end = await resolveEnd(parts, listening)
    const from = await resolveStart(start, { event, positions: parts.positions, epoch, signal })
    return await subscribe(parts, { ...listening, place }, { from, end, isTruncated: false })
  } catch (error) {
    place.leave()
    if (isAvisoError(error, 'ERR_EPOCH_CHANGED', 'ERR_FUTURE_POSITION')) {
      parts.onForeignPosition(error.code as ForeignPosition, event)
    }
    const oldest = isAvisoError(error, 'ERR_EPOCH_CHANGED') ? WHOLE_HISTORY : oldestRevisionOf(error)
    if (oldest === undefined || !dialect.strict) throw error
    const from = { kind: 'revision', revision: oldest } as const
    return compactedStream(formatOf(parts, listening, { from, end: undefined, isTruncated: false }), oldest)
  }
}

/** The longest life of a stream, and why it ends then: the right to it may end before the service's own limit. */
export function ageOf(
  { limits, clock }: Pick<StreamParts, 'limits' | 'clock'>,
  { endsAt = Infinity }: Grant,
): Required<Pick<SubscribeRequest, 'maxAgeSeconds' | 'ageReason'>> {
  const leftSeconds = Math.max(1, Math.ceil((endsAt - clock.now()) / 1000))
  return leftSeconds < limits.maxAgeSeconds
    ? { maxAgeSeconds: leftSeconds, ageReason: 'auth_expired' }
    : { maxAgeSeconds: limits.maxAgeSeconds, ageReason: 'max_age' }
}

async function subscribe(
  parts: StreamParts,
  listening: Listening & { readonly place: StreamPlace },
  found: Span,
): Promise<AnswerBody> {
  const { grant, place } = listening
  const age = ageOf(parts, grant)
  const selection = { kind: 'notifications', filter: listening.filter } as const
  let span = found
  for (let attempt = 1; ; attempt++) {
    const { from, end } = span
    const format = formatOf(parts, listening, span)
    if (end !== undefined && from.kind === 'revision' && from.revision > end.until) {
      place.leave()
      return emptyReplay(format, end.until)
    }
    try {
      const entry = parts.streams.prepare(listening.about)
      const onGone = leaving(place, entry)
      const { historyLimit } = listening
      const request = { selection, from, format, historyLimit, ...age, onGone }
      const bounded = end === undefined ? request : { ...request, until: end.until }
      const subscription = await parts.hub.subscribe(bounded)
      entry.add(subscription)
      place.hold(endingOf(subscription))
      return subscription.body
    } catch (error) {
      const oldest = oldestRevisionOf(error)
      const isOver = !isFromTheBeginning(listening.listen.start) || attempt === MAX_OLDEST_ATTEMPTS
      if (oldest === undefined || isOver) throw error
      span = { end, from: { kind: 'revision', revision: oldest }, isTruncated: true }
    }
  }
}

/** What ends a stream. It is made outside of an asynchronous function, whose variables it would keep. */
export function endingOf(subscription: Subscription): (reason: EndReason) => void {
  return (reason) => subscription.end(reason)
}

/** What a stream does at its end. It is made here, so that the stream keeps nothing else of its request. */
function leaving(place: StreamPlace, entry: StreamEntry): () => void {
  return () => {
    place.leave()
    entry.remove()
  }
}

/** Finds the end of a replay. It is read before the start, so that notifications published in between are not part of the replay. */
async function resolveEnd(parts: StreamParts, listening: Listening): Promise<ReplayEnd | undefined> {
  const { mode, signal } = listening
  const { event, end } = listening.listen
  if (mode === 'watch') return undefined
  const newest = await readNewest(parts.store, listening)
  if (end === undefined) return { until: newest, sequence: undefined }
  const found = await parts.positions.end(event, end, { signal })
  const until = found === undefined || found > newest ? newest : found
  // A commit may hold many notifications. The number says which of them is the last of the replay.
  const isExact = end.kind === 'sequence' && found !== undefined
  return {
    until,
    sequence: isExact ? end.sequence : await parts.positions.sequenceAt(event, until, { signal }),
  }
}

/**
 * The newest revision that may hold a notification for this request. It is the revision of the journal or of a status key, because every
 * write of a notification changes them.
 *
 * The store is asked, because the hub may be a moment behind the writes that a client knows of. The head of the store would be wrong:
 * other writers may move it with keys that the hub never sees, and a replay would wait for them.
 */
async function readNewest(store: Store, { listen, bases, signal }: Listening): Promise<Revision> {
  const keys = [journalKey(listen.event), ...bases]
  const isFew = keys.length <= MAX_STATUS_READS
  const reads = (isFew ? keys : keys.slice(0, 1)).map((key) =>
    store.range({ key: toBytes(key), keysOnly: true }, { signal }),
  )
  const results = await Promise.all(reads)
  const revisions = results.flatMap(({ kvs, revision }) =>
    isFew ? kvs.map((kv) => kv.modRevision) : [revision],
  )
  return revisions.reduce((newest, revision) => (revision > newest ? revision : newest), 0n)
}

function formatOf(parts: StreamParts, listening: Listening, { from, end, isTruncated }: Span): StreamFormat {
  const { listen, dialect, requestId } = listening
  const { start } = listen
  return createStreamFormat({
    dialect,
    from,
    requestId,
    event: listen.event,
    epoch: parts.epoch(),
    baseUrl: parts.baseUrl(),
    maxAgeSeconds: ageOf(parts, listening.grant).maxAgeSeconds,
    clock: parts.clock,
    requested: {
      ...(start.kind === 'sequence' && { sequence: start.sequence }),
      ...(start.kind === 'date' && { date: start.text }),
      ...(listen.end?.kind === 'date' && { endDate: listen.end.text }),
    },
    isTruncated,
    historyLimit: listening.historyLimit,
    ...(end?.sequence !== undefined && { endSequence: end.sequence }),
  })
}

/** The stream of a replay that starts after the newest notification: it has no notifications, and ends at once. */
function emptyReplay(format: StreamFormat, newest: Revision): Uint8Array {
  const position = { revision: newest }
  return bytesOf([
    format.opening?.(newest),
    format.caughtUp?.(position),
    format.closing?.({ reason: 'end_of_stream', position }),
  ])
}

/** The stream that tells a 2.x client, in the one way it understands, that the requested history is no longer kept. */
function compactedStream(format: StreamFormat, oldest: Revision): Uint8Array {
  const position = { revision: 0n }
  return bytesOf([
    format.opening?.(oldest),
    format.closing?.({ reason: 'history_compacted', oldest, position }),
  ])
}

function bytesOf(frames: readonly (Uint8Array | undefined)[]): Uint8Array {
  return joinBytes(frames.filter((frame) => frame !== undefined))
}
