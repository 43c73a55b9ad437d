/**
 * Sends warnings and errors of the log to the monitoring, too, as syslog lines in the form of 1.x.
 *
 * @see RFC 5424; reference/aviso-v1.md §4.2
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import type { TelemetryChannel } from './channel.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { LogFields, Logger, LogLevel } from '#shared/logger.ts'

/** The service that logs, and the channel to the monitoring. */
export interface LogLinesParts {
  readonly channel: TelemetryChannel
  /** Name of the service, such as `aviso-rest`, by which a monitoring attributes the line. */
  readonly component: string
  readonly hostname: string
  readonly clock: Clock
}

/** Most lines sent per second, because a service that fails often must not flood its monitoring. Further lines are only in the log. */
const MAX_LINES_PER_SECOND = 10
/** The syslog facility local7, as in 1.x. */
const FACILITY = 23 * 8
const SEVERITY = { error: 3, warn: 4 } as const
/** Python's names of levels, which a monitoring looks for. */
const LEVEL_NAMES = { error: 'ERROR', warn: 'WARNING' } as const
const MAX_MESSAGE_CHARACTERS = 512

/** Makes a logger that writes to `logger`, and also sends warnings and errors to the monitoring. */
export function sendLogLines(logger: Logger, parts: LogLinesParts): Logger {
  let second = 0
  let lines = 0
  return (level, message, fields) => {
    logger(level, message, fields)
    if (level !== 'error' && level !== 'warn') return
    const currentSecond = Math.floor(parts.clock.monotonic() / 1_000)
    if (currentSecond !== second) lines = 0
    second = currentSecond
    if (lines++ >= MAX_LINES_PER_SECOND) return
    parts.channel.send(toBytes(toLine(level, message, fields, parts)))
  }
}

function toLine(
  level: Extract<LogLevel, 'error' | 'warn'>,
  message: string,
  fields: LogFields | undefined,
  { component, hostname, clock }: LogLinesParts,
): string {
  const time = new Date(clock.now()).toISOString()
  const code = fields?.['code']
  const record = JSON.stringify({
    asctime: time,
    hostname,
    levelname: LEVEL_NAMES[level],
    message: message.slice(0, MAX_MESSAGE_CHARACTERS),
    ...(typeof code === 'string' && { code }),
  })
  // The header consists of words between spaces, so other characters of the host name are replaced.
  const host = hostname.replaceAll(/[^!-~]/g, '-').slice(0, 255) || '-'
  return `<${FACILITY + SEVERITY[level]}>1 ${time} ${host} ${component} - - [origin software="aviso"] ${record}`
}
