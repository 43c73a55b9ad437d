/**
 * Follows a stream of notifications across disconnections. Each connection is a `GET /api/v1/watch` that goes on where the last one ended.
 *
 * @module
 */

import { backOffMs } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { retryLimits } from './retry.ts'
import { ClientError, messageOf, reasonOf } from './client_error.ts'
import { ConnectionLost, openConnection, type Frame } from './connection.ts'
import type { Credentials } from './credentials.ts'
import { parseCloudEvent, type CloudEvent } from './notification.ts'
import type { MessageLog } from './message_log.ts'

/** Where a stream starts. */
export type StreamStart =
  | { readonly kind: 'live' }
  /** After a cursor: a position in the stream that the service gave out. */
  | { readonly kind: 'cursor'; readonly cursor: string }
  /** Everything stored at or after this time, as the service reads it. */
  | { readonly kind: 'date'; readonly date: string }
  /** With the oldest notification that the service keeps. */
  | { readonly kind: 'oldest' }

/** A message of a stream. Its `cursor` covers the message and everything before it. */
export type StreamMessage =
  /** A connection is open: the stream goes on after the cursor, and what is published from now on arrives. */
  | { readonly kind: 'connected'; readonly cursor?: string }
  | { readonly kind: 'notification'; readonly event: CloudEvent; readonly cursor?: string }
  /** There was no notification for this listener up to the cursor. */
  | { readonly kind: 'progress'; readonly cursor: string }
  /** History has been delivered, and what follows is live. */
  | { readonly kind: 'caught-up'; readonly cursor?: string }

/** The service, the event and the request to listen to. */
export interface StreamTarget {
  readonly baseUrl: string
  readonly event: string
  readonly request: Readonly<Record<string, readonly string[]>>
}

/** How to follow a stream. */
export interface StreamOptions {
  readonly target: StreamTarget
  readonly start: StreamStart
  /** What to do when the service no longer keeps the next notification: end with an error, or go on with the oldest that is kept. */
  readonly onGap: 'stop' | 'continue'
  readonly credentials: Credentials
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly output: MessageLog
  /** Ends the stream. */
  readonly stop: AbortSignal
  /** Longest wait for an answer. */
  readonly timeoutMs?: number | undefined
  /** Longest wait between two attempts. */
  readonly retryDelayMs?: number | undefined
}

/** A connection that ends sooner counts as a failure. Otherwise a service that closes at once would be asked without pause. */
const SHORT_CONNECTION_MS = 1000

/** Reasons of the service to close after which the client connects again at once, because the service works. */
const AT_ONCE: readonly unknown[] = ['max_duration_reached', 'slow_consumer', 'end_of_stream']

/** Names of frames that have a notification, or open a live stream. */
const NOTIFICATION_FRAMES: readonly string[] = ['live-notification', 'replay']

/** State of a stream between connections. */
interface StreamState {
  start: StreamStart
  /** Consecutive failures. */
  failures: number
  /** Shortest wait, from the `retry:` of the service. */
  retryMs: number
  /** After a longer silence the connection counts as dead. */
  idleMs: number
  renewedKey: boolean
}

/** More than three of the service's default heartbeats of 5 s. */
const IDLE_FIRST_MS = 20_000
/** Three of the longest heartbeats that a service may have, 60 s. */
const IDLE_LAST_MS = 180_000
const HEARTBEATS_MISSED = 3

/**
 * Follows the stream until `stop`. A message counts as handled when the caller asks for the next one. After a disconnection the stream goes
 * on after the last handled message.
 *
 * @yields the messages of the service, in its order
 * @throws {ClientError} for a refusal (400, 401, 403, 404), and for a gap unless `onGap` is `continue`.
 */
export async function* followStream(options: StreamOptions): AsyncGenerator<StreamMessage, void, undefined> {
  const { clock, stop, output, target } = options
  const state: StreamState = {
    start: options.start,
    failures: 0,
    retryMs: 0,
    idleMs: IDLE_FIRST_MS,
    renewedKey: false,
  }
  while (!stop.aborted) {
    const startedAt = clock.monotonic()
    let lost: ConnectionLost
    try {
      lost = yield* readConnection(options, state)
    } catch (error) {
      if (stop.aborted) return
      if (!(error instanceof ConnectionLost)) throw error
      lost = error
    }
    if (stop.aborted) return
    await handleLoss(options, state, lost)
    if (clock.monotonic() - startedAt >= SHORT_CONNECTION_MS && lost.connected) state.failures = 0
    const wait = waitMs(options, state, lost)
    if (wait > 0) {
      const level = lost.expected ? 'DEBUG' : 'WARNING'
      output.log(
        level,
        `${lost.message} ${target.baseUrl}${becauseOf(lost)}, trying again in ${Math.max(1, Math.round(wait / 1000))}s...`,
      )
      await clock.sleep(wait, stop)
    }
    state.failures++
  }
}

/** Why, so that a wrong address, a proxy and a certificate differ from a service that is down. */
function becauseOf(lost: ConnectionLost): string {
  return lost.cause === undefined ? '' : ` (${reasonOf(lost)})`
}

function waitMs({ retryDelayMs, random }: StreamOptions, state: StreamState, lost: ConnectionLost): number {
  if (lost.atOnce && state.failures === 0) return 0
  return Math.max(
    backOffMs(state.failures, retryLimits(retryDelayMs), random),
    state.retryMs,
    lost.retryAfterMs ?? 0,
  )
}

/** Reads the key again after a 401 and moves past a gap, or throws. */
async function handleLoss(
  { credentials, output, onGap }: StreamOptions,
  state: StreamState,
  lost: ConnectionLost,
): Promise<void> {
  if (lost.unauthenticated) {
    const changed = !state.renewedKey && (await credentials.reload())
    if (!changed) throw new ClientError(lost.message, { status: 401 })
    state.renewedKey = true
  }
  if (lost.gap === undefined) return
  const { message, oldest } = lost.gap
  if (onGap === 'stop') {
    throw new ClientError(
      `Notifications are missing: ${message}. To go on with the oldest that are kept, use --on-gap continue. To go on from now, use --now`,
    )
  }
  output.log('ERROR', `Notifications are missing: ${message}. Going on with the oldest that are kept`)
  state.start = oldest === undefined ? { kind: 'oldest' } : { kind: 'cursor', cursor: oldest }
}

/**
 * Reads one connection.
 *
 * @yields the messages of the connection
 * @returns the reason why the connection ended
 */
async function* readConnection(
  options: StreamOptions,
  state: StreamState,
): AsyncGenerator<StreamMessage, ConnectionLost, undefined> {
  const { clock } = options
  const connection = await openConnection(streamUrl(options.target, state.start), {
    ...options,
    headers: {
      ...options.credentials.headers(),
      ...(state.start.kind === 'cursor' && { 'Last-Event-ID': state.start.cursor }),
    },
    idleMs: () => state.idleMs,
  })
  try {
    let isOpen = false
    let lastHeartbeat: number | undefined
    for await (const frame of connection.frames()) {
      // The first frame has the stream's place, unless it is a notification, whose place counts after it is handled.
      if (!isOpen) yield { kind: 'connected', ...(isControl(frame) && placeOf(frame)) }
      isOpen = true
      if (frame.retryMs !== undefined) state.retryMs = frame.retryMs
      if (frame.event === 'heartbeat') {
        if (lastHeartbeat !== undefined) state.idleMs = idleLimit(clock.monotonic() - lastHeartbeat)
        lastHeartbeat = clock.monotonic()
      }
      if (frame.event === 'gap') return gapOf(frame)
      const message = toMessage(frame)
      if (message?.kind === 'notification') state.failures = 0
      if (message !== undefined) yield message
      if (frame.cursor !== undefined) state.start = { kind: 'cursor', cursor: frame.cursor }
      state.renewedKey = false
      if (frame.event === 'connection-closing') return closingOf(frame)
    }
    return new ConnectionLost('Connection closed by', { connected: true })
  } catch (error) {
    // The connection was silent. The heartbeats of this service may be slower than expected, so the next connection waits longer.
    if (error instanceof ConnectionLost && error.idle) state.idleMs = Math.min(state.idleMs * 2, IDLE_LAST_MS)
    throw error
  } finally {
    await connection.close()
  }
}

function idleLimit(heartbeatMs: number): number {
  return Math.min(Math.max(heartbeatMs * HEARTBEATS_MISSED, IDLE_FIRST_MS), IDLE_LAST_MS)
}

function streamUrl(target: StreamTarget, start: StreamStart): string {
  return `${target.baseUrl}/api/v1/watch?${startQuery(target, start)}`
}

/** What is asked for, as parameters of an address. A cursor is not among them: it goes into a header, which browsers set, too. */
export function startQuery(
  { event, request }: Pick<StreamTarget, 'event' | 'request'>,
  start: StreamStart,
): URLSearchParams {
  const query = new URLSearchParams({ event })
  for (const [field, values] of Object.entries(request))
    for (const value of values) query.append(field, value)
  if (start.kind === 'date') query.set('from_date', start.date)
  if (start.kind === 'oldest') query.set('from_id', '0')
  return query
}

function placeOf({ cursor }: Frame): { readonly cursor?: string } {
  return cursor === undefined ? {} : { cursor }
}

/** Whether a frame has no notification. */
function isControl({ event, data }: Frame): boolean {
  return !NOTIFICATION_FRAMES.includes(event) || parseCloudEvent(data) === undefined
}

function toMessage(frame: Frame): StreamMessage | undefined {
  const { event, data, cursor } = frame
  const place = placeOf(frame)
  if (NOTIFICATION_FRAMES.includes(event)) {
    const notification = parseCloudEvent(data)
    if (notification !== undefined) return { kind: 'notification', event: notification, ...place }
  }
  if (event === 'replay-control' && memberOf(data, 'type') === 'replay_completed')
    return { kind: 'caught-up', ...place }
  return cursor === undefined ? undefined : { kind: 'progress', cursor }
}

function gapOf({ data }: Frame): ConnectionLost {
  const message = memberOf(data, 'message') ?? 'the service no longer keeps what comes next'
  return new ConnectionLost('Gap reported by', {
    connected: true,
    gap: { message, oldest: memberOf(data, 'oldest_position') },
  })
}

function closingOf({ data }: Frame): ConnectionLost {
  const atOnce = AT_ONCE.includes(memberOf(data, 'reason'))
  return new ConnectionLost('Connection ended by', { connected: true, expected: true, atOnce })
}

/** A text member of a frame's JSON data. */
export function memberOf(data: string, name: string): string | undefined {
  try {
    const value: unknown = JSON.parse(data)
    const member: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
    return typeof member === 'string' ? member : undefined
  } catch (error) {
    throw new ClientError(`The service sent a frame that is not JSON: ${messageOf(error)}`)
  }
}
