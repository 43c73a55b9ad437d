/**
 * JSON text as Python's `json.dumps` writes it, for documents that 1.x clients and triggers compare byte by byte.
 *
 * @module
 */

import { compareBytes, toBytes } from '#shared/bytes/bytes.ts'

import { pythonFloat } from './python_number.ts'

/** Code points that `ensure_ascii` leaves alone, besides the quote and the backslash. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const ESCAPED = /[\u0000-\u001f"\\\u007f-\uffff]/g
/** The same, to look for one: most texts have none, and a search costs less than a replacement. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const HAS_ESCAPED = /[\u0000-\u001f"\\\u007f-\uffff]/
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\f', '\\f'],
  ['\b', '\\b'],
])
/** Integers from here on can only have come from a float. */
const FLOAT_FROM = 1e21

interface Layout {
  /** Spaces per level; 0: everything on one line. */
  readonly indent: number
  readonly sortKeys: boolean
}

/** `json.dumps(value)`: separators `, ` and `: `, everything but ASCII escaped. Members that are `undefined` are left out. */
export function toPythonJson(value: unknown): string {
  return write(value, 0, { indent: 0, sortKeys: false })
}

/** `json.dumps(value, indent=indent, sort_keys=True)`. */
export function toPythonJsonSorted(value: unknown, indent: number): string {
  return write(value, 1, { indent, sortKeys: true })
}

function write(value: unknown, level: number, layout: Layout): string {
  switch (typeof value) {
    case 'string':
      return pythonText(value)
    case 'number':
      return writeNumber(value)
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? writeArray(value, level, layout) : writeObject(value, level, layout)
    default:
      return 'null'
  }
}

function writeArray(items: readonly unknown[], level: number, layout: Layout): string {
  return enclose(
    '[]',
    items.map((item) => write(item, level + 1, layout)),
    level,
    layout,
  )
}

function writeObject(value: object, level: number, layout: Layout): string {
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  // Python sorts by code point, which is the order of UTF-8 bytes and not of UTF-16 units.
  if (layout.sortKeys) members.sort(([a], [b]) => compareBytes(toBytes(a), toBytes(b)))
  return enclose(
    '{}',
    members.map(([name, member]) => `${pythonText(name)}: ${write(member, level + 1, layout)}`),
    level,
    layout,
  )
}

function enclose(brackets: '[]' | '{}', parts: readonly string[], level: number, layout: Layout): string {
  const [open = '', close = ''] = brackets
  if (parts.length === 0) return brackets
  if (layout.indent === 0) return open + parts.join(', ') + close
  const inner = `\n${' '.repeat(layout.indent * level)}`
  const outer = `\n${' '.repeat(layout.indent * (level - 1))}`
  return open + inner + parts.join(`,${inner}`) + outer + close
}

function writeNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  return Number.isInteger(value) && Math.abs(value) < FLOAT_FROM ? String(value) : pythonFloat(value)
}

/** `json.dumps` of a text. */
export function pythonText(text: string): string {
  if (!HAS_ESCAPED.test(text)) return `"${text}"`
  const escaped = text.replace(
    ESCAPED,
    (character) =>
      SHORT_ESCAPES.get(character) ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `"${escaped}"`
}
