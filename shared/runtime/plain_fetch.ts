/**
 * The runtime's own `fetch` for calls to the store: Deno, Bun and workerd.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { isUntrusted, untrusted } from './certificate.ts'
import type { FetchLike, FetchLikeResponse } from './fetch_like.ts'
import { toTlsOptions, type FindStoreTls } from './store_tls.ts'

/** What a runtime's `fetch` takes besides the standard's options. */
type FetchOptions = RequestInit & { readonly timeout?: false }

/** The standard's `fetch` for texts of addresses. */
export type StandardFetch = (url: string, init: RequestInit) => Promise<Response>

/** Any runtime's `fetch`. */
type PlainFetch = (url: string, options: FetchOptions) => Promise<Response>

/** How the runtimes say that there was never a connection, in an error's code or text. */
const NOT_SENT = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  // Deno
  'client error (Connect)',
  // Bun
  'ConnectionRefused',
  'FailedToOpenSocket',
]

/** {@link FetchLike} over a `fetch` that has no time limit of its own. */
export const plainFetch: FetchLike = createPlainFetch((url, options) => fetch(url, options))

/**
 * {@link FetchLike} for Bun, whose `fetch` ends every answer that is silent for five minutes unless told otherwise.
 *
 * @param findTls What the connections are secured with; absent: what the machine trusts.
 */
export function createBunFetch(findTls?: FindStoreTls): FetchLike {
  const send = findTls === undefined ? fetch : createBunTlsFetch(findTls)
  return createPlainFetch((url, options) => send(url, { ...options, timeout: false } as RequestInit))
}

/** Bun's `fetch` over connections that are secured. */
export function createBunTlsFetch(findTls: FindStoreTls): StandardFetch {
  return (url, init) => fetch(url, { ...init, tls: toTlsOptions(findTls()) } as RequestInit)
}

/** Wraps a `fetch`. */
export function createPlainFetch(send: PlainFetch): FetchLike {
  return async (url, { headers, body, signal }) => {
    try {
      const response = await send(url, {
        method: 'POST',
        headers,
        // Deno sends a body of text once more when a reused connection dies before the answer (measured on 2.9); a Blob it does not.
        body: new Blob([body]),
        redirect: 'manual',
        signal,
      })
      return toFetchLikeResponse(response)
    } catch (error) {
      throw isNotSent(error) ? notSentError(error) : error
    }
  }
}

/** The error of a request that never left. */
export function notSentError(cause: unknown): AvisoError {
  if (saysOf(cause, isUntrusted)) return untrusted(cause)
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store cannot be reached: check that it runs', { cause })
}

/** Whether an error says that there was never a connection. */
export function isNotSent(error: unknown): boolean {
  return saysOf(error, (text) => NOT_SENT.some((sign) => text.includes(sign)) || isUntrusted(text))
}

/** Whether a code or text of an error, or of what is behind it, says something. */
function saysOf(error: unknown, says: (text: string) => boolean): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  if (says(code) || says(error.message)) return true
  // Several addresses of a host were tried: it must be so of each.
  if (error instanceof AggregateError)
    return error.errors.length > 0 && error.errors.every((one) => saysOf(one, says))
  return saysOf(error.cause, says)
}

function toFetchLikeResponse({ status, body }: Response): FetchLikeResponse {
  const reader = body?.getReader()
  return {
    status,
    read: async () => {
      const piece = await reader?.read()
      return piece?.done === false ? piece.value : undefined
    },
    cancel: () => {
      // It rejects when the connection is broken already, which is what was wanted.
      reader?.cancel().catch(() => undefined)
    },
  }
}
