/**
 * A stream of notifications that goes on across disconnections: one `GET /api/v1/watch` after another, each from where the last one was.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { BACK_OFF_FIRST_MS, BACK_OFF_LAST_MS, backOffMs } from './back_off.ts'
import { ClientError, messageOf, reasonOf } from './client_error.ts'
import { ConnectionLost, openConnection, type Frame } from './connection.ts'
import type { Credentials } from './credentials.ts'
import { parseCloudEvent, type CloudEvent } from './notification.ts'
import type { MessageLog } from './message_log.ts'

/** Where a stream starts when nothing has been read yet. */
export type StreamStart =
  | { readonly kind: 'live' }
  /** Behind a position that the service gave out. */
  | { readonly kind: 'cursor'; readonly cursor: string }
  /** Everything stored at or after this time, as the service reads it. */
  | { readonly kind: 'date'; readonly date: string }
  /** Everything that is kept. */
  | { readonly kind: 'oldest' }

/** What a stream yields. The `cursor` of a message covers it and everything before it. */
export type StreamMessage =
  /** A connection stands. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'notification'; readonly event: CloudEvent; readonly cursor?: string }
  /** There was nothing for this listener up to the cursor. */
  | { readonly kind: 'progress'; readonly cursor: string }
  /** History has been delivered; what follows is live. */
  | { readonly kind: 'caught-up'; readonly cursor?: string }

/** What to listen to. */
export interface StreamTarget {
  readonly baseUrl: string
  readonly event: string
  readonly request: Readonly<Record<string, readonly string[]>>
}

/** What a stream works with. */
export interface StreamOptions {
  readonly target: StreamTarget
  readonly start: StreamStart
  /** What to do where the service no longer has what comes next: end with an error, or go on with the oldest there is. */
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

/** A connection that ends sooner counts as a failure, lest a service that hangs up at once be asked without end. */
const SHORT_CONNECTION_MS = 1000

/** Reasons of the service for closing that need no wait: it is well, and only wants a new connection. */
const AT_ONCE: readonly unknown[] = ['max_duration_reached', 'slow_consumer', 'end_of_stream']

/** What one stream keeps from connection to connection. */
interface StreamState {
  start: StreamStart
  /** Failures in a row. */
  failures: number
  /** Least wait the service asked for, by the `retry:` of its stream. */
  retryMs: number
  /** Longest silence that is not taken for a dead connection. */
  idleMs: number
  renewedKey: boolean
}

/** Three of the service's default heartbeats of 5 s, and some. */
const IDLE_FIRST_MS = 20_000
/** Three of the longest heartbeat a service may have, 60 s. */
const IDLE_LAST_MS = 180_000
const HEARTBEATS_MISSED = 3

/**
 * Runs until `stop`, or throws for what waiting cannot mend. A message is done with when the next one is asked for: that is where the
 * stream goes on after a disconnection.
 *
 * @yields What the service sends, in its order.
 * @throws {ClientError} refusals (400, 401, 403, 404), and gaps unless they are to be passed over.
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
    const startedAt = clock.now()
    let lost: ConnectionLost
    try {
      lost = yield* readConnection(options, state)
    } catch (error) {
      if (stop.aborted) return
      if (!(error instanceof ConnectionLost)) throw error
      lost = error
      if (error.cause !== undefined) output.log('DEBUG', reasonOf(error))
    }
    if (stop.aborted) return
    await handleLoss(options, state, lost)
    if (clock.now() - startedAt >= SHORT_CONNECTION_MS && lost.connected) state.failures = 0
    const wait = waitMs(options, state, lost)
    if (wait > 0) {
      const level = lost.expected ? 'DEBUG' : 'WARNING'
      output.log(
        level,
        `${lost.message} ${target.baseUrl}, trying again in ${Math.max(1, Math.round(wait / 1000))}s...`,
      )
      await clock.sleep(wait, stop)
    }
    state.failures++
  }
}

function waitMs({ retryDelayMs, random }: StreamOptions, state: StreamState, lost: ConnectionLost): number {
  if (lost.atOnce && state.failures === 0) return 0
  const limits = { firstMs: BACK_OFF_FIRST_MS, lastMs: retryDelayMs ?? BACK_OFF_LAST_MS }
  return Math.max(backOffMs(state.failures, limits, random), state.retryMs, lost.retryAfterMs ?? 0)
}

/** Renews the key after a 401, passes over a gap, or gives up. */
async function handleLoss(
  { credentials, output, onGap }: StreamOptions,
  state: StreamState,
  lost: ConnectionLost,
): Promise<void> {
  if (lost.unauthenticated) {
    const changed = !state.renewedKey && (await credentials.reload())
    if (!changed) throw new ClientError(lost.message)
    state.renewedKey = true
  }
  if (lost.gap === undefined) return
  const { message, oldest } = lost.gap
  if (onGap === 'stop') {
    throw new ClientError(
      `Notifications are missing: ${message}. Go on with the oldest that are kept: --on-gap continue; or from now on: --now`,
    )
  }
  output.log('ERROR', `Notifications are missing: ${message}. Going on with the oldest that are kept`)
  state.start = oldest === undefined ? { kind: 'oldest' } : { kind: 'cursor', cursor: oldest }
}

/**
 * Reads one connection.
 *
 * @yields What it brings.
 * @returns Why it ended.
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
    yield { kind: 'connected' }
    let lastHeartbeat: number | undefined
    for await (const frame of connection.frames()) {
      if (frame.retryMs !== undefined) state.retryMs = frame.retryMs
      if (frame.event === 'heartbeat') {
        if (lastHeartbeat !== undefined) state.idleMs = idleLimit(clock.now() - lastHeartbeat)
        lastHeartbeat = clock.now()
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
    // Nothing came at all: perhaps this service beats more slowly than is waited for.
    if (error instanceof ConnectionLost && error.idle) state.idleMs = Math.min(state.idleMs * 2, IDLE_LAST_MS)
    throw error
  } finally {
    await connection.close()
  }
}

function idleLimit(heartbeatMs: number): number {
  return Math.min(Math.max(heartbeatMs * HEARTBEATS_MISSED, IDLE_FIRST_MS), IDLE_LAST_MS)
}

function streamUrl({ baseUrl, event, request }: StreamTarget, start: StreamStart): string {
  const query = new URLSearchParams({ event })
  for (const [field, values] of Object.entries(request))
    for (const value of values) query.append(field, value)
  if (start.kind === 'date') query.set('from_date', start.date)
  if (start.kind === 'oldest') query.set('from_id', '0')
  return `${baseUrl}/api/v1/watch?${query}`
}

function toMessage({ event, data, cursor }: Frame): StreamMessage | undefined {
  const place = cursor === undefined ? {} : { cursor }
  if (event === 'live-notification' || event === 'replay') {
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
