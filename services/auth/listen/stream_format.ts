/**
 * Makes the frames that a listener reads: server-sent events or JSON lines, with the contents of aviso 2.x.
 *
 * @module
 */

import { cloudEventText } from './cloudevent.ts'
import { formatCursor } from './cursor.ts'
import { encodeLines, encodeSse } from '#shared/http/sse.ts'
import type { Notification } from '#shared/notification/notification.ts'
import { joinBytes, NO_BYTES } from '#shared/bytes/bytes.ts'
import { toSlabBytes } from '#shared/bytes/slab.ts'
import type { Revision } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import type { Closing, CloseReason, StartPosition, StreamFormat, StreamPosition } from '#shared/hub/hub.ts'

/** The form of a stream's frames. */
export interface StreamDialect {
  readonly wire: 'sse' | 'ndjson'
  /**
   * Whether the official 2.x client may read the stream. It gets no `id:` lines, and only names and close reasons that it knows, because
   * an unknown reason ends it for good.
   */
  readonly strict: boolean
  /** Whether notifications have no name, so that a browser gives them to `onmessage`. All other frames keep theirs. */
  readonly asMessages?: boolean
}

/** What the frames of one stream say about it. */
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
  readonly requested: { readonly sequence?: bigint; readonly date?: string; readonly endDate?: string }
  /** Number of the last notification of a replay. Later notifications of the same revision are left out. */
  readonly endSequence?: bigint
  /** Whether the client asked for everything, and a part of it is no longer kept. */
  readonly isTruncated?: boolean
  /** Most notifications of history, where the event type has a limit. */
  readonly historyLimit?: number | undefined
  readonly clock: Pick<Clock, 'now'>
}

interface Frame {
  /** Absent: the name that the format has by default, `message`. */
  readonly event: string | undefined
  /** JSON text. */
  readonly data: string
  readonly cursor?: string | undefined
  readonly retry?: number
}

/** 2.x clients need this number to accept the frame; it is the default of 2.x. */
const MAX_ALLOWED = 10_000
/** The page size of 2.x's history; it is sent because 2.x clients may read it. */
const BATCH_SIZE = 100
/** How long browsers wait before they come back. It is spread, so that a restart does not bring all of them at once. */
const RETRY_MS = { least: 1000, spread: 4000 } as const

/** The same at the end of a drain: its streams end one after another, so they need less. */
const DRAIN_RETRY_MS = { least: 100, spread: 900 } as const

/** What the last frame says about an ending. */
interface EndingTexts {
  /** A reason that the official 2.x client knows. The client comes back after the first two. */
  readonly strict: 'max_duration_reached' | 'server_shutdown' | 'end_of_stream'
  /** The reason for all other clients: the name in 2.x if it has one, otherwise our own. */
  readonly open: string
  readonly message: string
}

const ENDINGS: Readonly<Record<CloseReason, EndingTexts>> = {
  end_of_stream: {
    strict: 'end_of_stream',
    open: 'end_of_stream',
    message: 'All requested notifications have been delivered',
  },
  history_limit: {
    strict: 'end_of_stream',
    // It may come back at once, and goes on behind what it has.
    open: 'end_of_stream',
    message: 'The event type has a limit on the notifications of one replay; connect again to go on',
  },
  max_age: {
    strict: 'max_duration_reached',
    open: 'max_duration_reached',
    message: 'The stream has reached its maximum duration; connect again to go on',
  },
  shutdown: {
    strict: 'server_shutdown',
    open: 'server_shutdown',
    message: 'The service is shutting down; connect again to go on',
  },
  drain: {
    // Clients come back at once, to another process.
    strict: 'max_duration_reached',
    open: 'max_duration_reached',
    message: 'The service is being stopped; connect again to go on',
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
  ended_by_operator: {
    strict: 'server_shutdown',
    open: 'ended_by_operator',
    message: 'An operator has ended the stream; connect again to go on',
  },
  history_compacted: {
    strict: 'end_of_stream',
    open: 'history_compacted',
    message:
      'The next part of the history is no longer kept; begin again with a date that is kept, with everything that is left, or with now',
  },
  auth_expired: {
    // The client comes back, gets a 401, fetches a new token, and comes back again.
    strict: 'max_duration_reached',
    open: 'auth_expired',
    message: 'The credential has ended; connect again with a new one to go on',
  },
  auth_revoked: {
    // The client comes back, and the status of the answer says that it may not.
    strict: 'max_duration_reached',
    open: 'auth_revoked',
    message: 'The right to this stream has ended',
  },
  auth_unavailable: {
    strict: 'server_shutdown',
    open: 'auth_unavailable',
    message: 'The right to this stream cannot be verified now; connect again to go on',
  },
}

/** The frames of one stream. */
export function createStreamFormat(details: StreamDetails): StreamFormat {
  return new ListenerFormat(details)
}

/** The name of the last format: streams with the same name share its text. */
let lastName = ''

function nameOf({ dialect, epoch, baseUrl, endSequence }: StreamDetails): string {
  const name = `${dialect.strict ? 'strict' : 'open'}:${dialect.asMessages === true ? 'message' : 'named'}:${dialect.wire}:${epoch}:${endSequence ?? ''}:${baseUrl}`
  if (name !== lastName) lastName = name
  return lastName
}

/** It is a class, because there may be ten thousand of them. */
class ListenerFormat implements StreamFormat {
  readonly name: string
  readonly #details: StreamDetails
  /** The position right before the stream's start, once it is known. */
  #origin: StreamPosition | undefined

  constructor(details: StreamDetails) {
    this.name = nameOf(details)
    this.#details = details
    this.#origin = originOf(details.from)
  }

  opening(head: Revision): Uint8Array {
    const details = this.#details
    if (details.from.kind === 'live') this.#origin = { revision: head }
    const { name, data } = openingOf(details)
    const cursor = this.#reached({ revision: 0n })
    return encode({ event: name, data, cursor, retry: retryMs(details, RETRY_MS) }, details.dialect)
  }

  notification(notification: Notification, phase: keyof typeof NAMES): Uint8Array {
    const { endSequence } = this.#details
    const isBehindEnd = endSequence !== undefined && (notification.sequence ?? 0n) > endSequence
    return isBehindEnd ? NO_BYTES : notificationFrame(notification, phase, this.#details)
  }

  caughtUp(position: StreamPosition): Uint8Array {
    return this.#control('replay-control', { type: 'replay_completed' }, { cursor: this.#reached(position) })
  }

  heartbeat(position: StreamPosition): Uint8Array {
    const cursor = this.#reached(position)
    return this.#control('heartbeat', { ...(cursor !== undefined && { position: cursor }) }, { cursor })
  }

  closing(closing: Closing): Uint8Array {
    const { reason } = closing
    const cursor = this.#reached(closing.position)
    const details = this.#details
    const { strict, open, message } = ENDINGS[reason]
    const last = {
      reason: details.dialect.strict ? strict : open,
      message,
      request_id: details.requestId,
      detail: reason,
      ...(cursor !== undefined && { position: cursor }),
    }
    const retry = reason === 'drain' ? { retry: retryMs(details, DRAIN_RETRY_MS) } : {}
    const frame = this.#control('connection-closing', last, retry)
    if (reason === 'history_limit') return joinBytes([this.#limitFrame(message), frame])
    return reason === 'history_compacted' ? joinBytes([this.#gapFrame(closing.oldest), frame]) : frame
  }

  /** As in 2.x. Its official client ends there. */
  #limitFrame(message: string): Uint8Array {
    const limit = { max_allowed: this.#details.historyLimit ?? MAX_ALLOWED, message }
    return this.#control('replay-control', { type: 'notification_replay_limit_reached', ...limit })
  }

  #gapFrame(oldest: Revision): Uint8Array {
    const { dialect, epoch } = this.#details
    const gap = {
      reason: 'history_compacted',
      message: ENDINGS.history_compacted.message,
      oldest_revision: oldest.toString(),
      // The position right before the oldest revision: a stream from there gets everything that is left.
      ...(oldest > 1n && { oldest_position: formatCursor(epoch, { revision: oldest - 1n }) }),
    }
    if (!dialect.strict) return this.#control('gap', gap)
    return this.#control('replay-control', {
      type: 'notification_replay_limit_reached',
      max_allowed: MAX_ALLOWED,
      ...gap,
    })
  }

  #control(name: string, data: object, more: Pick<Frame, 'cursor' | 'retry'> = {}): Uint8Array {
    const details = this.#details
    const text = JSON.stringify({ ...data, topic: details.event, timestamp: timestamp(details) })
    return encode({ event: name, data: text, ...more }, details.dialect)
  }

  #reached(position: StreamPosition): string | undefined {
    const known = position.revision > 0n ? position : this.#origin
    return known === undefined || known.revision <= 0n ? undefined : formatCursor(this.#details.epoch, known)
  }
}

/** The name of an event without one (HTML §9.2.6). */
const DEFAULT_NAME = 'message'
/** Names of frames with notifications. */
const NAMES = { history: 'replay', live: 'live-notification' } as const

/** There is one for each notification, so it takes no detour through {@link Frame}. */
function notificationFrame(
  notification: Notification,
  phase: keyof typeof NAMES,
  { dialect, baseUrl, epoch }: StreamDetails,
): Uint8Array {
  const { sequence, precedingSequence, event: topic } = notification
  let event: string | undefined = dialect.asMessages === true ? undefined : NAMES[phase]
  let id: string | undefined
  if (dialect.strict && sequence === undefined) {
    // A 2.x client stops for good at an id without a number, or with a number that skips others. It accepts a number that it had before (seen
    // with 2.4.2), and skips frames whose name it does not know.
    if (precedingSequence === undefined) event = 'unnumbered-notification'
    else id = `${topic}@${precedingSequence}`
  }
  const data = cloudEventText(notification, baseUrl, id)
  if (dialect.wire === 'ndjson') return encodeLine({ event, data, cursor: formatCursor(epoch, notification) })
  return encodeLines({ event, data, id: dialect.strict ? undefined : formatCursor(epoch, notification) })
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
    to_date: requested.endDate ?? null,
    batch_size: BATCH_SIZE,
    ...common,
    // Not in 2.x: a part of the requested history is no longer kept.
    ...(isTruncated === true && { truncated: true }),
  })
  // Written by hand: 2.x sends JSON numbers of up to 64 bits, which a `number` cannot hold.
  const start = `"from_sequence":${requested.sequence ?? 'null'},"end_sequence":${endSequence ?? 'null'}`
  return { name: 'replay-control', data: `{"type":"replay_started",${start},${rest.slice(1)}` }
}

function encode(frame: Frame, { wire, strict }: StreamDialect): Uint8Array {
  if (wire === 'ndjson') return encodeLine(frame)
  const { event, data, cursor, retry } = frame
  return encodeSse({
    ...(event !== undefined && { event }),
    data,
    ...(!strict && cursor !== undefined && { id: cursor }),
    ...(!strict && retry !== undefined && { retry }),
  })
}

/** One line: `{"event":…,"id":…,"data":…}`, the same three members as in an SSE frame. */
function encodeLine({ event = DEFAULT_NAME, data, cursor }: Frame): Uint8Array {
  const id = cursor === undefined ? '' : `"id":${JSON.stringify(cursor)},`
  return toSlabBytes(`{"event":${JSON.stringify(event)},${id}"data":${data}}\n`)
}

/** The position right before a stream's start. */
function originOf(from: StartPosition): StreamPosition | undefined {
  if (from.kind === 'live') return undefined
  if (from.afterIndex === undefined) return { revision: from.revision - 1n }
  return { revision: from.revision, index: from.afterIndex }
}

function timestamp({ clock }: StreamDetails): string {
  return `${new Date(clock.now()).toISOString().slice(0, 19)}Z`
}

function retryMs(
  { requestId }: StreamDetails,
  { least, spread }: { readonly least: number; readonly spread: number },
): number {
  return least + Math.floor(randomFraction(() => requestId) * spread)
}
