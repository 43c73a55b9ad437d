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
export async function call(
  context: CallContext,
  request: CallRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const { config, output, clock, random, stop } = context
  const limits = retryLimits(config.retryDelayMs)
  for (let attempt = 0; ; attempt++) {
    const outcome = await callOnce(context, request)
    if (outcome.kind === 'answer') return outcome.answer
    if (attempt + 1 >= request.attempts || stop.aborted) {
      throw new ClientError(`${request.failure}: ${outcome.reason}`, { cause: outcome.cause })
    }
    const wait = Math.max(backOffMs(attempt, limits, random), outcome.retryAfterMs ?? 0)
    output.log('WARNING', `${outcome.reason}, trying again in ${Math.max(1, Math.round(wait / 1000))}s...`)
    await clock.sleep(wait, stop)
  }
}

type Outcome =
  | { readonly kind: 'answer'; readonly answer: Readonly<Record<string, unknown>> }
  | {
      readonly kind: 'transient'
      readonly reason: string
      readonly retryAfterMs?: number | undefined
      readonly cause?: unknown
    }

/** A complete answer. */
interface Exchange {
  readonly response: Response
  readonly answer: Readonly<Record<string, unknown>>
}

async function callOnce(context: CallContext, request: CallRequest): Promise<Outcome> {
  const { config, credentials, clock, stop } = context
  const late = (): never => {
    throw new Error(stop.aborted ? 'The client was told to stop' : 'No answer in time')
  }
  const exchange = async (signal: AbortSignal): Promise<Exchange> => {
    const response = await context.fetch(config.baseUrl + request.path, {
      method: request.method,
      headers: {
        Accept: 'application/json',
        ...(request.contentType !== undefined && { 'Content-Type': request.contentType }),
        ...credentials.headers(),
      },
      ...(request.body !== undefined && { body: request.body }),
      signal,
    })
    return { response, answer: await readAnswer(response) }
  }
  try {
    const limit = { clock, ms: config.timeoutMs, signal: stop, late }
    const { response, answer } = await runWithin(exchange, limit)
    if (response.status === 200) return { kind: 'answer', answer }
    const said = typeof answer['message'] === 'string' ? answer['message'] : 'no reason given'
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
