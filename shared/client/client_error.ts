/**
 * The client's failures: a sentence for the user and the exit code of the command.
 *
 * @module
 */

/** 1.x's `sys.exit(-1)`: an error the client has understood and explains. */
export const EXIT_CLIENT_ERROR = 255
/** Something that should have worked did not, e.g. a trigger. */
export const EXIT_FAILURE = 1
/** The command line is wrong. */
export const EXIT_USAGE = 2
/** Ended by a second signal, without waiting. */
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

/** What is behind a failure of `fetch`, which itself only says "fetch failed". */
export function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? reasonOf(error.cause) : messageOf(error)
}

/** The text of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
