/**
 * One connection to a stream of notifications: opened with a time limit, read with an idle limit, and always closed.
 *
 * @module
 */

import { parseJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import { retryAfterMs } from './retry.ts'
import { ClientError } from './client_error.ts'

/** One server-sent event. */
export interface Frame {
  readonly event: string
  readonly data: string
  /** Value of `id:`. A stream can be resumed after it. */
  readonly cursor?: string
  /** Value of a `retry:` that came before the event. */
  readonly retryMs?: number
}

/** An open connection. */
export interface Connection {
  frames(): AsyncGenerator<Frame, void, undefined>
  close(): Promise<void>
}

/** How to open and read a connection. */
export interface ConnectionOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: Clock
  readonly stop: AbortSignal
  /** Longest wait for the answer; absent: no limit. */
  readonly timeoutMs?: number | undefined
  /** Longest time without an event or a heartbeat. */
  readonly idleMs: () => number
}

interface LossDetails {
  /** The stream was open. */
  readonly connected?: boolean
  /** The service announced the end. */
  readonly expected?: boolean
  /** The client may connect again without waiting. */
  readonly atOnce?: boolean
  /** The stream was silent for too long. */
  readonly idle?: boolean
  readonly unauthenticated?: boolean
  readonly retryAfterMs?: number | undefined
  readonly gap?: { readonly message: string; readonly oldest?: string | undefined }
  readonly cause?: unknown
}

/**
 * A connection ended or could not be opened, and a new attempt may succeed. When the failure is logged, the address of the service follows
 * the message.
 */
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
/** Longest event. Payloads are far smaller, so a longer event does not come from a service of ours. */
const MAX_EVENT_CHARACTERS = 32 * 1024 * 1024
const TRANSIENT = new Set([408, 425, 429])

/**
 * Opens a stream.
 *
 * @throws {ConnectionLost} when another attempt may succeed; {@link ClientError} when it cannot.
 */
export async function openConnection(url: string, options: ConnectionOptions): Promise<Connection> {
  const end = new AbortController()
  const signal = AbortSignal.any([end.signal, options.stop])
  try {
    const response = await requestStream(url, options, end, signal)
    await requireStream(response, url, options.clock.now())
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

/** Refuses every answer except a 200 with an event stream. */
async function requireStream(response: Response, url: string, now: number): Promise<void> {
  const { status, headers } = response
  const isStream = headers.get('content-type')?.toLowerCase().startsWith('text/event-stream') === true
  if (status === 200 && isStream) return
  const answer = await readAnswer(response)
  const message = typeof answer['message'] === 'string' ? answer['message'] : 'no reason given'
  if (status === 410) {
    const oldest = answer['oldest_position']
    throw new ConnectionLost('Position refused by', {
      gap: { message, oldest: typeof oldest === 'string' ? oldest : undefined },
    })
  }
  const reason = `status ${status}, ${message}`
  // A wrong path is seen in the address.
  const where = status === 404 ? ` (${new URL(url).origin}${new URL(url).pathname})` : ''
  const refusal = `Not able to listen, ${reason}${where}`
  if (status === 401) throw new ConnectionLost(refusal, { unauthenticated: true, atOnce: true })
  if (status >= 500 || TRANSIENT.has(status)) {
    const after = retryAfterMs(headers.get('retry-after'), now)
    throw new ConnectionLost(UNABLE, { retryAfterMs: after, cause: new Error(reason) })
  }
  if (status === 200)
    throw new ClientError(
      'The address answers, but not with a stream of notifications: is it an Aviso service?',
    )
  throw new ClientError(refusal, { status })
}

/** The JSON object of an answer; empty when the body is not a JSON object. */
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

/** Reads the next bytes. Only the waiting here counts as silence, and not the time that triggers take between two reads. */
async function readInTime(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { clock, idleMs, stop: signal }: ConnectionOptions,
) {
  const late = (): never => {
    throw new ConnectionLost('Nothing heard from', { connected: true, idle: true })
  }
  try {
    // On Deno 2.9 a body that was aborted is sometimes silent for ever, so the signal is looked at here, too.
    return await within(reader.read(), { clock, ms: idleMs(), signal, late })
  } catch (cause) {
    if (cause instanceof ConnectionLost) throw cause
    throw new ConnectionLost('Connection lost to', { connected: true, cause })
  }
}
