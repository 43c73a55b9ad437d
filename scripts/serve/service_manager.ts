/**
 * Tells systemd how the services are: `Type=notify` and its watchdog. It does nothing where no service manager asks (`NOTIFY_SOCKET`).
 *
 * Node has no datagram sockets of a path, so the program `systemd-notify` sends the messages; it comes with systemd. The unit has to let
 * it: `NotifyAccess=all`.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import type { Logger } from '#shared/logger.ts'
import type { Clock } from '#shared/time/clock.ts'

/** Longest time of one message. systemd takes it within milliseconds; a machine that swaps may take seconds. */
const SEND_LIMIT_MS = 5000
/** What systemd's documents ask for: two signs of life in the time that it waits for one. */
const SIGNS_OF_LIFE = 2
/** Longest interval that makes sense: beyond 10 minutes a hanging service is found by people first. */
const LONGEST_SIGN_MS = 600_000
const US_PER_MS = 1000

/** A service manager that is told. No function throws, and none is waited for but the last. */
export interface ServiceManager {
  /** The services listen. They may still wait for their store. */
  ready(): void
  /** A reload has begun, and ends with {@link ServiceManager.ready}. */
  reloading(): void
  /** The end has begun. @param mostMs Longest time until the exit, so that systemd does not kill the process before. */
  stopping(mostMs: number): void
  /** Resolves when everything was sent. */
  close(): Promise<void>
}

/** What is needed to tell a service manager. */
export interface ServiceManagerParts {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Sends one message, which is assignments such as `READY=1`. Rejects where it could not be sent. */
  readonly send: (assignments: readonly string[]) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
}

const NOBODY: ServiceManager = {
  ready: () => undefined,
  reloading: () => undefined,
  stopping: () => undefined,
  close: () => Promise.resolve(),
}

/**
 * Opens the way to the service manager. Where it has a watchdog, it gets signs of life while the event loop turns. They do not depend on
 * the store: a restart does not mend a store that cannot be reached, and would end the streams.
 */
export function openServiceManager(parts: ServiceManagerParts): ServiceManager {
  const { environment, clock } = parts
  if ((environment['NOTIFY_SOCKET'] ?? '') === '') return NOBODY
  const tell = createTeller(parts)
  const everyMs = signIntervalMs(environment['WATCHDOG_USEC'])
  const stopSigns =
    everyMs === undefined ? () => undefined : clock.every(everyMs, () => void tell(['WATCHDOG=1']))
  return {
    ready: () => void tell(['READY=1', 'STATUS=Listening']),
    reloading: () => void tell(['RELOADING=1', 'STATUS=Reading policy and secrets again']),
    stopping: (mostMs) =>
      void tell([
        'STOPPING=1',
        'STATUS=Finishing writes and ending streams',
        `EXTEND_TIMEOUT_USEC=${Math.ceil(mostMs) * US_PER_MS}`,
      ]),
    close: () => {
      stopSigns()
      return tell([])
    },
  }
}

/** Sends messages in order, one at a time. A failure is logged once: without systemd-notify every message fails. */
function createTeller({ send, logger }: ServiceManagerParts): (message: readonly string[]) => Promise<void> {
  let last = Promise.resolve()
  let hasFailed = false
  const onFailure = (error: unknown): void => {
    if (hasFailed) return
    hasFailed = true
    logger('error', 'The service manager could not be told: it may take the services for failed', {
      reason: error instanceof Error ? error.message : 'unknown',
      remedy: 'systemd-notify must be on the PATH, and the unit needs NotifyAccess=all',
    })
  }
  return (message) => {
    last = last.then(() => (message.length === 0 ? undefined : send(message))).catch(onFailure)
    return last
  }
}

/** @param limit Microseconds after which systemd ends a silent service, as text. */
function signIntervalMs(limit: string | undefined): number | undefined {
  const ms = Number(limit) / US_PER_MS / SIGNS_OF_LIFE
  return limit !== undefined && ms >= 1 ? Math.min(ms, LONGEST_SIGN_MS) : undefined
}

/** Sends by the program `systemd-notify`. */
export function systemdNotify(assignments: readonly string[]): Promise<void> {
  return new Promise((sent, failed) => {
    execFile('systemd-notify', assignments, { timeout: SEND_LIMIT_MS, killSignal: 'SIGKILL' }, (error) =>
      error === null ? sent() : failed(new Error(reasonOf(error), { cause: error })),
    )
  })
}

function reasonOf(error: Error): string {
  return 'code' in error && error.code === 'ENOENT'
    ? 'systemd-notify is not installed'
    : 'systemd-notify failed'
}
