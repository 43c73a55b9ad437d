/**
 * Limits of the HTTP servers that we start ourselves. An edge proxy in front usually has tighter ones.
 *
 * @module
 */

/** Request line and headers together: Node's own default, stated so that every runtime's documentation can name it. */
export const MAX_HEADER_BYTES = 16_384
/** A client has this long to send its headers; slow senders are closed. */
export const HEADERS_TIMEOUT_MS = 10_000
/** Node looks for connections past their time this often; its own 30 s would let a slow sender stay four times as long as it may. */
export const CONNECTION_CHECK_MS = 2_000
/**
 * A client has this long to send headers and body: as long as a stream of notifications may last. Bodies are bounded where they are read (10 s,
 * or 10 s between the pieces of a stream), and by {@link LINGER_MS} where they are not.
 */
export const REQUEST_TIMEOUT_MS = 3_600_000
/**
 * What is left of a body is taken for this long after the answer, because a client that still sends would not get to read the answer.
 * Long enough for a slow link to send the largest body that a provider may send (1 MiB), short enough that it is no way to hold connections.
 */
export const LINGER_MS = 10_000
/** At most so much is taken after an answer: what a link of 1 Gbit/s carries in {@link LINGER_MS}. Only a faster client is cut off. */
export const LINGER_BYTES = 1_250_000_000
/**
 * A refusal waits this long for the rest of the body. Most clients have sent everything by then, and get an ordinary answer. Below what a
 * person notices.
 */
export const ORDINARY_LINGER_MS = 100
/** Idle keep-alive connections are closed after this; longer than the 60 s of common proxies, so that they close first. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000
/**
 * A client takes what is left of an ended stream within this time, or its connection is closed: two chunks at most, and who did not take
 * them may never take anything again. Long enough for a few lost packets, short enough that a slow listener's 60 s stay what they are.
 */
export const TAKEN_LIMIT_MS = 10_000
