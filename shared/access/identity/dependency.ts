/**
 * One GET to a server on which a verdict depends: bounded in time and size, never redirected, and every answer that is not exactly
 * what was asked for is "no verdict".
 *
 * @module
 */

import { readToEnd } from '#shared/bytes/read_to_end.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import type { Logger } from '#shared/logger.ts'
import type { Count } from './counters.ts'
import { verdictUnavailable } from './unavailable.ts'

/** The part of `fetch` that is needed. */
export type FetchGet = (
  url: string,
  init: {
    readonly headers: Readonly<Record<string, string>>
    readonly redirect: 'manual'
    readonly signal: AbortSignal
  },
) => Promise<Response>

/** What every dependency works with. */
export interface DependencyParts {
  readonly fetch: FetchGet
  readonly clock: Clock
  readonly logger: Logger
  readonly count: Count
}

/** What to ask. */
export interface Question {
  /** Configured name of the server, for logs: its address is not logged. */
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly limitBytes: number
}

/** A complete answer with any status but a redirect. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

/**
 * Asks.
 *
 * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` for no answer in time, a broken or incomplete one, a redirect, a compressed body, one over
 *   the limit.
 */
export async function ask(parts: DependencyParts, question: Question): Promise<Answer> {
  const { clock, count, logger } = parts
  count('dependency_calls')
  const late = (): never => {
    throw broken('no answer in time')
  }
  try {
    const limit = { clock, ms: question.timeoutMs, late }
    return await runWithin((signal) => exchange(parts.fetch, question, signal), limit)
  } catch (error) {
    count('dependency_failures')
    const reason = reasonOf(error)
    logger('warn', 'A server that identity or policy depends on failed', { server: question.name, reason })
    throw verdictUnavailable(`${question.name}: ${reason}`)
  }
}

/** Records an answer that breaks the protocol, and is the failure for it. */
export function contractBroken({ count, logger }: DependencyParts, name: string, reason: string): Error {
  count('dependency_failures')
  logger('warn', 'A server that identity or policy depends on failed', { server: name, reason })
  return verdictUnavailable(`${name}: ${reason}`)
}

async function exchange(fetch: FetchGet, question: Question, signal: AbortSignal): Promise<Answer> {
  const headers = { accept: 'application/json', 'accept-encoding': 'identity', ...question.headers }
  const response = await fetch(question.url, { headers, redirect: 'manual', signal })
  const { status } = response
  try {
    if (status === 0 || (status >= 300 && status < 400) || response.redirected) throw broken('redirect')
    const encoding = response.headers.get('content-encoding')
    if (encoding !== null && encoding !== 'identity') throw broken('compressed answer')
    const body = await readBounded(response, question.limitBytes)
    // One runtime takes a connection that closes early for the end of the body.
    const declared = response.headers.get('content-length')
    if (declared !== null && Number(declared) !== body.length) throw broken('incomplete answer')
    return { status, headers: response.headers, body }
  } catch (error) {
    // Not awaited: a source that never settles its cancellation must not hold the verdict.
    if (response.body?.locked === false) response.body.cancel().catch(() => undefined)
    throw error
  }
}

async function readBounded(response: Response, limitBytes: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0)
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  const body = await readToEnd(async () => (await reader.read()).value, limitBytes)
  if (body !== undefined) return body
  reader.cancel().catch(() => undefined)
  throw broken('oversized answer')
}

/** A reason of our own words, as opposed to the text of a library or of the other server. */
class BrokenAnswer extends Error {}

function broken(reason: string): BrokenAnswer {
  return new BrokenAnswer(reason)
}

function reasonOf(error: unknown): string {
  return error instanceof BrokenAnswer ? error.message : 'connection failed'
}
