/**
 * Makes one request with one answer, and tries again after failures that may pass.
 *
 * @module
 */

import { backOffMs } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { retryAfterMs, retryLimits } from './retry.ts'
import { ClientError, reasonOf } from './client_error.ts'
import { readAnswer } from './connection.ts'
import type { Credentials } from './credentials.ts'
import type { MessageLog } from './message_log.ts'

/** The service to call, and what calls need. */
export interface CallContext {
  readonly config: {
    /** Address of the service without trailing slash. */
    readonly baseUrl: string
    /** Longest wait for an answer; absent: no limit. */
    readonly timeoutMs?: number
    /** Longest wait between two attempts. */
    readonly retryDelayMs?: number
  }
  readonly credentials: Credentials
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly output: MessageLog
  readonly stop: AbortSignal
}

/** A request that can safely be made twice. */
export interface CallRequest {
  /** Path below the service's address. */
  readonly path: string
  readonly method: 'GET' | 'POST'
  /** Type of the answer; absent: JSON. */
  readonly accept?: string
  readonly contentType?: string
  readonly body?: string
  /** Most attempts. */
  readonly attempts: number
  /** Beginning of the message of a failure, such as `Not able to notify`. */
  readonly failure: string
}

const TRANSIENT = new Set([408, 425, 429, 502, 503, 504])

/**
 * @returns the JSON object of a 200 answer
 * @throws {ClientError} with the service's own message, for a refusal or when no attempt succeeded.
 */
export function call(context: CallContext, request: CallRequest): Promise<Readonly<Record<string, unknown>>> {
  return callUntil(context, request, readAnswer)
}

/** The text of an answer, and its headers. */
export interface TextAnswer {
  readonly text: string
  readonly headers: Headers
}

/** {@link call} for an answer that is text, such as lines of JSON. */
export function callText(context: CallContext, request: CallRequest): Promise<TextAnswer> {
  return callUntil(context, request, async (response) => ({
    text: await response.text(),
    headers: response.headers,
  }))
}

async function callUntil<Answer>(
  context: CallContext,
  request: CallRequest,
  read: (response: Response) => Promise<Answer>,
): Promise<Answer> {
  const { config, output, clock, random, stop } = context
  const limits = retryLimits(config.retryDelayMs)
  for (let attempt = 0; ; attempt++) {
    const outcome = await callOnce(context, request, read)
    if (outcome.kind === 'answer') return outcome.answer
    if (attempt + 1 >= request.attempts || stop.aborted) {
      throw new ClientError(`${request.failure}: ${outcome.reason}`, { cause: outcome.cause })
    }
    const wait = Math.max(backOffMs(attempt, limits, random), outcome.retryAfterMs ?? 0)
    output.log('WARNING', `${outcome.reason}, trying again in ${Math.max(1, Math.round(wait / 1000))}s...`)
    await clock.sleep(wait, stop)
  }
}

type Outcome<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | {
      readonly kind: 'transient'
      readonly reason: string
      readonly retryAfterMs?: number | undefined
      readonly cause?: unknown
    }

/** A complete answer: what was asked for, or why it was refused. */
type Exchange<Answer> =
  | { readonly isRefused: false; readonly answer: Answer }
  | { readonly isRefused: true; readonly response: Response; readonly said: unknown }

async function callOnce<Answer>(
  context: CallContext,
  request: CallRequest,
  read: (response: Response) => Promise<Answer>,
): Promise<Outcome<Answer>> {
  const { config, credentials, clock, stop } = context
  const late = (): never => {
    throw new Error(stop.aborted ? 'The client was told to stop' : 'No answer in time')
  }
  const exchange = async (signal: AbortSignal): Promise<Exchange<Answer>> => {
    const response = await context.fetch(config.baseUrl + request.path, {
      method: request.method,
      headers: {
        Accept: request.accept ?? 'application/json',
        ...(request.contentType !== undefined && { 'Content-Type': request.contentType }),
        ...credentials.headers(),
      },
      ...(request.body !== undefined && { body: request.body }),
      signal,
    })
    if (response.status === 200) return { isRefused: false, answer: await read(response) }
    return { isRefused: true, response, said: (await readAnswer(response))['message'] }
  }
  try {
    const limit = { clock, ms: config.timeoutMs, signal: stop, late }
    const result = await runWithin(exchange, limit)
    if (!result.isRefused) return { kind: 'answer', answer: result.answer }
    const { response } = result
    const said = typeof result.said === 'string' ? result.said : 'no reason given'
    // A wrong path is seen in the address.
    const where = response.status === 404 ? ` (${config.baseUrl}${request.path})` : ''
    const reason = `status ${response.status}, ${said}${where}`
    if (!TRANSIENT.has(response.status))
      throw new ClientError(`${request.failure}: ${reason}`, { status: response.status })
    return {
      kind: 'transient',
      reason,
      retryAfterMs: retryAfterMs(response.headers.get('retry-after'), clock.now()),
    }
  } catch (cause) {
    if (cause instanceof ClientError) throw cause
    return { kind: 'transient', reason: `Unable to connect to ${config.baseUrl} (${reasonOf(cause)})`, cause }
  }
}
