/**
 * Dates as aviso 2.x takes them for the start and the end of a stream.
 *
 * @module
 */

const UNIX_TIME = /^\+?\d+$/
/** Unix seconds have at most this many significant digits; longer ones are milliseconds (2.x's rule). */
const MAX_SECONDS_DIGITS = 11
const MAX_MILLISECONDS_DIGITS = 15
const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))? ?([Zz]|[+-]\d{2}:\d{2})?$/

/**
 * Milliseconds since the epoch of RFC 3339, the same with a space, without zone (UTC), or Unix seconds or milliseconds; a finer fraction
 * is cut off. `undefined` for anything else, dates without time among it.
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
  // Date.parse takes 31 February for 3 March and 24:00 for the next day on some runtimes: written back, it must be the same.
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
