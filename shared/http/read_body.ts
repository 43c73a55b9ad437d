/**
 * Reads a request body with a bound on its size and its time.
 *
 * @module
 */

import { readToEnd } from '#shared/bytes/read_to_end.ts'
import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'

/** Bounds of one body. */
export interface BodyLimits {
  readonly limitBytes: number
  /** Time within which the whole body must arrive. */
  readonly timeoutMs: number
  readonly clock: Clock
}

/** Refuses a compressed body: 158 bytes of brotli can become 100 MB. */
export function refuseContentEncoding(request: HandlerRequest): void {
  const encoding = request.headers.get('content-encoding')
  if (encoding === null || encoding.trim().toLowerCase() === 'identity') return
  throw new AvisoError(
    'ERR_UNSUPPORTED_MEDIA_TYPE',
    'A compressed body is not supported; send it without Content-Encoding',
  )
}

/** The refusal of a body over its limit. */
export function tooLarge(limitBytes: number): AvisoError {
  return new AvisoError('ERR_TOO_LARGE', `The body must not be larger than ${limitBytes} bytes`, {
    details: { limit_bytes: limitBytes },
  })
}

/** The refusal of a body that does not arrive in time. */
export function bodyTimeout(): AvisoError {
  return new AvisoError('ERR_BODY_TIMEOUT', 'The body did not arrive in time')
}

/** The error for a body that breaks off. The client has left and reads no answer, but the log must not show a fault of the service. */
export function bodyBroken(cause: unknown): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', 'The body ended before it was complete', { cause })
}

/** @returns the declared length, or `undefined` without one. */
function declaredLength(request: HandlerRequest): number | undefined {
  const text = request.headers.get('content-length')
  if (text === null) return undefined
  if (!/^\d{1,15}$/.test(text))
    throw new AvisoError('ERR_BAD_REQUEST', 'The Content-Length header is not a number of bytes')
  return Number(text)
}

function failLate(): never {
  throw bodyTimeout()
}

/**
 * The bytes of a request's body; empty without a body.
 *
 * @throws {AvisoError} `ERR_TOO_LARGE` (before reading, if `Content-Length` says so), `ERR_UNSUPPORTED_MEDIA_TYPE` for any
 *   `Content-Encoding`, `ERR_BODY_TIMEOUT`, `ERR_BAD_REQUEST` for a body that breaks off.
 */
export async function readBody(
  request: HandlerRequest,
  { limitBytes, timeoutMs, clock }: BodyLimits,
): Promise<Uint8Array> {
  refuseContentEncoding(request)
  const declared = declaredLength(request)
  if (declared !== undefined && declared > limitBytes) throw tooLarge(limitBytes)
  const inTime = { clock, ms: timeoutMs, late: failLate }
  try {
    if (declared !== undefined) {
      // The server enforces the declared length, so one native read replaces a chunk loop.
      const bytes = new Uint8Array(await within(request.arrayBuffer(), inTime))
      if (bytes.byteLength > limitBytes) throw tooLarge(limitBytes)
      return bytes
    }
    if (request.body === null) return new Uint8Array(0)
    const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader()
    try {
      // Piece by piece, so that a body of undeclared length is refused at the limit, and never held in memory beyond it.
      const read = async (): Promise<Uint8Array | undefined> => (await reader.read()).value
      const bytes = await within(readToEnd(read, limitBytes), inTime)
      if (bytes === undefined) throw tooLarge(limitBytes)
      return bytes
    } catch (error) {
      // Not awaited, because a source that never settles its cancellation must not hold up the answer.
      reader.cancel().catch(() => undefined)
      throw error
    }
  } catch (error) {
    throw error instanceof AvisoError ? error : bodyBroken(error)
  }
}
