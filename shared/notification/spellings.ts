/**
 * The spellings of dates and times that 2.x takes.
 *
 * @module
 */

const MINUTES_AN_HOUR = 60
const HOURS_A_DAY = 24
const CALENDAR_DATE = /^(\d{4})(-?)(\d{2})\2(\d{2})$/
const ORDINAL_DATE = /^(\d{4})-(\d{3})$/
const WRITTEN_TIME = /^(?:(?<hour>\d{1,2})(?::(?<minute>\d{2}))?|(?<hh>\d{2})(?<mm>\d{2}))$/

/** Year, month and day in digits. A day that the calendar does not have would be another one there: it is `undefined`. */
export function readDay(text: string): readonly [year: string, month: string, day: string] | undefined {
  const [, year = '', , month = '', day = ''] = CALENDAR_DATE.exec(text) ?? []
  const [, ordinalYear, dayOfYear = ''] = ORDINAL_DATE.exec(text) ?? []
  const date = ordinalYear === undefined ? toDay(year, month, day) : toDay(ordinalYear, '01', dayOfYear)
  const found = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
  const [y = '', m = '', d = ''] = found.map((part, index) => String(part).padStart(index === 0 ? 4 : 2, '0'))
  const isGiven = ordinalYear === undefined ? y === year && m === month : y === ordinalYear
  return isGiven ? [y, m, d] : undefined
}

function toDay(year: string, month: string, day: string): Date {
  const date = new Date(0)
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  return date
}

/** Hours and minutes of `H`, `HH`, `H:MM`, `HH:MM` or `HHMM`, two digits each. */
export function readTime(text: string): readonly [hours: string, minutes: string] | undefined {
  const { hour, minute = '00', hh, mm } = WRITTEN_TIME.exec(text)?.groups ?? {}
  const [hours, minutes] = hh === undefined ? [hour, minute] : [hh, mm ?? '']
  if (hours === undefined || Number(hours) >= HOURS_A_DAY || Number(minutes) >= MINUTES_AN_HOUR)
    return undefined
  return [hours.padStart(2, '0'), minutes]
}
