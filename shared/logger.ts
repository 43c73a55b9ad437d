/**
 * The log port: one JSON line per record. No token, payload or upstream text goes in.
 *
 * @module
 */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Fields of a record besides level, time and message. */
export type LogFields = Readonly<Record<string, string | number | boolean | bigint | undefined>>

/** Writes a record. */
export type Logger = (level: LogLevel, message: string, fields?: LogFields) => void

/** Longest text of one field or message: a log line is for people, and an attacker must not own the disk. */
const MAX_FIELD_CHARACTERS = 512

/** Drops everything. */
export const silentLogger: Logger = () => undefined

/** A logger that writes JSON lines, e.g. `{"level":"info","time":"…","message":"…"}`, to `write` at or above `threshold`. */
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
