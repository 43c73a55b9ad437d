/**
 * One POST to one member, bounded in time and size.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { FetchLike, FetchLikeResponse } from './fetch_like.ts'
import { judge, judgeForeign, readGatewayError, unavailable, type Verdict } from './gateway_errors.ts'
import { parseObject, type WireObject } from './gateway_wire.ts'

/** Largest answer: a page of several hundred of the largest values. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
/** Of an answer that is an error no more is read: etcd's are a few hundred bytes, and a proxy's page is not looked at. */
const MAX_ERROR_BYTES = 64 * 1024

/** How long the rest of an answer may take once it has begun: 64 MiB at some 50 Mbit/s. */
const BODY_LIMIT_MS = 10_000

/** What a POST is sent with. */
export interface Exchange {
  /** The address of a member and a path. */
  readonly url: string
  readonly body: string
  /** etcd's token, where it asks for one. */
  readonly token: string | undefined
  /** Until the answer begins. */
  readonly limitMs: number
  /** Any of them gives up the exchange. */
  readonly signals: readonly (AbortSignal | undefined)[]
}

/** What came of it. */
export type Outcome<Value> = { readonly kind: 'done'; readonly value: Value } | Verdict

/** Headers of every request. */
export function gatewayHeaders(token: string | undefined): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    // A member without a leader then says so at once, before it takes a write and during a watch; otherwise it is silent.
    'Grpc-Metadata-hasleader': 'true',
    ...(token !== undefined && { Authorization: token }),
  }
}

/** Sends a POST and reads its answer. Never throws. */
export async function exchange(
  send: FetchLike,
  clock: Clock,
  { url, body, token, limitMs, signals }: Exchange,
): Promise<Outcome<WireObject>> {
  const giveUp = new AbortController()
  let response: FetchLikeResponse | undefined
  const abort = (): void => {
    // On Deno 2.9 the signal alone often does nothing once a body is being read.
    response?.cancel()
    giveUp.abort()
  }
  const stopListening = onAbort(signals, abort)
  let outcome: Outcome<WireObject> | undefined
  try {
    const sent = send(url, { headers: gatewayHeaders(token), body, signal: giveUp.signal })
    response = await limitTime(clock, limitMs, sent)
    if (response === undefined) return tooLate()
    outcome = await limitTime(clock, BODY_LIMIT_MS, readAnswer(response))
    return outcome ?? tooLate()
  } catch (error) {
    return toVerdict(error)
  } finally {
    stopListening()
    if (outcome === undefined) abort()
  }
}

/** The value of a promise; `undefined` when it takes too long, whether or not the runtime heeds signals. */
async function limitTime<Value>(
  clock: Clock,
  limitMs: number,
  promise: Promise<Value>,
): Promise<Value | undefined> {
  const settled = new AbortController()
  try {
    return await Promise.race([promise, clock.sleep(limitMs, settled.signal).then(() => undefined)])
  } finally {
    settled.abort()
  }
}

/** What an exception of a {@link FetchLike} means. */
export function toVerdict(error: unknown): Verdict {
  return isAvisoError(error, 'ERR_STORE_UNAVAILABLE')
    ? { kind: 'not_done', error }
    : { kind: 'unknown', error: unavailable(error) }
}

/** Reads and judges an answer that ends. */
export async function readAnswer(response: FetchLikeResponse): Promise<Outcome<WireObject>> {
  const isError = response.status !== 200
  const text = await readText(response, isError ? MAX_ERROR_BYTES : MAX_ANSWER_BYTES)
  const message = text === undefined ? undefined : parseObject(text)
  if (!isError && message !== undefined) return { kind: 'done', value: message }
  const error = readGatewayError(message)
  return error === undefined ? judgeForeign(response.status) : judge(error)
}

/** Calls `task` at most once, when one of the signals aborts. @returns Stops that. */
export function onAbort(signals: readonly (AbortSignal | undefined)[], task: () => void): () => void {
  const given = signals.filter((signal) => signal !== undefined)
  if (given.some((signal) => signal.aborted)) task()
  for (const signal of given) signal.addEventListener('abort', task)
  return () => {
    for (const signal of given) signal.removeEventListener('abort', task)
  }
}

async function readText(response: FetchLikeResponse, maxBytes: number): Promise<string | undefined> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const piece = await response.read()
    if (piece === undefined) return text + decoder.decode()
    bytes += piece.length
    if (bytes > maxBytes) {
      response.cancel()
      return undefined
    }
    text += decoder.decode(piece, { stream: true })
  }
}

function tooLate(): Verdict {
  return { kind: 'unknown', error: unavailable(new Error('No answer within the time limit')) }
}
