/**
 * One connection to a stream: opened with a time limit, read with an idle limit, closed with certainty.
 *
 * @module
 */

import { parseJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import { retryAfterMs } from './back_off.ts'
import { ClientError } from './client_error.ts'

/** One server-sent event. */
export interface Frame {
  readonly event: string
  readonly data: string
  /** Its `id:`. */
  readonly cursor?: string
  /** A `retry:` that came before it. */
  readonly retryMs?: number
}

/** An open connection. */
export interface Connection {
  frames(): AsyncGenerator<Frame, void, undefined>
  close(): Promise<void>
}

/** What opening needs. */
export interface ConnectionOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: Clock
  readonly stop: AbortSignal
  /** Longest wait for the answer; absent: for ever. */
  readonly timeoutMs?: number | undefined
  /** Longest silence, heartbeats included. */
  readonly idleMs: () => number
}

interface LossDetails {
  /** The stream stood. */
  readonly connected?: boolean
  /** It ended as announced. */
  readonly expected?: boolean
  /** The next connection may follow without wait. */
  readonly atOnce?: boolean
  /** It was silent for too long. */
  readonly idle?: boolean
  readonly unauthenticated?: boolean
  readonly retryAfterMs?: number | undefined
  readonly gap?: { readonly message: string; readonly oldest?: string | undefined }
  readonly cause?: unknown
}

/** A connection ended, or was not made; another one may be. The message goes on with the address of the service. */
export class ConnectionLost extends Error {
  readonly connected: boolean
  readonly expected: boolean
  readonly atOnce: boolean
  readonly idle: boolean
  readonly unauthenticated: boolean
  readonly retryAfterMs: number | undefined
  readonly gap: LossDetails['gap']

  constructor(message: string, details: LossDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.connected = details.connected ?? false
    this.expected = details.expected ?? false
    this.atOnce = details.atOnce ?? false
    this.idle = details.idle ?? false
    this.unauthenticated = details.unauthenticated ?? false
    this.retryAfterMs = details.retryAfterMs
    this.gap = details.gap
  }
}

const UNABLE = 'Unable to connect to'
/** Payloads are smaller by far; a longer event is no service of ours. */
const MAX_EVENT_CHARACTERS = 32 * 1024 * 1024
const TRANSIENT = new Set([408, 425, 429])

/**
 * Opens a stream.
 *
 * @throws {ConnectionLost} when trying again makes sense; {@link ClientError} when it does not.
 */
export async function openConnection(url: string, options: ConnectionOptions): Promise<Connection> {
  const end = new AbortController()
  const signal = AbortSignal.any([end.signal, options.stop])
  try {
    const response = await requestStream(url, options, end, signal)
    await requireStream(response, options.clock.now())
    if (response.body === null) throw new ConnectionLost(UNABLE)
    const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
    return {
      frames: () => readFrames(reader, options),
      async close() {
        end.abort()
        await reader.cancel().catch(() => undefined)
      },
    }
  } catch (error) {
    end.abort()
    throw error
  }
}

async function requestStream(
  url: string,
  options: ConnectionOptions,
  end: AbortController,
  signal: AbortSignal,
): Promise<Response> {
  const { clock, timeoutMs } = options
  try {
    const answering = options.fetch(url, {
      headers: { Accept: 'text/event-stream', ...options.headers },
      cache: 'no-store',
      signal,
    })
    const late = (): never => {
      end.abort()
      throw new Error('No answer in time')
    }
    return await within(answering, { clock, ms: timeoutMs, late })
  } catch (cause) {
    throw new ConnectionLost(UNABLE, { cause })
  }
}

/** Only 200 with an event stream is a stream. */
async function requireStream(response: Response, now: number): Promise<void> {
  const { status, headers } = response
  const isStream = headers.get('content-type')?.toLowerCase().startsWith('text/event-stream') === true
  if (status === 200 && isStream) return
  const answer = await readAnswer(response)
  const message = typeof answer['message'] === 'string' ? answer['message'] : `the service answered ${status}`
  if (status === 410) {
    const oldest = answer['oldest_position']
    throw new ConnectionLost('Position refused by', {
      gap: { message, oldest: typeof oldest === 'string' ? oldest : undefined },
    })
  }
  const refusal = `Not able to listen, status ${status}, ${message}`
  if (status === 401) throw new ConnectionLost(refusal, { unauthenticated: true, atOnce: true })
  if (status >= 500 || TRANSIENT.has(status)) {
    throw new ConnectionLost(UNABLE, { retryAfterMs: retryAfterMs(headers.get('retry-after'), now) })
  }
  if (status === 200)
    throw new ClientError(
      'The address answers, but not with a stream of notifications: is it an Aviso service?',
    )
  throw new ClientError(refusal)
}

/** The JSON object of an answer; empty where there is none. */
export async function readAnswer(response: Response): Promise<JsonRecord> {
  return parseJsonRecord(await response.text().catch(() => '')) ?? {}
}

async function* readFrames(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  options: ConnectionOptions,
): AsyncGenerator<Frame, void, undefined> {
  const ready: Frame[] = []
  let retryMs: number | undefined
  let broken = false
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARACTERS,
    onEvent: (message) => {
      ready.push(toFrame(message, retryMs))
      retryMs = undefined
    },
    onRetry: (ms) => (retryMs = ms),
    onError: ({ type }) => (broken = type === 'max-buffer-size-exceeded'),
  })
  const decoder = new TextDecoder()
  for (;;) {
    const { done, value } = await readInTime(reader, options)
    if (done) return
    parser.feed(decoder.decode(value, { stream: true }))
    if (broken) throw new ClientError('The service sent an event that is too large to be a notification')
    yield* ready.splice(0)
  }
}

function toFrame({ event = 'message', data, id }: EventSourceMessage, retryMs: number | undefined): Frame {
  return {
    event,
    data,
    ...(id !== undefined && id !== '' && { cursor: id }),
    ...(retryMs !== undefined && { retryMs }),
  }
}

/** Only waiting counts as silence; the time that triggers take does not. */
async function readInTime(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { clock, idleMs }: ConnectionOptions,
) {
  const late = (): never => {
    throw new ConnectionLost('Nothing heard from', { connected: true, idle: true })
  }
  try {
    return await within(reader.read(), { clock, ms: idleMs(), late })
  } catch (cause) {
    if (cause instanceof ConnectionLost) throw cause
    throw new ConnectionLost('Connection lost to', { connected: true, cause })
  }
}
