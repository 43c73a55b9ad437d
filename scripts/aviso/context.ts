/**
 * The context of every command. The entry module makes it once.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import type { ClientConfig } from './config.ts'
import type { Credentials } from '#shared/client/credentials.ts'
import type { Output } from './output.ts'

/** The outside world of a command. */
export interface CommandContext {
  readonly config: ClientConfig
  readonly credentials: Credentials
  readonly output: Output
  /** Whether results are printed as JSON. */
  readonly json: boolean
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  /** Makes a unique text. */
  readonly uuid: () => string
  /** @returns the text; `undefined` when there is no such file. Throws any other failure. */
  readonly readText: (path: string) => Promise<string | undefined>
  /** Aborts at the first request to stop: running triggers finish, then the command ends. */
  readonly stop: AbortSignal
  /** Aborts at the second request to stop: running triggers are ended. */
  readonly kill: AbortSignal
}
