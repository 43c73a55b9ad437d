/**
 * An answer of the gateway that lasts: lines, of one JSON object each.
 *
 * @module
 */

import type { Clock } from '#shared/telemetry/clock.ts'
import type { FetchLike, FetchLikeResponse } from './fetch_like.ts'
import { unavailable } from './gateway_errors.ts'
import { gatewayHeaders, onAbort, readAnswer, toVerdict, type Outcome } from './gateway_exchange.ts'
import { createLineReader } from './gateway_lines.ts'
import { malformed } from './gateway_wire.ts'

/** A watch that does not stand by then never will: etcd 3.5 does not answer a request it cannot read, and a stopped one none. */
const FIRST_LINE_LIMIT_MS = 3_000

/** What streams are opened with. */
export interface StreamParts {
  /** Without a time limit on silence. */
  readonly watchFetch: FetchLike
  readonly clock: Clock
}

/** An open stream. */
export interface LineStream {
  /**
   * The lines that arrive next; `undefined` at the end, or once it was cancelled.
   *
   * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a line without end, and whatever the runtime throws for a broken connection.
   */
  next(): Promise<readonly string[] | undefined>
  /** Closes the connection. Idempotent. */
  cancel(): void
}

/** A stream whose first lines have arrived. */
export interface OpenedStream {
  readonly stream: LineStream
  /** At least one, unless the stream ended without any. */
  readonly lines: readonly string[]
}

/** What a stream is opened with. */
export interface StreamRequest {
  readonly url: string
  readonly body: string
  readonly token: string | undefined
  /** Any of them closes the stream. */
  readonly signals: readonly (AbortSignal | undefined)[]
}

/** Opens a stream and waits for its first line. Never throws. */
export async function openStream(
  { watchFetch, clock }: StreamParts,
  { url, body, token, signals }: StreamRequest,
): Promise<Outcome<OpenedStream>> {
  const giveUp = new AbortController()
  const opened = new AbortController()
  const late = clock.sleep(FIRST_LINE_LIMIT_MS, opened.signal).then((): Outcome<OpenedStream> => {
    const error = unavailable(new Error('No watch was created within the time limit'))
    return { kind: 'not_done', error }
  })
  let stream: LineStream | undefined
  const open = async (): Promise<Outcome<OpenedStream>> => {
    const response = await watchFetch(url, { headers: gatewayHeaders(token), body, signal: giveUp.signal })
    if (response.status !== 200) {
      const refusal = await readAnswer(response)
      return refusal.kind === 'done' ? { kind: 'not_done', error: malformed() } : refusal
    }
    stream = createLineStream(response, giveUp)
    return { kind: 'done', value: { stream, lines: await firstLines(stream) } }
  }
  const stopListening = onAbort(signals, () => {
    stream?.cancel()
    giveUp.abort()
  })
  try {
    const outcome = await Promise.race([open(), late])
    if (outcome.kind !== 'done') close(outcome)
    return outcome
  } catch (error) {
    return close(toVerdict(error))
  } finally {
    opened.abort()
  }

  function close<Closed>(outcome: Closed): Closed {
    stopListening()
    stream?.cancel()
    giveUp.abort()
    return outcome
  }

  function createLineStream(response: FetchLikeResponse, connection: AbortController): LineStream {
    const lines = createLineReader(() => response.read())
    let cancelled = false
    return {
      next: async () => {
        if (cancelled) return undefined
        try {
          const texts = await lines.next()
          return cancelled ? undefined : texts?.filter((text) => text !== '')
        } catch (error) {
          if (cancelled) return undefined
          throw error
        }
      },
      cancel: () => {
        if (cancelled) return
        cancelled = true
        stopListening()
        // Both: on Deno 2.9 the signal alone often does nothing once a body is being read.
        response.cancel()
        connection.abort()
      },
    }
  }
}

async function firstLines(stream: LineStream): Promise<readonly string[]> {
  for (;;) {
    const lines = await stream.next()
    if (lines === undefined) return []
    if (lines.length > 0) return lines
  }
}
