/**
 * The client's failures: each has a message for the user and the exit code of the command.
 *
 * @module
 */

/** An error that the client explains: 1.x's `sys.exit(-1)`. */
export const EXIT_CLIENT_ERROR = 255
/** A failure, such as that of a trigger. */
export const EXIT_FAILURE = 1
/** The command line is wrong. */
export const EXIT_USAGE = 2
/** The command was ended by a second signal, without waiting. */
export const EXIT_INTERRUPTED = 130

/** A failure that ends the command with its message on stderr. */
export class ClientError extends Error {
  readonly exitCode: number
  /** Status of the service's answer, where it is about one. */
  readonly status: number | undefined

  constructor(
    message: string,
    options: { readonly exitCode?: number; readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ClientError'
    this.exitCode = options.exitCode ?? EXIT_CLIENT_ERROR
    this.status = options.status
  }
}

/** What the runtimes' codes and texts mean, in words for a user. The first that fits counts. */
const CAUSES: readonly (readonly [sign: RegExp, meaning: string])[] = [
  [/ENOTFOUND/, 'the host name is unknown'],
  [/EAI_AGAIN/, 'the name service of this machine does not answer'],
  [/ECONNREFUSED|ConnectionRefused/, 'the connection was refused, so nothing listens there'],
  [/EHOSTUNREACH|ENETUNREACH/, 'no way leads to it'],
  [/UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT/, 'it does not answer'],
  [/^bad port$/, 'fetch never uses this port, because it belongs to another protocol'],
]
/** A server without TLS answers a TLS handshake in its own protocol. OpenSSL's text has its file and line. */
const NO_TLS = /wrong.version.number|packet.length.too.long|http.request/i

/**
 * The innermost cause in words, because the error of `fetch` itself says only "fetch failed". A host with several addresses has a cause for
 * each.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return messageOf(error)
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.map((one) => reasonOf(one)))].join('; ')
  if (error.cause instanceof Error) return reasonOf(error.cause)
  const code = 'code' in error ? String(error.code) : ''
  if (NO_TLS.test(error.message) || NO_TLS.test(code))
    return 'it does not speak TLS at this port: an http address may be meant'
  const known = CAUSES.find(([sign]) => sign.test(code) || sign.test(error.message))
  // A text around another one has the meaning already.
  return known === undefined || error.message.includes(known[1])
    ? error.message
    : `${known[1]}: ${error.message}`
}

/** The text of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
