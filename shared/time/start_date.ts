/**
 * Reads the dates that aviso 2.x accepts for the start and the end of a stream.
 *
 * @module
 */

const UNIX_TIME = /^\+?\d+$/
/** Unix seconds have at most this many significant digits. Longer numbers are milliseconds (the rule of 2.x). */
const MAX_SECONDS_DIGITS = 11
const MAX_MILLISECONDS_DIGITS = 15
const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))? ?([Zz]|[+-]\d{2}:\d{2})?$/

/**
 * Reads a date and time as RFC 3339, also with a space or without a zone (UTC), or as Unix seconds or milliseconds. A finer fraction is cut
 * off.
 *
 * @returns milliseconds since the epoch; `undefined` for anything else, such as a date without time.
 */
export function parseStreamDate(text: string): number | undefined {
  return UNIX_TIME.test(text) ? parseUnixTime(text) : parseDateTime(text)
}

function parseUnixTime(text: string): number | undefined {
  const digits = text.replace(/^\+?0*/, '')
  if (digits.length > MAX_MILLISECONDS_DIGITS) return undefined
  return digits.length <= MAX_SECONDS_DIGITS ? Number(digits) * 1000 : Number(digits)
}

function parseDateTime(text: string): number | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', zone = 'Z'] =
    match
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const local = Date.parse(`${written}Z`)
  // On some runtimes, Date.parse reads 31 February as 3 March, and 24:00 as the next day. So the date, written back, must be the same text.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 19) !== written) return undefined
  const offset = offsetMs(zone)
  return offset === undefined ? undefined : local - offset + Number(fraction.slice(0, 3).padEnd(3, '0'))
}

function offsetMs(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(4, 6))
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}
