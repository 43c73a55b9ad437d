/**
 * What a listener reads: server-sent events or JSON lines, in the frames of aviso 2.x.
 *
 * @module
 */

import { cloudEventText } from './cloudevent.ts'
import { formatCursor } from './cursor.ts'
import { encodeSse } from '#shared/http/sse.ts'
import type { Notification } from '#shared/notification/notification.ts'
import { joinBytes, NO_BYTES, toBytes } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import type { Closing, CloseReason, StartPosition, StreamFormat, StreamPosition } from '#shared/hub/hub.ts'

/** How a stream speaks. */
export interface StreamDialect {
  readonly wire: 'sse' | 'ndjson'
  /**
   * The official 2.x client reads it: no `id:` lines, only the names and close reasons it knows, since an unknown
   * reason ends it for good.
   */
  readonly strict: boolean
}

/** What the frames of one stream tell about it. */
export interface StreamDetails {
  readonly dialect: StreamDialect
  readonly event: string
  readonly epoch: string
  readonly baseUrl: string
  readonly requestId: string
  /** Seconds after which the stream is ended. */
  readonly maxAgeSeconds: number
  readonly from: StartPosition
  /** The start as the client asked for it. */
  readonly requested: { readonly sequence?: bigint; readonly date?: string }
  /** Number of the last notification of a replay; those of the same revision behind it are left out. */
  readonly endSequence?: bigint
  /** Everything was asked for, and some of it is no longer kept. */
  readonly isTruncated?: boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

interface Frame {
  readonly event: string
  /** JSON text. */
  readonly data: string
  readonly cursor?: string | undefined
  readonly retry?: number
}

/** 2.x clients need the number to accept the frame; it is 2.x's own default. */
const MAX_ALLOWED = 10_000
/** History is read in pages of this size in 2.x; sent because its clients may read it. */
const BATCH_SIZE = 100
/** Browsers come back after this long: spread, so that a restart does not bring all of them at once. */
const RETRY_MS = { least: 1000, spread: 4000 } as const

/** How an ending is told. */
interface EndingTexts {
  /** A reason that the official 2.x client knows: it comes back after the first two. */
  readonly strict: 'max_duration_reached' | 'server_shutdown' | 'end_of_stream'
  /** The reason for all others: a name that 2.x knows stays, another one says what it means. */
  readonly open: string
  readonly message: string
}

const ENDINGS: Readonly<Record<CloseReason, EndingTexts>> = {
  end_of_stream: {
    strict: 'end_of_stream',
    open: 'end_of_stream',
    message: 'Everything asked for has been delivered',
  },
  max_age: {
    strict: 'max_duration_reached',
    open: 'max_duration_reached',
    message: 'The stream has reached its maximum duration; connect again to go on',
  },
  shutdown: {
    strict: 'server_shutdown',
    open: 'server_shutdown',
    message: 'The service is going away; connect again to go on',
  },
  slow_consumer: {
    strict: 'server_shutdown',
    open: 'slow_consumer',
    message: 'The client did not read for too long; connect again to go on',
  },
  store_unavailable: {
    strict: 'server_shutdown',
    open: 'store_unavailable',
    message: 'The store cannot be reached; connect again to go on',
  },
  history_compacted: {
    strict: 'end_of_stream',
    open: 'history_compacted',
    message: 'The history that comes next is no longer kept',
  },
  auth_expired: {
    // The client comes back, is answered 401, gets itself a new token, and comes back once more.
    strict: 'max_duration_reached',
    open: 'auth_expired',
    message: 'The credential has ended; connect again with a new one to go on',
  },
  auth_revoked: {
    // It comes back, and is told by status what it may no longer do.
    strict: 'max_duration_reached',
    open: 'auth_revoked',
    message: 'The right to this stream has ended',
  },
  auth_unavailable: {
    strict: 'server_shutdown',
    open: 'auth_unavailable',
    message: 'It cannot be verified now that this stream may go on; connect again to go on',
  },
}

/** The frames of one stream. */
export function createStreamFormat(details: StreamDetails): StreamFormat {
  const { dialect, event, epoch, baseUrl, endSequence } = details
  const encode = dialect.wire === 'sse' ? sseEncoder(dialect) : encodeLine
  let origin = originOf(details.from)
  const control = (name: string, data: object, cursor?: string): Uint8Array =>
    encode({
      event: name,
      data: JSON.stringify({ ...data, topic: event, timestamp: timestamp(details) }),
      cursor,
    })
  const reached = (position: StreamPosition): string | undefined => {
    const known = position.revision > 0n ? position : origin
    return known === undefined || known.revision <= 0n ? undefined : formatCursor(epoch, known)
  }
  return {
    name: `${dialect.strict ? 'strict' : 'open'}:${dialect.wire}:${epoch}:${endSequence ?? ''}:${baseUrl}`,
    opening: (head) => {
      if (details.from.kind === 'live') origin = { revision: head }
      const { name, data } = openingOf(details)
      const cursor = reached({ revision: 0n })
      return encode({ event: name, data, cursor, retry: retryMs(details.requestId) })
    },
    notification: (notification, phase) => {
      const isBehindEnd = endSequence !== undefined && (notification.sequence ?? 0n) > endSequence
      return isBehindEnd ? NO_BYTES : encode(notificationFrame(notification, phase, details))
    },
    caughtUp: (position) => control('replay-control', { type: 'replay_completed' }, reached(position)),
    heartbeat: (position) => {
      const cursor = reached(position)
      return control('heartbeat', { ...(cursor !== undefined && { position: cursor }) }, cursor)
    },
    closing: closingFrames,
  }

  function closingFrames(closing: Closing): Uint8Array {
    const { reason } = closing
    const cursor = reached(closing.position)
    const { strict, open, message } = ENDINGS[reason]
    const last = {
      reason: dialect.strict ? strict : open,
      message,
      request_id: details.requestId,
      detail: reason,
      ...(cursor !== undefined && { position: cursor }),
    }
    const frame = control('connection-closing', last)
    return reason === 'history_compacted' ? joinBytes([gapFrame(closing.oldest), frame]) : frame
  }

  function gapFrame(oldest: Revision): Uint8Array {
    const gap = {
      reason: 'history_compacted',
      message: ENDINGS.history_compacted.message,
      oldest_revision: oldest.toString(),
      // The position right before the oldest revision: going on from there reads everything that is left.
      ...(oldest > 1n && { oldest_position: formatCursor(epoch, { revision: oldest - 1n }) }),
    }
    if (!dialect.strict) return control('gap', gap)
    return control('replay-control', {
      type: 'notification_replay_limit_reached',
      max_allowed: MAX_ALLOWED,
      ...gap,
    })
  }
}

/** Names of frames with notifications. */
const NAMES = { history: 'replay', live: 'live-notification' } as const

function notificationFrame(
  notification: Notification,
  phase: keyof typeof NAMES,
  { dialect, baseUrl, epoch }: StreamDetails,
): Frame {
  const event = NAMES[phase]
  const cursor = formatCursor(epoch, notification)
  const { sequence, precedingSequence } = notification
  if (!dialect.strict || sequence !== undefined)
    return { event, data: cloudEventText(notification, baseUrl), cursor }
  // A 2.x client stops for good at an id without a number, or with one that leaves others out. It takes one that it had before (2.4.2 was
  // seen to), and skips frames whose name it does not know.
  if (precedingSequence === undefined)
    return { event: 'unnumbered-notification', data: cloudEventText(notification, baseUrl), cursor }
  const id = `${notification.event}@${precedingSequence}`
  return { event, data: cloudEventText(notification, baseUrl, id), cursor }
}

function openingOf(details: StreamDetails): { readonly name: string; readonly data: string } {
  const { event, from, requested, requestId, maxAgeSeconds, endSequence, isTruncated } = details
  const common = { topic: event, timestamp: timestamp(details), request_id: requestId }
  if (from.kind === 'live') {
    const data = {
      type: 'connection_established',
      ...common,
      connection_will_close_in_seconds: maxAgeSeconds,
    }
    return { name: 'live-notification', data: JSON.stringify(data) }
  }
  const rest = JSON.stringify({
    from_date: requested.date ?? null,
    batch_size: BATCH_SIZE,
    ...common,
    // Beyond 2.x: not everything that was asked for is still there.
    ...(isTruncated === true && { truncated: true }),
  })
  // JSON numbers of up to 64 bits, as 2.x sends them: no `number` could hold them.
  const start = `"from_sequence":${requested.sequence ?? 'null'},"end_sequence":${endSequence ?? 'null'}`
  return { name: 'replay-control', data: `{"type":"replay_started",${start},${rest.slice(1)}` }
}

function sseEncoder({ strict }: StreamDialect): (frame: Frame) => Uint8Array {
  if (strict) return ({ event, data }) => encodeSse({ event, data })
  return ({ event, data, cursor, retry }) =>
    encodeSse({
      event,
      data,
      ...(cursor !== undefined && { id: cursor }),
      ...(retry !== undefined && { retry }),
    })
}

/** One line: `{"event":…,"id":…,"data":…}`, the same three things an SSE frame has. */
function encodeLine({ event, data, cursor }: Frame): Uint8Array {
  const id = cursor === undefined ? '' : `"id":${JSON.stringify(cursor)},`
  return toBytes(`{"event":${JSON.stringify(event)},${id}"data":${data}}\n`)
}

/** The position that a stream starts behind. */
function originOf(from: StartPosition): StreamPosition | undefined {
  if (from.kind === 'live') return undefined
  if (from.afterIndex === undefined) return { revision: from.revision - 1n }
  return { revision: from.revision, index: from.afterIndex }
}

function timestamp({ now }: StreamDetails): string {
  return `${new Date(now()).toISOString().slice(0, 19)}Z`
}

function retryMs(requestId: string): number {
  return RETRY_MS.least + Math.floor(randomFraction(() => requestId) * RETRY_MS.spread)
}
