/**
 * Sends one GET to a server on which a verdict depends. It is bounded in time and size and never redirected. Every answer that is not
 * exactly as expected means "no verdict".
 *
 * @module
 */

import { readToEnd } from '#shared/bytes/read_to_end.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import type { Logger } from '#shared/logger.ts'
import type { Count } from './counters.ts'
import { verdictUnavailable } from './unavailable.ts'

/** The part of `fetch` that this module needs. */
export type FetchGet = (
  url: string,
  init: {
    readonly headers: Readonly<Record<string, string>>
    readonly redirect: 'manual'
    readonly signal: AbortSignal
  },
) => Promise<Response>

/** Everything that a call to such a server works with. */
export interface DependencyParts {
  readonly fetch: FetchGet
  readonly clock: Clock
  readonly logger: Logger
  readonly count: Count
}

/** One GET to send. */
export interface Question {
  /** Configured name of the server, for logs. Its address is not logged. */
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
 * Sends the GET and reads the whole answer.
 *
 * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when no answer comes in time, and for an answer that is broken, incomplete, compressed,
 *   too large or a redirect.
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

/** Records an answer that breaks the protocol. @returns the failure to throw. */
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
    // One runtime treats a connection that closes early as the end of the body.
    const declared = response.headers.get('content-length')
    if (declared !== null && Number(declared) !== body.length) throw broken('incomplete answer')
    return { status, headers: response.headers, body }
  } catch (error) {
    // Not awaited, because a source that never settles its cancellation must not hold up the verdict.
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

/** A failure whose reason is our own text, not the text of a library or of the other server. */
class BrokenAnswer extends Error {}

function broken(reason: string): BrokenAnswer {
  return new BrokenAnswer(reason)
}

function reasonOf(error: unknown): string {
  return error instanceof BrokenAnswer ? error.message : 'connection failed'
}
