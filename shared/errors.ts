/**
 * The one error type of the project, and the one table from error codes to HTTP statuses and meanings.
 *
 * @module
 */

/** What clients and operators can read about an error code. */
interface ErrorEntry {
  /** HTTP status. */
  readonly status: number
  /** What is wrong, in one sentence. */
  readonly meaning: string
  /** What to do about it. */
  readonly remedy: string
}

/**
 * Error code → HTTP status, meaning and remedy. The type of the codes is derived from this table, and only this table says the status of
 * an error. `shared/ERRORS.md` is generated from it.
 */
export const ERRORS = {
  ERR_BAD_REQUEST: {
    status: 400,
    meaning: 'The request has the wrong shape, or a value that cannot be used.',
    remedy: 'Correct the `field` that the answer names.',
  },
  ERR_INVALID_JSON: {
    status: 400,
    meaning: 'The body is not valid JSON, or names a member twice.',
    remedy: 'Correct the body at the byte that the message names.',
  },
  ERR_INVALID_NOTIFICATION: {
    status: 400,
    meaning: 'A notification does not fit the schema of its event type.',
    remedy: 'Correct the `field` that the answer names.',
  },
  ERR_UNKNOWN_EVENT: {
    status: 400,
    meaning: 'No schema has this event type.',
    remedy: 'Use an event type of `GET /api/v1/schema`, or add it to the schema.',
  },
  ERR_TOO_MANY_EVENTS: {
    status: 400,
    meaning: 'The service has published as many event types without a schema as it takes.',
    remedy: 'Give the event type a schema. Only event types without one are bounded.',
  },
  ERR_INVALID_RANGE: {
    status: 400,
    meaning: 'A range of keys is empty, or too large for the store.',
    remedy: 'Correct the key and the end of the range.',
  },
  ERR_UNAUTHENTICATED: {
    status: 401,
    meaning: 'The request has no valid credential.',
    remedy: 'Send a credential that `WWW-Authenticate` names.',
  },
  ERR_TICKET_ENDED: {
    status: 401,
    meaning: 'The ticket of a stream was used already, or its time is over.',
    remedy: 'Get a new ticket with `POST /api/v1/tickets`, and open the stream with that.',
  },
  ERR_FORBIDDEN: {
    status: 403,
    meaning: 'The requester may not do this.',
    remedy: 'Ask the operator for a rule that grants it.',
  },
  ERR_READ_ONLY: {
    status: 403,
    meaning: 'The store is another Aviso, and this service can only read from it.',
    remedy: 'Publish and administer at the Aviso that holds the store.',
  },
  ERR_NOT_FOUND: {
    status: 404,
    meaning: 'There is nothing at this path or by this name.',
    remedy: 'Check the path and the name.',
  },
  ERR_METHOD_NOT_ALLOWED: {
    status: 405,
    meaning: 'The path exists, but not with this method.',
    remedy: 'Use a method of the `Allow` header.',
  },
  ERR_NOT_ACCEPTABLE: {
    status: 406,
    meaning: 'The path has nothing of a type that `Accept` takes.',
    remedy: 'Send an `Accept` with a type that the message names, or none.',
  },
  ERR_BODY_TIMEOUT: {
    status: 408,
    meaning: 'The body did not arrive in time.',
    remedy: 'Send the request again.',
  },
  ERR_ID_REUSED: {
    status: 409,
    meaning: 'The id was used for other content, and `strictIds` is on.',
    remedy: 'Give each notification its own id.',
  },
  ERR_JOB_RUNNING: {
    status: 409,
    meaning: 'An admin runs the same job already.',
    remedy: 'Wait until it has ended: see `aviso admin status`.',
  },
  ERR_CONFLICT: {
    status: 409,
    meaning: 'Another request changed the same thing first.',
    remedy: 'Read it again, and repeat the change.',
  },
  ERR_CLOCK_UNSURE: {
    status: 409,
    meaning: 'The clock contradicts the times in the store, so nothing is deleted.',
    remedy: 'Check the clock. If it is right, repeat with `--trust-clock`.',
  },
  ERR_HISTORY_COMPACTED: {
    status: 410,
    meaning: 'History at this position is no longer kept.',
    remedy: 'Start from `oldest_position`, or from now.',
  },
  ERR_FUTURE_POSITION: {
    status: 410,
    meaning: 'The position is later than anything stored.',
    remedy: 'Check that the position is from this store.',
  },
  ERR_EPOCH_CHANGED: {
    status: 410,
    meaning: 'The store was replaced since the position was given out.',
    remedy: 'Start from a date, or from now.',
  },
  ERR_TOO_LARGE: {
    status: 413,
    meaning: 'The body, the batch or a value is too large.',
    remedy: 'Send less at a time; the message names the limit.',
  },
  ERR_UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    meaning: 'The body has an encoding that the service does not take.',
    remedy: 'Send it without `Content-Encoding`.',
  },
  ERR_MISDIRECTED: {
    status: 421,
    meaning: 'The service has no identities, and the request is for a name that is not of its own machine.',
    remedy: 'Ask `127.0.0.1` or `localhost`. Operator: configure `vars.baseUrl` or `vars.identity`.',
  },
  ERR_TOO_MANY_REQUESTS: {
    status: 429,
    meaning: 'The requester has used up its quota.',
    remedy: 'Wait as long as `Retry-After` says.',
  },
  ERR_INTERNAL: {
    status: 500,
    meaning: 'The service failed unexpectedly.',
    remedy: 'Report it with the `request_id`. The log names the cause.',
  },
  ERR_STORE_DAMAGED: {
    status: 503,
    meaning: 'What the store holds at one place does not agree with its checksum. Other keys are served.',
    remedy:
      'Operator: restore a backup (`aviso admin restore`), or start once with `--accept-loss`. The message names key and revision.',
  },
  ERR_STORE_UNAVAILABLE: {
    status: 503,
    meaning: 'The store cannot be reached. Nothing was stored.',
    remedy: 'Repeat the request after `Retry-After`.',
  },
  ERR_STORE_FULL: {
    status: 503,
    meaning: 'The store is full.',
    remedy: 'Operator: compact, clean and defragment. Provider: repeat later.',
  },
  ERR_STORE_PROTOCOL: {
    status: 503,
    meaning: 'The store gave an answer that cannot be understood.',
    remedy: 'Repeat the request with the same id. Operator: check which program answers there.',
  },
  ERR_OUTCOME_UNKNOWN: {
    status: 503,
    meaning: 'The notification may have been stored, or may still be stored.',
    remedy: 'Repeat the request with the same id: it is stored only once.',
  },
  ERR_OVERLOADED: {
    status: 503,
    meaning: 'The service has as much work as it can take.',
    remedy: 'Repeat the request after `Retry-After`.',
  },
  ERR_VERDICT_UNAVAILABLE: {
    status: 503,
    meaning: 'A server that decides about access does not answer, so access is refused.',
    remedy: 'Repeat the request later. Operator: check that server.',
  },
  ERR_CONFIG: {
    status: 500,
    meaning: 'Configuration or usage is wrong. This error never reaches a client.',
    remedy: 'Correct what the message names; the exit code is 2.',
  },
} as const satisfies Readonly<Record<string, ErrorEntry>>

export type AvisoErrorCode = keyof typeof ERRORS

export interface AvisoErrorOptions {
  /** The failure behind this one. Only the logger sees it; it never reaches a client. */
  readonly cause?: unknown
  readonly details?: ErrorDetails
}

/** Details for the client besides the message. All appear in the body, except for the first four. */
export interface ErrorDetails {
  /** Seconds, for `Retry-After`. */
  readonly retry_after?: number
  /** Methods, for `Allow`. */
  readonly allow?: string
  /** Value of `WWW-Authenticate`. */
  readonly challenge?: string
  /** The code of 2.x, when it does not follow from ours. */
  readonly wire_code?: string
  /** The field at fault. */
  readonly field?: string
  readonly [member: string]: string | number | boolean | undefined
}

/**
 * A failure with a code. Clients see its message, which says what is wrong and how to fix it. The message never contains a token, a
 * payload, an address of ours or text of an upstream service.
 */
export class AvisoError extends Error {
  readonly code: AvisoErrorCode
  readonly details: ErrorDetails

  constructor(code: AvisoErrorCode, message: string, options: AvisoErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AvisoError'
    this.code = code
    this.details = options.details ?? {}
  }

  /** HTTP status of {@link code}. */
  get status(): number {
    return ERRORS[this.code].status
  }
}

/** The requested history is, at least in part, no longer kept by the store. */
export class HistoryCompacted extends AvisoError {
  /** The oldest revision that can still be read; absent when the store does not report it. */
  readonly oldest: bigint | undefined

  /** @param oldest The oldest readable revision, which clients get as `oldest_revision`. */
  constructor(message: string, oldest: bigint | undefined, cause?: unknown) {
    const details = oldest === undefined ? {} : { oldest_revision: oldest.toString() }
    super('ERR_HISTORY_COMPACTED', message, { cause, details })
    this.oldest = oldest
  }
}

/** One version of a key is damaged on disk: it does not agree with its checksum. */
export class KeyDamaged extends AvisoError {
  readonly key: Uint8Array
  /** Revision of that version. */
  readonly revision: bigint

  /** @param name The key as text, as clients get it in `damaged_key`. */
  constructor(message: string, { key, name, revision }: { key: Uint8Array; name: string; revision: bigint }) {
    super('ERR_STORE_DAMAGED', message, {
      details: { damaged_key: name, damaged_revision: revision.toString() },
    })
    this.key = key
    this.revision = revision
  }
}

/** A stretch of the history cannot be read, because it is damaged on disk. Everything before it was read. */
export class HistoryDamaged extends AvisoError {
  /** First revision that is lost. */
  readonly from: bigint
  /** First revision behind the damage. */
  readonly next: bigint

  constructor(message: string, { from, next }: { from: bigint; next: bigint }, cause?: unknown) {
    super('ERR_STORE_DAMAGED', message, {
      cause,
      ...(cause instanceof KeyDamaged && { details: cause.details }),
    })
    this.from = from
    this.next = next
  }
}

/** The oldest revision that can still be read, according to an error; `undefined` when the error does not report one. */
export function oldestRevisionOf(error: unknown): bigint | undefined {
  return error instanceof HistoryCompacted ? error.oldest : undefined
}

/** Whether a value is an {@link AvisoError}. When codes are given, it must have one of them. */
export function isAvisoError(error: unknown, ...codes: readonly AvisoErrorCode[]): error is AvisoError {
  return error instanceof AvisoError && (codes.length === 0 || codes.includes(error.code))
}
