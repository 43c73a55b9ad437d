/**
 * Asks another service for a text, within a time and a size, whatever that service does.
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import { readToEnd } from '#shared/bytes/read_to_end.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'

/** `fetch`, as far as it is used here. */
export type MonitoringFetch = (url: string, init: RequestInit) => Promise<Response>

/** What asking takes. */
export interface FetchParts {
  readonly fetch: MonitoringFetch
  readonly clock: Clock
}

/** How much and how long. */
export interface FetchBounds {
  readonly timeoutMs: number
  readonly limitBytes: number
  readonly signal?: AbortSignal
}

/** An answer. */
export interface BoundedAnswer {
  readonly status: number
  readonly text: string
}

/**
 * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` where there is no answer in time, `ERR_TOO_LARGE` where it is too large. Redirects are
 *   answers like any other: a monitoring that follows them can be sent anywhere.
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
