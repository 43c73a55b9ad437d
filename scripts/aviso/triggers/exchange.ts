/**
 * One POST with one answer, as the protocols of the trigger `post` make it.
 *
 * @module
 */

import { reasonOf } from '#shared/client/client_error.ts'
import { retryAfterMs } from '#shared/client/retry.ts'
import { runWithin } from '#shared/time/deadline.ts'
import type { ReceivedNotification } from '#shared/client/notification.ts'
import { TriggerError, type TriggerHost, type TriggerPlan } from './trigger.ts'

/** How a protocol sends. */
export interface Sender {
  send(notification: ReceivedNotification, kill: AbortSignal): Promise<void>
  plan(notification: ReceivedNotification): TriggerPlan
}

/** A request to a receiver. */
export interface PostRequest {
  readonly url: string
  readonly headers: Headers
  readonly body: string
  readonly timeoutSeconds: number
  /** Ends it at once. */
  readonly kill: AbortSignal
}

/** The whole answer. */
export interface PostAnswer {
  readonly status: number
  readonly text: string
  /** How long the receiver wants to be left alone; `undefined`: it does not say. */
  readonly retryAfterMs: number | undefined
}

/** 1.x's time limit. */
export const DEFAULT_TIMEOUT_SECONDS = '60'
/** How much of a refusal's body goes into a message. */
const MAX_ANSWER_CHARACTERS = 4096
/** Refusals that may pass. */
const TRANSIENT: readonly number[] = [408, 425, 429]

/**
 * Posts a body. Redirections are not followed, because they could take it anywhere.
 *
 * @throws {TriggerError} when there is no answer.
 */
export async function exchange(request: PostRequest, { fetch, clock }: TriggerHost): Promise<PostAnswer> {
  const { url, headers, body, timeoutSeconds, kill } = request
  const late = (): never => {
    throw new Error(`no answer within ${timeoutSeconds} s`)
  }
  const ask = async (signal: AbortSignal): Promise<PostAnswer> => {
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    const text = (await response.text()).slice(0, MAX_ANSWER_CHARACTERS)
    const wait = retryAfterMs(response.headers.get('retry-after'), clock.now())
    return { status: response.status, text, retryAfterMs: wait }
  }
  try {
    return await runWithin(ask, { clock, ms: timeoutSeconds * 1000, signal: kill, late })
  } catch (cause) {
    const reason = kill.aborted ? 'the client is stopping' : reasonOf(cause)
    throw new TriggerError(`cannot reach ${url}: ${reason}`, { retryable: !kill.aborted, cause })
  }
}

/** Whether an answer means success. */
export function isSuccess({ status }: PostAnswer): boolean {
  return status >= 200 && status < 300
}

/** Whether another attempt may succeed. */
export function mayPass({ status }: PostAnswer): boolean {
  return status >= 500 || TRANSIENT.includes(status)
}
