/**
 * Asks another service for a text, within a bounded time and size.
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import { readToEnd } from '#shared/bytes/read_to_end.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'

/** The part of `fetch` that the monitoring uses. */
export type MonitoringFetch = (url: string, init: RequestInit) => Promise<Response>

export interface FetchParts {
  readonly fetch: MonitoringFetch
  readonly clock: Clock
}

/** The bounds of one exchange. */
export interface FetchBounds {
  readonly timeoutMs: number
  readonly limitBytes: number
  readonly signal?: AbortSignal
}

/** The answer of the other service. */
export interface BoundedAnswer {
  readonly status: number
  readonly text: string
}

/**
 * Asks once. A redirect is returned as an answer and not followed, because it could lead to any server.
 *
 * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` when no answer arrives in time, `ERR_TOO_LARGE` when the answer exceeds the limit.
 */
export async function fetchBounded(
  { fetch, clock }: FetchParts,
  url: string,
  init: RequestInit,
  bounds: FetchBounds,
): Promise<BoundedAnswer> {
  const { timeoutMs, limitBytes, signal } = bounds
  const exchange = async (giveUp: AbortSignal): Promise<BoundedAnswer> => {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: giveUp })
    return { status: response.status, text: await readText(response, limitBytes) }
  }
  const late = (): never => {
    throw noAnswer()
  }
  try {
    return await runWithin(exchange, { clock, ms: timeoutMs, signal, late })
  } catch (cause) {
    throw cause instanceof AvisoError ? cause : noAnswer(cause)
  }
}

function noAnswer(cause?: unknown): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'There was no answer in time', { cause })
}

async function readText(response: Response, limitBytes: number): Promise<string> {
  if (response.body === null) return ''
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  try {
    const bytes = await readToEnd(async () => (await reader.read()).value, limitBytes)
    if (bytes === undefined)
      throw new AvisoError('ERR_TOO_LARGE', `The answer is larger than ${limitBytes} bytes`)
    return toText(bytes)
  } catch (error) {
    reader.cancel().catch(() => undefined)
    throw error
  }
}
