/**
 * The part of Python's `strptime` and `strftime` that date fields use.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

interface DateParts {
  readonly year: number
  /** 1–12. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
}

interface Directive {
  /** Python's pattern, in its order: missing zeros are tolerated, longer forms come first. */
  readonly pattern: string
  readonly write: (date: DateParts) => string
}

/** Days of the months of a common year, from January. */
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** Python's year where the format has none. */
const DEFAULT_YEAR = 1900
/** Two-digit years from here on are in the 20th century (POSIX). */
const CENTURY_PIVOT = 69

const DIRECTIVES: ReadonlyMap<string, Directive> = new Map([
  ['Y', { pattern: '\\d{4}', write: (date) => digits(date.year, 4) }],
  ['y', { pattern: '\\d{2}', write: (date) => digits(date.year % 100, 2) }],
  ['m', { pattern: '1[0-2]|0[1-9]|[1-9]', write: (date) => digits(date.month, 2) }],
  ['d', { pattern: '3[01]|[12]\\d|0[1-9]|[1-9]| [1-9]', write: (date) => digits(date.day, 2) }],
  [
    'j',
    {
      pattern: '36[0-6]|3[0-5]\\d|[12]\\d\\d|0[1-9]\\d|00[1-9]|[1-9]\\d|0[1-9]|[1-9]',
      write: writeDayOfYear,
    },
  ],
  ['H', { pattern: '2[0-3]|[01]\\d|\\d', write: (date) => digits(date.hour, 2) }],
  ['M', { pattern: '[0-5]\\d|\\d', write: (date) => digits(date.minute, 2) }],
  ['S', { pattern: '[0-5]\\d|\\d', write: (date) => digits(date.second, 2) }],
  ['f', { pattern: '\\d{1,6}', write: (date) => digits(date.microsecond, 6) }],
])

/**
 * Compiles a format such as `%Y%m%d` to a function that reads a date as `strptime` does and writes it as `strftime` does,
 * e.g. `202021` → `20200201`. It answers `undefined` for text that does not comply or is not a day of the calendar.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a directive that is not supported or stands twice.
 */
export function compileDateFormat(format: string): (text: string) => string | undefined {
  const { read, write } = compileParts(format)
  return (text) => {
    const date = read(text)
    return date === undefined ? undefined : write(date)
  }
}

/** Reads the dates that stand in store keys. */
export interface DateReader {
  /** Start of what a canonical text means (a day, a minute, …) in UTC: milliseconds since 1970. `undefined` for any other text. */
  read(text: string): number | undefined
  /** Whether the byte order of canonical texts is the order of time. */
  readonly isSortable: boolean
  /** The canonical text of the day (minute, …) that holds an instant. */
  write(atMs: number): string
}

/** Directives by significance: with `%Y` first and none out of turn, texts sort as dates do. */
const SIGNIFICANCE = ['Y', 'm', 'd', 'j', 'H', 'M', 'S', 'f']

/**
 * Compiles a format to a reader of the texts that it writes.
 *
 * @throws {AvisoError} `ERR_CONFIG` as {@link compileDateFormat}.
 */
export function compileDateReader(format: string): DateReader {
  const { names, read, write } = compileParts(format)
  const ranks = names.map((name) => SIGNIFICANCE.indexOf(name))
  return {
    isSortable: ranks.every((rank, index) => (index === 0 ? rank === 0 : rank > (ranks[index - 1] ?? 0))),
    read: (text) => {
      const date = read(text)
      return date !== undefined && write(date) === text ? toInstant(date) : undefined
    },
    write: (atMs) => write(toParts(new Date(atMs))),
  }
}

function toParts(date: Date): DateParts {
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    microsecond: date.getUTCMilliseconds() * 1000,
  }
}

function toInstant({ year, month, day, hour, minute, second, microsecond }: DateParts): number {
  const date = new Date(0)
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, Math.trunc(microsecond / 1000))
  return date.getTime()
}

interface DateCodec {
  readonly names: readonly string[]
  readonly read: (text: string) => DateParts | undefined
  readonly write: (date: DateParts) => string
}

function compileParts(format: string): DateCodec {
  const names: string[] = []
  const writers: (string | Directive['write'])[] = []
  let pattern = ''
  for (const [token] of format.matchAll(/%.?|\s+|[^%\s]/gsu)) {
    if (token.startsWith('%') && token !== '%%') {
      const directive = DIRECTIVES.get(token.slice(1))
      if (directive === undefined) throw invalidFormat(format, `"${token}" is not supported`)
      pattern += `(?<${token.slice(1)}>${directive.pattern})`
      names.push(token.slice(1))
      writers.push(directive.write)
    } else {
      const literal = token === '%%' ? '%' : token
      pattern += literal.trim() === '' ? '\\s+' : literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
      writers.push(literal)
    }
  }
  checkDirectives(format, names)
  // As in Python, the match itself is not tied to the end. A rest that does not match makes the value invalid.
  const reader = new RegExp(`^${pattern}`, 'iu')
  return {
    names,
    read: (text) => {
      const match = reader.exec(text)
      return match === null || match[0].length !== text.length ? undefined : toDate(match.groups ?? {})
    },
    write: (date) => {
      let written = ''
      for (const writer of writers) written += typeof writer === 'string' ? writer : writer(date)
      return written
    },
  }
}

function checkDirectives(format: string, names: readonly string[]): void {
  if (names.length === 0) throw invalidFormat(format, 'it needs at least one directive such as %Y')
  if (new Set(names).size !== names.length) throw invalidFormat(format, 'a directive stands twice')
  if (names.includes('j') && (names.includes('m') || names.includes('d'))) {
    throw invalidFormat(format, '%j cannot stand beside %m or %d')
  }
  if (names.includes('y') && names.includes('Y')) throw invalidFormat(format, '%y cannot stand beside %Y')
}

function toDate(groups: Readonly<Record<string, string | undefined>>): DateParts | undefined {
  const year = readYear(groups)
  if (year < 1) return undefined
  let month = Number(groups['m'] ?? 1)
  let day = Number(groups['d'] ?? 1)
  if (groups['j'] !== undefined) {
    day = Number(groups['j'])
    month = 1
    while (month <= 12 && day > daysOf(year, month)) day -= daysOf(year, month++)
  }
  if (month > 12 || day > daysOf(year, month)) return undefined
  return {
    year,
    month,
    day,
    hour: Number(groups['H'] ?? 0),
    minute: Number(groups['M'] ?? 0),
    second: Number(groups['S'] ?? 0),
    microsecond: Number((groups['f'] ?? '').padEnd(6, '0')),
  }
}

function readYear(groups: Readonly<Record<string, string | undefined>>): number {
  if (groups['Y'] !== undefined) return Number(groups['Y'])
  if (groups['y'] === undefined) return DEFAULT_YEAR
  const year = Number(groups['y'])
  return year < CENTURY_PIVOT ? 2000 + year : 1900 + year
}

function daysOf(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month === 2 && isLeap ? 29 : (MONTH_DAYS[month - 1] ?? 0)
}

function writeDayOfYear(date: DateParts): string {
  let day = date.day
  for (let month = 1; month < date.month; month++) day += daysOf(date.year, month)
  return digits(day, 3)
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

function invalidFormat(format: string, reason: string): AvisoError {
  return new AvisoError('ERR_CONFIG', `Date format "${format}" cannot be used, ${reason}`)
}
