/**
 * Makes responses with JSON bodies. Errors become responses here and nowhere else.
 *
 * An error body has `message`, `code`, `error` and `request_id`. Its text is repeated only where clients of its generation read it: 1.x in
 * `detail`, 2.x in `details`. (The etcd facade has its own form, `services/auth/etcd_facade/messages.ts`.)
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { AvisoErrorCode } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { usedUp } from './rate_limit.ts'
import type { LogFields, Logger } from '#shared/logger.ts'

/** The wire form of an error: 1.x (with this service's codes) or 2.x (with 2.x's code names). */
export type WireGeneration = 1 | 2

/** What the answer to an error needs besides the error. */
export interface ErrorContext {
  /** Sent as `X-Request-ID` and as `request_id`. */
  readonly requestId: string
  readonly logger: Logger
  /** Default: 1. */
  readonly generation?: WireGeneration
  /** Whether the request was a write. A failure then says whether something may have been stored. */
  readonly write?: boolean
  /** The label of 2.x for a request that cannot be read: it names the kind of request, whatever the code. */
  readonly label?: string | undefined
  /** Further members of the body, e.g. `configured_event_types`. They never replace the standard members. */
  readonly extra?: Readonly<Record<string, unknown>>
  /** Further headers, e.g. `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>
}

/** The only accepted form of a client's request id, because the id goes into headers, bodies and logs. */
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/

/** Codes of aviso 2.x. A code that is missing here is sent without its `ERR_`. */
const CODES_2: Partial<Record<AvisoErrorCode, string>> = {
  ERR_BAD_REQUEST: 'INVALID_REQUEST_SHAPE',
  ERR_INVALID_NOTIFICATION: 'INVALID_NOTIFICATION_REQUEST',
  ERR_UNKNOWN_EVENT: 'UNKNOWN_EVENT_TYPE',
  ERR_UNAUTHENTICATED: 'UNAUTHORIZED',
  ERR_INTERNAL: 'INTERNAL_ERROR',
  ERR_STORE_UNAVAILABLE: 'SERVICE_UNAVAILABLE',
  ERR_STORE_FULL: 'SERVICE_UNAVAILABLE',
  ERR_STORE_PROTOCOL: 'SERVICE_UNAVAILABLE',
  ERR_OUTCOME_UNKNOWN: 'SERVICE_UNAVAILABLE',
  ERR_OVERLOADED: 'SERVICE_UNAVAILABLE',
  ERR_VERDICT_UNAVAILABLE: 'SERVICE_UNAVAILABLE',
}

/** The `error` labels of 2.x that are not simply the code in lower case. */
export const LABELS_2: Readonly<Record<string, string>> = {
  INVALID_NOTIFICATION_REQUEST: 'Invalid Notification Request',
  INVALID_WATCH_REQUEST: 'Invalid Watch Request',
  INVALID_REPLAY_REQUEST: 'Invalid Replay Request',
}

/** Codes of requests that cannot be read, whose label names the kind of request. */
const UNREADABLE: readonly string[] = ['INVALID_JSON', 'UNKNOWN_FIELD', 'INVALID_REQUEST_SHAPE']

/** The `Retry-After` that 1.x sends with every 503. */
const RETRY_AFTER_SECONDS_1X = 30

/**
 * `Retry-After` of an error without `details.retry_after` (a quota sets that), in seconds. It is short when a restart or an election ends
 * the problem, and a minute when an operator must act.
 */
const RETRY_AFTER_SECONDS: Partial<Record<AvisoErrorCode, number>> = {
  ERR_TOO_MANY_REQUESTS: 1,
  ERR_OVERLOADED: 1,
  ERR_OUTCOME_UNKNOWN: 2,
  ERR_STORE_UNAVAILABLE: 2,
  ERR_STORE_PROTOCOL: 5,
  ERR_VERDICT_UNAVAILABLE: RETRY_AFTER_SECONDS_1X,
  ERR_STORE_FULL: 60,
  ERR_STORE_DAMAGED: 60,
}

/** The id of a request: the client's `X-Request-ID` if it is safe, otherwise a random id. */
export function requestIdOf(request: HandlerRequest, random: () => string): string {
  const given = request.headers.get('x-request-id')
  return given !== null && REQUEST_ID.test(given) ? given : random()
}

/** JSON text of a body. A bigint becomes decimal text in quotes, because a JSON number is exact only to 2^53. */
export function jsonText(body: unknown): string {
  try {
    return JSON.stringify(body)
  } catch {
    // A replacer costs several times the plain call, so only a body with a bigint uses it.
    return JSON.stringify(body, (_name, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    )
  }
}

/** A JSON response that caches do not keep, and whose type browsers do not guess. */
export function jsonResponse(
  status: number,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
): Answer {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    },
    body: jsonText(body),
  }
}

/** The form of any thrown value that is safe for clients: everything except an {@link AvisoError} becomes an `ERR_INTERNAL`. */
export function toAvisoError(error: unknown): AvisoError {
  if (isAvisoError(error)) return error
  return new AvisoError('ERR_INTERNAL', 'The service failed to handle this request', { cause: error })
}

/** Whether a failed write may have been stored: `unknown` after a lost or unreadable answer of the store, otherwise `none`. */
export function writeOutcome(error: AvisoError): 'unknown' | 'none' {
  return isAvisoError(error, 'ERR_OUTCOME_UNKNOWN', 'ERR_STORE_PROTOCOL', 'ERR_INTERNAL') ? 'unknown' : 'none'
}

/**
 * The `code` that a client reads. 2.x has several codes for some of ours, so an error may name the 2.x code in
 * `details.wire_code`, e.g. `{ wire_code: 'UNKNOWN_FIELD' }`.
 */
export function wireCode(error: AvisoError, generation: WireGeneration): string {
  if (generation === 1) return error.code
  return error.details.wire_code ?? CODES_2[error.code] ?? error.code.slice('ERR_'.length)
}

/** The details of an error for its body: all except those that go into headers or choose the code. */
export function bodyDetails({ details }: AvisoError): AvisoError['details'] {
  const {
    wire_code: _wireCode,
    allow: _allow,
    retry_after: _retryAfter,
    challenge: _challenge,
    ...fields
  } = details
  return fields
}

/** `WWW-Authenticate` of a 401 (RFC 9110 §11.6.1): the accepted schemes, as the error names them. */
export function challengeOf({ details }: AvisoError): string {
  return details.challenge ?? 'Bearer'
}

/**
 * `Retry-After` of an answer with an error (RFC 9110 §10.2.3): seconds.
 *
 * @param isFacade Whether the answer is for the etcd facade, whose 1.x clients expect 1.x's value.
 * @returns the header's value, or `undefined` when trying again does not help.
 */
export function retryAfterOf({ code, status, details }: AvisoError, isFacade = false): string | undefined {
  if (isFacade && status === 503) return String(RETRY_AFTER_SECONDS_1X)
  const seconds = details.retry_after ?? RETRY_AFTER_SECONDS[code]
  return seconds === undefined ? undefined : String(seconds)
}

function errorBody(error: AvisoError, context: ErrorContext): Record<string, unknown> {
  const { generation = 1, requestId, extra, write = false } = context
  const code = wireCode(error, generation)
  const fields = bodyDetails(error)
  const { message, status } = error
  return {
    ...fields,
    ...extra,
    ...(write && status >= 500 ? { outcome: writeOutcome(error) } : {}),
    message,
    code,
    ...(generation === 1
      ? { detail: message, error: code }
      : // 2.x clients expect text in `details`: the deepest cause.
        { error: labelOf(code, context), details: fields['reason'] ?? message }),
    request_id: requestId,
  }
}

function labelOf(code: string, { label }: ErrorContext): string {
  const known = label !== undefined && UNREADABLE.includes(code) ? label : LABELS_2[code]
  return known ?? code.toLowerCase()
}

function errorHeaders(error: AvisoError, context: ErrorContext): Record<string, string> {
  const headers: Record<string, string> = { 'x-request-id': context.requestId }
  const { allow } = error.details
  const retryAfter = retryAfterOf(error)
  if (retryAfter !== undefined) headers['retry-after'] = retryAfter
  if (error.code === 'ERR_TOO_MANY_REQUESTS' && retryAfter !== undefined)
    headers['ratelimit'] = usedUp(retryAfter)
  if (error.code === 'ERR_METHOD_NOT_ALLOWED' && allow !== undefined) headers['allow'] = String(allow)
  if (error.status === 401) headers['www-authenticate'] = challengeOf(error)
  return { ...headers, ...context.headers }
}

/** Logs a failure: a 5xx as an error, with the name of its cause but never its text; a refusal at level debug. */
function logError(error: AvisoError, context: ErrorContext): void {
  const fields: LogFields = { code: error.code, status: error.status, request_id: context.requestId }
  if (error.status < 500) return context.logger('debug', error.message, fields)
  const cause = error.cause instanceof Error ? error.cause.name : undefined
  context.logger('error', error.message, { ...fields, cause })
}

/**
 * Answers a request with an error. The code decides the status; the module header describes the body.
 *
 * `details` of the error become members of the body (`field`, `oldest_revision`, …) except `wire_code` (see {@link wireCode}),
 * `allow` (the `Allow` header of a 405), `retry_after` (seconds, the `Retry-After` header) and `challenge` (`WWW-Authenticate`).
 */
export function errorResponse(error: unknown, context: ErrorContext): Answer {
  const failure = toAvisoError(error)
  logError(failure, context)
  return jsonResponse(failure.status, errorBody(failure, context), errorHeaders(failure, context))
}
