/**
 * The log port: one JSON line per record. Records never contain tokens, payloads or text of upstream services.
 *
 * @module
 */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The fields of a record besides level, time and message. */
export type LogFields = Readonly<Record<string, string | number | boolean | bigint | undefined>>

/** Writes a record. */
export type Logger = (level: LogLevel, message: string, fields?: LogFields) => void

/** Longest text of a field or message, because people read log lines, and an attacker must not fill the disk. */
const MAX_FIELD_CHARACTERS = 512

/** A logger that drops every record. */
export const silentLogger: Logger = () => undefined

/**
 * Makes a logger that passes JSON lines to `write`, such as `{"level":"info","time":"…","message":"…"}`.
 *
 * @param threshold Records below this level are dropped.
 */
export function createLogger(
  write: (line: string) => void,
  now: () => number,
  threshold: LogLevel = 'info',
): Logger {
  const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']
  const lowest = levels.indexOf(threshold)
  return (level, message, fields = {}) => {
    if (levels.indexOf(level) < lowest) return
    const record: Record<string, string | number | boolean> = {
      level,
      time: new Date(now()).toISOString(),
      message: message.slice(0, MAX_FIELD_CHARACTERS),
    }
    for (const [name, value] of Object.entries(fields)) {
      if (value === undefined) continue
      if (typeof value === 'string') record[name] = value.slice(0, MAX_FIELD_CHARACTERS)
      else record[name] = typeof value === 'bigint' ? value.toString() : value
    }
    write(JSON.stringify(record))
  }
}
