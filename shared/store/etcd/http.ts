/**
 * etcd's messages over its JSON gateway: one POST for each question, bounded in time and size, and one for each watch.
 *
 * @module
 */

import { parseJsonRecord } from '#shared/json/record.ts'
import { isAvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toText } from '#shared/bytes/bytes.ts'
import { createLineSplitter } from '#shared/bytes/lines.ts'
import { readToEnd } from '#shared/bytes/read_to_end.ts'
import type { FetchLike, FetchLikeResponse } from '#shared/runtime/fetch_like.ts'
import {
  judge,
  judgeForeign,
  readGatewayError,
  silence,
  TOO_LARGE_MESSAGE,
  unavailable,
  type Verdict,
} from './errors.ts'
import { eventLineCut } from './event_lines.ts'
import { onAbort } from './on_abort.ts'
import { awaitAnswer } from './patience.ts'
import type { Exchange, MessageStream, Outcome, Transport } from './transport.ts'
import { malformed, type WireObject } from './wire.ts'

/** Largest answer: a page of several hundred of the largest values. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
/** Most bytes that are read of an error. An error of etcd has a few hundred bytes, and a proxy's page is not examined. */
const MAX_ERROR_BYTES = 64 * 1024
/** Longest line of a watch that cannot be cut: many times the largest event. */
const MAX_LINE_BYTES = 64 * 1024 * 1024
/** How long the rest of an answer may take once it has begun: 64 MiB at some 50 Mbit/s. */
const BODY_LIMIT_MS = 10_000

/** What messages are sent with. */
export interface HttpTransportParts {
  /** For questions. */
  readonly fetch: FetchLike
  /** For watches: it must not end an answer because it is silent. */
  readonly watchFetch: FetchLike
  readonly clock: Clock
}

/** The transport of the gateway adapter. */
export function createHttpTransport({ fetch, watchFetch, clock }: HttpTransportParts): Transport {
  return {
    way: 'JSON gateway',
    encodeBytes: encodeBase64,
    // The gateway turns a whole message into JSON first, at 15 µs an event: 1.5 s for 100,000.
    beginsCut: true,
    ask: (exchange) => ask(fetch, clock, exchange),
    open: async ({ endpoint, path = '/v3/watch', message, token, signal }) => {
      const connection = new AbortController()
      const stopListening = onAbort([signal], () => connection.abort())
      const request = { headers: headersOf(token), body: JSON.stringify(message), signal: connection.signal }
      try {
        const response = await watchFetch(`${endpoint}${path}`, request)
        if (response.status === 200) {
          stopListening()
          return { kind: 'done', value: createStream(response, connection, signal) }
        }
        const refusal = await readAnswer(response)
        return refusal.kind === 'done' ? { kind: 'not_done', error: malformed() } : refusal
      } catch (error) {
        return toVerdict(error)
      } finally {
        stopListening()
      }
    },
    // The connections are the runtime's.
    close: () => undefined,
  }
}

async function ask(
  send: FetchLike,
  clock: Clock,
  { endpoint, path, message, token, limitMs, patience, signals }: Exchange,
): Promise<Outcome<WireObject>> {
  const giveUp = new AbortController()
  let response: FetchLikeResponse | undefined
  const abort = (): void => {
    // On Deno 2.9 the signal alone often does nothing once a body is being read.
    response?.cancel()
    giveUp.abort()
  }
  const stopListening = onAbort(signals, abort)
  const request = { headers: headersOf(token), body: JSON.stringify(message), signal: giveUp.signal }
  let outcome: Outcome<WireObject> | undefined
  const late = (): undefined => undefined
  try {
    response = await awaitAnswer(send(`${endpoint}${path}`, request), clock, { limitMs, patience })
    if (response === undefined) return silence(limitMs)
    outcome = await within(readAnswer(response), { clock, ms: BODY_LIMIT_MS, late })
    return outcome ?? silence(BODY_LIMIT_MS)
  } catch (error) {
    return toVerdict(error)
  } finally {
    stopListening()
    if (outcome === undefined) abort()
  }
}

function headersOf(token: string | undefined): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    'Grpc-Metadata-hasleader': 'true',
    ...(token !== undefined && { Authorization: token }),
  }
}

/** Translates an exception of a {@link FetchLike}. */
function toVerdict(error: unknown): Verdict {
  return isAvisoError(error, 'ERR_STORE_UNAVAILABLE')
    ? { kind: 'not_done', error }
    : { kind: 'unknown', error: unavailable(error) }
}

/** Reads and judges an answer that ends. */
async function readAnswer(response: FetchLikeResponse): Promise<Outcome<WireObject>> {
  const isError = response.status !== 200
  const bytes = await readToEnd(() => response.read(), isError ? MAX_ERROR_BYTES : MAX_ANSWER_BYTES)
  if (bytes === undefined) response.cancel()
  const message = bytes === undefined ? undefined : parseJsonRecord(toText(bytes))
  if (!isError && message !== undefined) return { kind: 'done', value: message }
  const error = readGatewayError(message)
  return error === undefined ? judgeForeign(response.status) : judge(error)
}

/** A line that is longer than {@link MAX_LINE_BYTES}. */
class LineTooLong extends Error {}

/** An answer of one JSON object per line. */
function createStream(
  response: FetchLikeResponse,
  connection: AbortController,
  signal: AbortSignal,
): MessageStream {
  const lines = createLineSplitter({
    maxBytes: MAX_LINE_BYTES,
    tooLong: () => new LineTooLong(),
    cut: eventLineCut,
  })
  let hasEnded = false
  let cancelled = false
  /** The fault of the line after the last one that was returned. */
  let failure: unknown
  const cancel = (): void => {
    if (cancelled) return
    cancelled = true
    stopListening()
    // Both: on Deno 2.9 the signal alone often does nothing once a body is being read.
    response.cancel()
    connection.abort()
  }
  const stopListening = onAbort([signal], cancel)
  const nextLines = async (): Promise<readonly string[] | undefined> => {
    const piece = hasEnded ? undefined : await response.read()
    if (piece === undefined) {
      hasEnded = true
      // The older gateway ends a stream with an error and no line feed behind it.
      const last = lines.end()
      return last.length === 0 ? undefined : [toText(last)]
    }
    const texts: string[] = []
    for (const line of lines.add(piece)) texts.push(toText(line))
    return texts
  }
  return {
    next: async () => {
      try {
        if (failure !== undefined) throw failure
        const texts = cancelled ? undefined : await nextLines()
        if (cancelled || texts === undefined) return undefined
        const messages: WireObject[] = []
        for (const text of texts) {
          const message = text === '' ? undefined : parseJsonRecord(text)
          if (message !== undefined) messages.push(message)
          else if (text !== '') failure ??= malformed(new Error('A line is not a JSON object'))
          if (failure !== undefined) break
        }
        return messages
      } catch (error) {
        if (cancelled) return undefined
        if (error instanceof LineTooLong) return [{ error: TOO_LARGE_MESSAGE }]
        throw error
      }
    },
    cancel,
  }
}
