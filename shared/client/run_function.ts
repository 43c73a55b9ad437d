/**
 * A function as a trigger, as in 1.x's Python interface: called once for each notification, one after another, tried again when it fails.
 *
 * Flow: stream → **function** → position
 *
 * @module
 */

import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { ClientError, EXIT_FAILURE, messageOf } from './client_error.ts'
import type { MessageLog } from './message_log.ts'
import type { CloudEvent } from './notification.ts'
import type { StreamMessage } from './stream.ts'

/** What is called. What it returns is waited for; what it throws is a failure. */
export type NotificationFunction = (notification: CloudEvent) => void | Promise<void>

/** How to call it. */
export interface FunctionOptions {
  readonly function: NotificationFunction
  /** Further attempts after the first one. Default: 3. */
  readonly retries?: number
  /** After the last attempt: throw (default), or count the notification as handled. */
  readonly onFailure?: 'stop' | 'continue'
  /**
   * Keeps a cursor, up to which everything is handled. A next run that starts there misses nothing. Called one after another, also when
   * there was nothing for this listener.
   */
  readonly savePosition?: (cursor: string) => void | Promise<void>
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly output: MessageLog
  /** Ends it: no further attempt is made, and the notification is not counted as handled. */
  readonly stop: AbortSignal
}

const DEFAULT_RETRIES = 3
const RETRY: BackOffLimits = { firstMs: 1000, mostMs: 30_000 }

/**
 * Calls a function for every notification of a stream, until the stream ends.
 *
 * @param stream What `followStream` gives.
 * @throws {ClientError} when the function has failed for good, with its error as the cause; and what the stream and `savePosition` throw.
 */
export async function runFunction(
  stream: AsyncIterable<StreamMessage>,
  options: FunctionOptions,
): Promise<void> {
  for await (const message of stream) {
    if (message.kind === 'notification' && !(await callWithRetries(message.event, options))) return
    if (message.cursor !== undefined) await options.savePosition?.(message.cursor)
    if (options.stop.aborted) return
  }
}

/** @returns whether the notification counts as handled; otherwise the listener was told to stop */
async function callWithRetries(notification: CloudEvent, options: FunctionOptions): Promise<boolean> {
  const { retries = DEFAULT_RETRIES, onFailure = 'stop', clock, random, output, stop } = options
  for (let attempt = 0; !stop.aborted; attempt++) {
    try {
      await options.function(notification)
      return true
    } catch (cause) {
      const failure = `The function failed for ${notification.id}: ${messageOf(cause)}`
      if (attempt < retries)
        output.log('ERROR', `${failure}, attempt ${attempt + 2} of ${retries + 1} follows`)
      else if (onFailure === 'stop') throw new ClientError(failure, { exitCode: EXIT_FAILURE, cause })
      else {
        output.log('ERROR', failure)
        return true
      }
    }
    await clock.sleep(RETRY.firstMs / 2 + backOffMs(attempt, RETRY, random), stop)
  }
  return false
}
