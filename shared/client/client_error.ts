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

  constructor(message: string, options: { readonly exitCode?: number; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ClientError'
    this.exitCode = options.exitCode ?? EXIT_CLIENT_ERROR
  }
}

/** The message of the innermost cause, because the error of `fetch` itself says only "fetch failed". */
export function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? reasonOf(error.cause) : messageOf(error)
}

/** The text of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
