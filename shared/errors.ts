/**
 * The one error type of the project, and the one table from error codes to HTTP statuses.
 *
 * @module
 */

/** Error code → HTTP status. The type of every code is read off this table, so no status number for an error stands anywhere else. */
export const ERROR_STATUS = {
  ERR_BAD_REQUEST: 400,
  ERR_INVALID_JSON: 400,
  ERR_INVALID_NOTIFICATION: 400,
  ERR_UNKNOWN_EVENT: 400,
  ERR_INVALID_RANGE: 400,
  ERR_UNAUTHENTICATED: 401,
  ERR_FORBIDDEN: 403,
  /** The store is another Aviso, where alone one may write. */
  ERR_READ_ONLY: 403,
  ERR_NOT_FOUND: 404,
  ERR_METHOD_NOT_ALLOWED: 405,
  ERR_BODY_TIMEOUT: 408,
  ERR_ID_REUSED: 409,
  /** The same job of an admin runs already, here or elsewhere. */
  ERR_JOB_RUNNING: 409,
  /** What the caller builds on has changed meanwhile: somebody else was faster. */
  ERR_CONFLICT: 409,
  /** The clock contradicts what the store tells, so nothing is deleted on its word. */
  ERR_CLOCK_UNSURE: 409,
  ERR_HISTORY_COMPACTED: 410,
  ERR_FUTURE_POSITION: 410,
  ERR_EPOCH_CHANGED: 410,
  ERR_TOO_LARGE: 413,
  ERR_UNSUPPORTED_MEDIA_TYPE: 415,
  ERR_TOO_MANY_REQUESTS: 429,
  ERR_INTERNAL: 500,
  ERR_STORE_UNAVAILABLE: 503,
  ERR_STORE_FULL: 503,
  ERR_STORE_PROTOCOL: 503,
  ERR_OUTCOME_UNKNOWN: 503,
  ERR_OVERLOADED: 503,
  /** Whether somebody may have access cannot be found out now. It is never access. */
  ERR_VERDICT_UNAVAILABLE: 503,
  /** Configuration or usage; never reaches a client, ends a command with exit code 2. */
  ERR_CONFIG: 500,
} as const

export type AvisoErrorCode = keyof typeof ERROR_STATUS

/** What an {@link AvisoError} may carry besides its message. */
export interface AvisoErrorOptions {
  /** The failure behind this one. Only the logger sees it; it never reaches a client. */
  readonly cause?: unknown
  /** Machine-readable details that a client may see, e.g. `{ field: "step" }`, `{ oldest_revision: "17" }`. */
  readonly details?: Readonly<Record<string, string | number | boolean>>
}

/**
 * A failure with a code. Its message is shown to clients: it names what is wrong and how to mend it, and
 * never contains a token, a payload, an address of ours or text of an upstream service.
 */
export class AvisoError extends Error {
  readonly code: AvisoErrorCode
  readonly details: Readonly<Record<string, string | number | boolean>>

  constructor(code: AvisoErrorCode, message: string, options: AvisoErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AvisoError'
    this.code = code
    this.details = options.details ?? {}
  }

  /** HTTP status of {@link code}. */
  get status(): number {
    return ERROR_STATUS[this.code]
  }
}

/** Whether a value is an {@link AvisoError}, with one of the given codes where any are given. */
export function isAvisoError(error: unknown, ...codes: readonly AvisoErrorCode[]): error is AvisoError {
  return error instanceof AvisoError && (codes.length === 0 || codes.includes(error.code))
}
