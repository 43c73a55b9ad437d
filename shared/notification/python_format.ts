/**
 * The part of Python's `str.format` that schemas use: named fields in key formats, one padded value in canonical forms.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

import { pythonFixed, pythonFloat } from './python_number.ts'

/** Text between placeholders, or a placeholder. */
export type FormatPart = string | { readonly name: string; readonly spec: string }

/** What a canonical form is applied to. */
export type FormatKind = 'text' | 'int' | 'float'

/** Far beyond any width in use; a schema must not make keys of a megabyte. */
const MAX_WIDTH = 64
const MAX_DECIMALS = 20
const PLACEHOLDER = /^([^!:{}]*)(?::([^{}]*))?$/
const SPEC =
  /^(?:(?<fill>.)?(?<align>[<>^=]))?(?<sign>[-+ ])?(?<zero>0)?(?<width>\d+)?(?:\.(?<decimals>\d+))?(?<type>[a-zA-Z%])?$/su

/**
 * Splits a format string; `{{` and `}}` stand for braces.
 *
 * @throws {AvisoError} `ERR_CONFIG` for unbalanced braces and conversions such as `!r`.
 */
export function parseFormat(format: string): readonly FormatPart[] {
  const parts: FormatPart[] = []
  let literal = ''
  let position = 0
  while (position < format.length) {
    const character = format.charAt(position)
    const isDoubled = format.charAt(position + 1) === character
    if ((character !== '{' && character !== '}') || isDoubled) {
      literal += character
      position += isDoubled && (character === '{' || character === '}') ? 2 : 1
      continue
    }
    const end = format.indexOf('}', position)
    const placeholder = character === '}' ? null : PLACEHOLDER.exec(format.slice(position + 1, end))
    if (end < 0 || placeholder === null)
      throw invalidFormat(format, 'braces must be balanced and hold a name')
    if (literal !== '') parts.push(literal)
    literal = ''
    parts.push({ name: placeholder[1] ?? '', spec: placeholder[2] ?? '' })
    position = end + 1
  }
  if (literal !== '') parts.push(literal)
  return parts
}

/**
 * Compiles a canonical form such as `{0:0>4}` or `{:2.2f}`.
 *
 * A `0` before the width pads text on the left too: Python versions disagree on it (an error, or zeros behind).
 *
 * @throws {AvisoError} `ERR_CONFIG` unless it has exactly one placeholder, `{}` or `{0}`, with a spec for this kind of value.
 */
export function compileFormat(format: string, kind: FormatKind): (value: string | number | bigint) => string {
  const parts = parseFormat(format)
  const placeholders = parts.filter((part) => typeof part !== 'string')
  const [placeholder] = placeholders
  if (placeholders.length !== 1 || placeholder === undefined || !['', '0'].includes(placeholder.name)) {
    throw invalidFormat(format, 'it must have exactly one placeholder, {} or {0}')
  }
  const apply = compileSpec(format, placeholder.spec, kind)
  const at = parts.indexOf(placeholder)
  const before = literal(parts.slice(0, at))
  const after = literal(parts.slice(at + 1))
  return (value) => before + apply(value) + after
}

/** The literal text among some parts. */
function literal(parts: ReturnType<typeof parseFormat>): string {
  return parts.filter((part) => typeof part === 'string').join('')
}

function compileSpec(
  format: string,
  spec: string,
  kind: FormatKind,
): (value: string | number | bigint) => string {
  const groups = SPEC.exec(spec)?.groups
  if (groups === undefined) throw invalidFormat(format, `"${spec}" is not a supported format specification`)
  const { sign = '-', zero, type = '' } = groups
  const decimals = groups['decimals'] === undefined ? undefined : Number(groups['decimals'])
  const width = Number(groups['width'] ?? 0)
  if (width > MAX_WIDTH || (decimals ?? 0) > MAX_DECIMALS) throw invalidFormat(format, 'it is too wide')

  const isFixed = kind !== 'text' && (type === 'f' || type === 'F')
  const plainType = { text: 's', int: 'd', float: '' }[kind]
  if (!isFixed && ((type !== '' && type !== plainType) || decimals !== undefined)) {
    throw invalidFormat(format, `"${spec}" does not fit the type of the field`)
  }
  const align = groups['align'] ?? defaultAlign(kind, zero !== undefined)
  if (kind === 'text' && (align === '=' || groups['sign'] !== undefined)) {
    throw invalidFormat(format, `"${spec}" needs a number`)
  }
  const fill = groups['fill'] ?? (zero === undefined ? ' ' : '0')

  return (value) => {
    if (kind === 'text') return pad('', String(value), { fill, align, width })
    const isNegative = typeof value === 'bigint' ? value < 0n : Number(value) < 0 || Object.is(value, -0)
    const magnitude = typeof value === 'bigint' ? (isNegative ? -value : value) : Math.abs(Number(value))
    const digits = isFixed ? pythonFixed(Number(magnitude), decimals ?? 6) : writeNumber(magnitude, kind)
    return pad(isNegative ? '-' : sign.replace('-', ''), digits, { fill, align, width })
  }
}

function defaultAlign(kind: FormatKind, isZeroPadded: boolean): string {
  if (kind === 'text') return isZeroPadded ? '>' : '<'
  return isZeroPadded ? '=' : '>'
}

function writeNumber(magnitude: bigint | number, kind: FormatKind): string {
  return kind === 'float' ? pythonFloat(Number(magnitude)) : String(magnitude)
}

interface Padding {
  readonly fill: string
  readonly align: string
  readonly width: number
}

function pad(sign: string, body: string, padding: Padding): string {
  const missing = padding.width - sign.length - Array.from(body).length
  if (missing <= 0) return sign + body
  const { fill } = padding
  switch (padding.align) {
    case '<':
      return sign + body + fill.repeat(missing)
    case '^':
      return fill.repeat(Math.floor(missing / 2)) + sign + body + fill.repeat(Math.ceil(missing / 2))
    case '=':
      return sign + fill.repeat(missing) + body
    default:
      return fill.repeat(missing) + sign + body
  }
}

function invalidFormat(format: string, reason: string): AvisoError {
  return new AvisoError('ERR_CONFIG', `Format "${format}" cannot be used, ${reason}`)
}
