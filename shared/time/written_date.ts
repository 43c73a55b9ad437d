/**
 * Reads dates as people and aviso 2.x write them, for the start and the end of a stream.
 *
 * @module
 */

/** What {@link parseDate} takes, for the text of an error. */
export const DATE_FORMS =
  'a date (2026-08-10, 20260810), a date and time (2026-08-10T12:00:00Z, "2026-08-10 12:00", UTC without a zone), a time ago (-3h; s, m, h, d, w), now, today, yesterday, or Unix seconds or milliseconds'

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const COMPACT_DATE = /^(\d{4})(\d{2})(\d{2})$/
const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)? ?([Zz]|[+-]\d{2}(?::?\d{2})?)?$/
const COMPACT_DATE_TIME =
  /^(\d{4})(\d{2})(\d{2})(?:[Tt ])?(\d{2})(\d{2})(?:(\d{2})(?:[.,](\d{1,9}))?)?([Zz]|[+-]\d{2}(?::?\d{2})?)?$/

const UNIX_TIME = /^\+?\d+$/
/** Unix seconds have at most this many significant digits. Longer numbers are milliseconds (the rule of 2.x). */
const MAX_SECONDS_DIGITS = 11
const MAX_MILLISECONDS_DIGITS = 15
/**
 * A shorter number, but for 0, is a moment of the years 1970 to 1973: a slip such as a year alone. Taken for what it says it would replay
 * everything.
 */
const MIN_SECONDS_DIGITS = 9

const AGO = /^-(\d{1,6})([smhdw])$/
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
const DAY_MS = UNIT_MS.d

/**
 * Reads a date, which means its first moment in UTC; a date and time as RFC 3339 or ISO 8601, also without seconds and without a zone (UTC);
 * Unix seconds or milliseconds; a time ago; and `now`, `today`, `yesterday` (in UTC). A finer fraction is cut off. Eight digits are a date,
 * and so are twelve and fourteen with its time, if there is such a date.
 *
 * @param now Milliseconds since 1970.
 * @returns milliseconds since 1970; `undefined` for anything else.
 */
export function parseDate(text: string, now: number): number | undefined {
  return parseWord(text.toLowerCase(), now) ?? parseCalendar(text) ?? parseUnixTime(text)
}

function parseWord(text: string, now: number): number | undefined {
  const today = now - (((now % DAY_MS) + DAY_MS) % DAY_MS)
  if (text === 'now') return now
  if (text === 'today') return today
  if (text === 'yesterday') return today - DAY_MS
  const [, count, unit] = AGO.exec(text) ?? []
  return unit === undefined ? undefined : now - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]
}

function parseCalendar(text: string): number | undefined {
  for (const form of [DATE, COMPACT_DATE, DATE_TIME, COMPACT_DATE_TIME]) {
    const match = form.exec(text)
    if (match !== null) return momentOf(match)
  }
  return undefined
}

function momentOf(match: RegExpExecArray): number | undefined {
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const local = Date.parse(`${written}Z`)
  // On some runtimes, Date.parse reads 31 February as 3 March, and 24:00 as the next day. So the date, written back, must be the same text.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 19) !== written) return undefined
  const offset = offsetMs(zone)
  return offset === undefined ? undefined : local - offset + Number(fraction.slice(0, 3).padEnd(3, '0'))
}

function parseUnixTime(text: string): number | undefined {
  if (!UNIX_TIME.test(text)) return undefined
  const digits = text.replace(/^\+?0*/, '')
  if (digits.length > MAX_MILLISECONDS_DIGITS) return undefined
  if (digits.length > 0 && digits.length < MIN_SECONDS_DIGITS) return undefined
  return digits.length <= MAX_SECONDS_DIGITS ? Number(digits) * 1000 : Number(digits)
}

function offsetMs(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(':', ''))
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}
