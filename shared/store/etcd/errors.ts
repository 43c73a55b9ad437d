/**
 * What an error of the etcd gateway means: by gRPC code and text, never by HTTP status, which says little (429 stands for a full store,
 * an oversized request and an overloaded member; 400 for a missing token and for compacted history).
 *
 * Two shapes: `{"error", "message", "code"}` (etcd 3.4) and `{"code", "message"}` (3.5); in streams `{"error": {"grpc_code", "message",
 * …}}`
 * and `{"error": {"code", "message"}}`. The texts are those of etcd's `rpctypes`; they are the same in 3.4 and 3.5.
 *
 * @module
 */

import { AvisoError, HistoryCompacted, type AvisoErrorCode } from '#shared/errors.ts'
import { malformed, toObject, type WireObject } from './wire.ts'

/** An error that the gateway sent. */
export interface GatewayError {
  /** gRPC code. */
  readonly code: number
  readonly message: string
}

/**
 * What a failure means for the call.
 * - `refused`: it will be refused again.
 * - `login`: nothing was done; with a new token it may work.
 * - `not_done`: nothing was done; another member, or this one later, may do it.
 * - `unknown`: it may have been done, or may yet be.
 *
 * With `silent`, the member sent nothing within the time limit.
 */
export type Verdict =
  | { readonly kind: 'refused'; readonly error: AvisoError }
  | { readonly kind: 'login'; readonly error: AvisoError }
  | { readonly kind: 'not_done'; readonly error: AvisoError; readonly silent?: boolean }
  | { readonly kind: 'unknown'; readonly error: AvisoError; readonly silent?: boolean }

/** gRPC codes used here. */
const INVALID_ARGUMENT = 3
const PERMISSION_DENIED = 7
const UNIMPLEMENTED = 12
const UNAUTHENTICATED = 16

/** gRPC code of what has no room. */
const RESOURCE_EXHAUSTED = 8

/** How a receiver of gRPC says that a message is too large for it: ourselves, and the gateway, which is a client of etcd. */
const TOO_LARGE_TEXT = /received message larger than max/i

/** Part of etcd's text for history that is gone. Only a watch learns which revision is the oldest. */
const COMPACTED_TEXT = 'has been compacted'

/** Part of etcd's text → what we call it. The first that occurs decides. */
const REFUSALS: readonly (readonly [text: string, code: AvisoErrorCode, message: string])[] = [
  ['is a future revision', 'ERR_FUTURE_POSITION', 'The revision does not exist yet'],
  [
    'database space exceeded',
    'ERR_STORE_FULL',
    'The store is full: compact and defragment it, then clear its alarm',
  ],
  ['request is too large', 'ERR_TOO_LARGE', 'The request is too large for the store: split it or store less'],
  [
    'received message larger than max',
    'ERR_TOO_LARGE',
    'The request is too large for the store: split it or store less',
  ],
  [
    'too many operations in txn',
    'ERR_TOO_LARGE',
    'The transaction has more operations than the store takes: split it',
  ],
  ['duplicate key given in txn', 'ERR_INVALID_RANGE', 'A transaction writes each key once'],
  ['key is not provided', 'ERR_INVALID_RANGE', 'A key must not be empty'],
  ['watcher range is empty', 'ERR_INVALID_RANGE', 'The range to watch is empty'],
  [
    'authentication is not enabled',
    'ERR_CONFIG',
    'The store knows no users: leave out its user and password',
  ],
  ['too large lease TTL', 'ERR_INVALID_RANGE', 'The store takes no lease that long'],
  ['requested lease not found', 'ERR_NOT_FOUND', 'The lease is unknown or has ended: take a new one'],
]

/** The token is missing, ended, or older than a change of users. */
const LOGIN_TEXTS = ['invalid auth token', 'user name is empty', 'auth store is old']

/** The credentials themselves are refused. */
const CREDENTIAL_TEXTS = ['authentication failed', 'permission denied']

/** etcd answers these before it proposes anything to the others. */
const NOT_DONE_TEXTS = ['etcdserver: no leader', 'too many requests', 'raft proposal dropped']

/** The error in an answer or a line of a stream; `undefined` where there is none. */
export function readGatewayError(body: WireObject | undefined): GatewayError | undefined {
  if (body === undefined) return undefined
  const inner = toObject(body['error'])
  // Another Aviso says in `message` what clients of 1.x know, and in `error` what etcd's do.
  const message = inner?.['message'] ?? body['error'] ?? body['message']
  const code = body['code'] ?? inner?.['grpc_code'] ?? inner?.['code']
  if (typeof message !== 'string' && typeof code !== 'number') return undefined
  return { code: typeof code === 'number' ? code : 0, message: typeof message === 'string' ? message : '' }
}

/** Judges an error of the gateway. */
export function judge({ code, message }: GatewayError): Verdict {
  // For the log only, because the text comes from another server.
  const cause = new Error(`etcd: ${message} (code ${code})`)
  if (message.includes(COMPACTED_TEXT)) return { kind: 'refused', error: compacted(undefined, cause) }
  const refusal = REFUSALS.find(([text]) => message.includes(text))
  if (refusal !== undefined) {
    return { kind: 'refused', error: new AvisoError(refusal[1], refusal[2], { cause }) }
  }
  if (code === UNAUTHENTICATED || LOGIN_TEXTS.some((text) => message.includes(text))) {
    return { kind: 'login', error: credentialsRefused(cause) }
  }
  if (code === PERMISSION_DENIED || CREDENTIAL_TEXTS.some((text) => message.includes(text))) {
    return { kind: 'refused', error: credentialsRefused(cause) }
  }
  if (code === INVALID_ARGUMENT || code === UNIMPLEMENTED) return { kind: 'refused', error: malformed(cause) }
  if (NOT_DONE_TEXTS.some((text) => message.includes(text)))
    return { kind: 'not_done', error: unavailable(cause) }
  return { kind: 'unknown', error: unavailable(cause) }
}

/** The error of a stream whose next message is larger than we take. */
export const TOO_LARGE_MESSAGE: GatewayError = {
  code: RESOURCE_EXHAUSTED,
  message: 'Received message larger than max',
}

/** Whether an error says that a message of a stream was not received, because it was too large. */
export function isTooLargeMessage({ code, message }: GatewayError): boolean {
  return code === RESOURCE_EXHAUSTED && TOO_LARGE_TEXT.test(message)
}

/** Judges an answer that is not etcd's JSON, by its HTTP status: there is nothing else. */
export function judgeForeign(status: number): Verdict {
  const error = malformed(new Error(`HTTP status ${status} without an error of etcd`))
  // A proxy that answers 5xx may have passed the request on; so may one that garbles a 200.
  return { kind: status >= 500 || status < 300 ? 'unknown' : 'not_done', error }
}

/** History that is gone. @param oldest The oldest revision that can be read, where it is known. */
export function compacted(oldest: bigint | undefined, cause?: unknown): HistoryCompacted {
  return new HistoryCompacted('This part of the history is no longer kept', oldest, cause)
}

/** The store cannot be asked now. */
export function unavailable(cause?: unknown): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store does not answer at present: try again', { cause })
}

/** The member did not answer in time. */
export function silence(limitMs: number): Verdict & { readonly kind: 'unknown' } {
  const error = unavailable(new Error(`No answer within ${limitMs} ms`))
  return { kind: 'unknown', error, silent: true }
}

/** Whether the member sent nothing. */
export function isSilent(outcome: { readonly kind: string; readonly silent?: boolean }): boolean {
  return outcome.silent === true
}

/** The store was closed by us. */
export function closedError(): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store was closed')
}

/** The caller gave up. */
export function givenUp(): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The call was given up before it was answered')
}

/** A write was sent and not answered. */
export function outcomeUnknown(cause: unknown): AvisoError {
  return new AvisoError(
    'ERR_OUTCOME_UNKNOWN',
    'The write was sent but not answered: it may have been done, or may yet be',
    { cause },
  )
}

function credentialsRefused(cause: unknown): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    'The store refuses us: for etcd check vars.storeUser and its roles; for another Aviso check the token of vars.storeTokenEnv, and that a rule there says "relay": true for it',
    { cause },
  )
}
