/**
 * Limits of the HTTP servers that we start ourselves. An edge proxy in front usually has tighter ones.
 *
 * @module
 */

/** Request line and headers together: Node's own default, stated so that every runtime's documentation can name it. */
export const MAX_HEADER_BYTES = 16_384
/** A client has this long to send its headers; slow senders are closed. */
export const HEADERS_TIMEOUT_MS = 10_000
/** A client has this long to send headers and body. */
export const REQUEST_TIMEOUT_MS = 30_000
/** Idle keep-alive connections are closed after this; longer than the 60 s of common proxies, so that they close first. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000
