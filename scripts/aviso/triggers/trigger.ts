/**
 * Defines triggers. A trigger is an action that the listener's machine runs for each notification.
 *
 * Flow: stream → **trigger** → position
 *
 * @module
 */

import { statSync } from 'node:fs'
import * as v from 'valibot'
import { ClientError } from '#shared/client/client_error.ts'
import { issuePath } from '../issue_path.ts'
import type { ReceivedNotification } from '#shared/client/notification.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { JsonRecord } from '#shared/json/record.ts'
import type { Output } from '../output.ts'

/** What happens when a trigger has failed for good. */
export type OnFailure = 'stop' | 'continue'

/** What a trigger is run for. */
export interface TriggerInput extends ReceivedNotification {
  /** Path of a file with the notifications of a whole run, for a listener with `when`. */
  readonly runFile?: string
}

/** A trigger of a listener, ready to run. */
export interface Trigger {
  readonly type: string
  /** Further attempts after the first one. */
  readonly retries: number
  /** `stop`: the client ends, and handles the notification again at its next start. `continue`: the notification counts as handled. */
  readonly onFailure: OnFailure
  /** What happens when the trigger can never handle one notification: `stop`, or `continue` after it is written to the dead-letter file. */
  readonly onPoison: OnFailure
  /** What it takes from a notification by name, such as `request.date`; absent: nothing. */
  readonly names?: readonly string[]
  /**
   * Runs the trigger for a notification.
   *
   * @param kill When it aborts, the trigger is ended at once.
   * @throws {TriggerError} when the trigger failed.
   */
  run(notification: TriggerInput, kill: AbortSignal): Promise<void>
  /**
   * What `run` would do, without doing it. Secrets are not shown.
   *
   * @throws {TriggerError} where `run` would fail because of what the listener file says.
   */
  plan(notification: ReceivedNotification): TriggerPlan
}

/** What a trigger would do. */
export interface TriggerPlan {
  /** Continues "would …". */
  readonly text: string
  /** The same for programs. */
  readonly details: JsonRecord
}

/** The environment in which triggers run. */
export interface TriggerHost {
  readonly output: Output
  /** Whether notifications are printed as JSON, one on each line. */
  readonly json: boolean
  /** Home folder, which replaces `~` in paths. */
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly clock: Clock
}

/** A trigger failed. */
export class TriggerError extends Error {
  /** Whether another attempt may succeed. */
  readonly retryable: boolean
  /** Whether it is about this one notification: others would succeed. */
  readonly isPoison: boolean
  /** How long the receiver wants to be left alone, milliseconds; `undefined`: it does not say. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    options: {
      readonly retryable: boolean
      readonly isPoison?: boolean
      readonly retryAfterMs?: number | undefined
      readonly cause?: unknown
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TriggerError'
    this.retryable = options.retryable
    this.isPoison = options.isPoison ?? false
    this.retryAfterMs = options.retryAfterMs
  }
}

/** Enough for a receiver that restarts: with the back-off, about half a minute. */
const DEFAULT_RETRIES = 3
const MAX_RETRIES = 1000
/** A day, which is longer than any job that should run inside a trigger. */
const MAX_SECONDS = 86_400

/** The schema of a number, which the YAML reader leaves as text. */
export function numberBetween(least: number, most: number, what: string) {
  const message = `must be ${what} from ${least} to ${most}`
  return v.pipe(
    v.string(message),
    v.regex(/^\d[\d_]*(?:\.\d+)?$/, message),
    v.transform((number) => Number(number.replaceAll('_', ''))),
    v.check((number) => number >= least && number <= most, message),
  )
}

/** Seconds of a time limit. */
export const seconds = numberBetween(0.001, MAX_SECONDS, 'seconds')

const onFailure = v.picklist(['stop', 'continue'], "must be 'stop' or 'continue'")

/** Options that every trigger has. */
export const commonOptions = {
  retries: v.optional(
    v.pipe(numberBetween(0, MAX_RETRIES, 'a whole number'), v.integer('must be a whole number')),
    String(DEFAULT_RETRIES),
  ),
  on_failure: v.optional(onFailure, 'stop'),
  on_poison: v.optional(onFailure, 'continue'),
}

/** What the options of a trigger say about its failures. */
export function failureOptions(options: {
  readonly retries: number
  readonly on_failure: OnFailure
  readonly on_poison: OnFailure
}): Pick<Trigger, 'retries' | 'onFailure' | 'onPoison'> {
  return { retries: options.retries, onFailure: options.on_failure, onPoison: options.on_poison }
}

/** @throws {ClientError} when a folder is not there, at the start and not at the first notification. */
export function requireFolder(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  throw new ClientError(
    found === undefined ? `there is no folder ${folder}: make it first` : `${folder} is not a folder`,
  )
}

/** The schema of a text. `true` and `false` become texts, too, because YAML reads them as booleans. */
export const text = (message: string) =>
  v.union(
    [
      v.string(message),
      v.pipe(
        v.boolean(),
        v.transform((flag) => String(flag)),
      ),
    ],
    message,
  )

/** The schema of a boolean, also in the words of YAML 1.1, which 1.x's parser reads. */
export const flag = v.pipe(
  v.union(
    [v.boolean(), v.pipe(v.string(), v.toLowerCase(), v.picklist(['yes', 'no', 'on', 'off']))],
    'must be true or false',
  ),
  v.transform((given) => given === true || given === 'yes' || given === 'on'),
)

/** @returns a function that makes a message about the missing or unknown key of an object */
export function keyMessage(missing: Readonly<Record<string, string>> = {}) {
  return (issue: v.BaseIssue<unknown>): string => {
    const [key = ''] = issuePath(issue).slice(-1)
    if (issue.expected === 'never') return 'Unknown key'
    if (issue.path === undefined || issue.expected === 'Object') return 'must be a mapping'
    return missing[key] ?? `${key} is a mandatory field`
  }
}
