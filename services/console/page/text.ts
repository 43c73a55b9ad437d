/**
 * Text of strangers, made fit for people. The page never makes markup of text; what is left are characters that cannot be seen, or that
 * change what is seen around them.
 *
 * @module
 */

/** Control characters, marks that turn the direction of text, and characters without width. Tabs and line ends stay. */
const UNSEEN =
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Marks that stand above or below a letter, beyond those that a script has on one: they would be drawn over other lines. */
const STACKED = /(?<=\p{M}{4})\p{M}/gu

const HEX_DIGITS = 4

/** The text with each character that cannot be seen, and each mark too many on a letter, written as `\u202e`. */
export function seen(text: string): string {
  return text.replace(STACKED, escapeOf).replace(UNSEEN, escapeOf)
}

function escapeOf(characters: string): string {
  const units = Array.from({ length: characters.length }, (_, index) => characters.charCodeAt(index))
  return units.map((unit) => `\\u${unit.toString(16).padStart(HEX_DIGITS, '0')}`).join('')
}

/** The beginning of a text in one line. */
export function brief(text: string, most: number): string {
  const start = text.length > most * 2 ? text.slice(0, most * 2) : text
  const line = seen(start.replace(/[\r\n\t]+/g, ' '))
  return line.length <= most ? line : `${line.slice(0, most)}…`
}

/** A value as text: text as it is, the rest as JSON. */
export function valueText(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The time of day with milliseconds, in UTC. */
export function clockTime(time: string | number): string {
  const at = new Date(time)
  return Number.isNaN(at.getTime()) ? '–' : at.toISOString().slice(11, 23)
}

/** Date and time of day, in UTC. */
export function fullTime(time: string | number | null | undefined): string {
  if (time === null || time === undefined) return '–'
  const at = new Date(time)
  return Number.isNaN(at.getTime()) ? '–' : at.toISOString().slice(0, 19).replace('T', ' ')
}

/** Bytes for people. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`
}

/** A span for people: `42 s`, `7 min`, `3 h 20 min`, `2 d 4 h`. */
export function spanText(seconds: number): string {
  const whole = Math.abs(Math.round(seconds))
  const sign = seconds < 0 && whole > 0 ? '−' : ''
  if (Math.abs(seconds) < 10 && seconds !== Math.round(seconds)) return `${seconds.toFixed(1)} s`
  if (whole < 120) return `${sign}${whole} s`
  const minutes = Math.round(whole / 60)
  if (minutes < 60) return `${sign}${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${sign}${hours} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`
  return `${sign}${Math.floor(hours / 24)} d${hours % 24 === 0 ? '' : ` ${hours % 24} h`}`
}

/** A count with separators, in the page's language. */
export function countText(count: number): string {
  return count.toLocaleString('en')
}
