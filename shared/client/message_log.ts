/**
 * The port to which the client reports what it does. A library must not decide whether messages go to a terminal, a file or a page.
 *
 * @module
 */

/** Importance of a message. */
export type Level = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR'

/** Takes messages for the person who runs the client. */
export interface MessageLog {
  log(level: Level, message: string): void
}
