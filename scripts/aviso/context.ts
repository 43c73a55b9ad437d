/**
 * What every command works with, made once by the entry module.
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
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  /** Unique text. */
  readonly uuid: () => string
  /** @returns `undefined` when there is no such file; any other failure is thrown. */
  readonly readText: (path: string) => Promise<string | undefined>
  /** First stop signal: finish what runs, then end. */
  readonly stop: AbortSignal
  /** Second stop signal: end what runs. */
  readonly kill: AbortSignal
}
