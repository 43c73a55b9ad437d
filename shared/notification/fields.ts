/**
 * Canonical text of field values: what 1.x's type handlers write into keys, minus what would break a key.
 *
 * Stricter than 1.x, where it stored damage: null, lists and objects, booleans and inexact numbers for numeric fields, and text that
 * cannot stand in a key are refused. As in 1.x `true` is `True` in a text field, and 1.7 is `1` in an integer field.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'

import { compileDateFormat, compileDateReader } from './date_format.ts'
import type { FieldOptions } from './field_options.ts'
import { compileLinearRegex } from './linear_regex.ts'
import { compileFormat } from './python_format.ts'
import { readDay, readTime } from './spellings.ts'
import { parsePythonFloat, parsePythonInt, pythonFloat } from './python_number.ts'

/** Why a value was not taken. */
export interface Refusal {
  /** 1.x's text for clients. */
  readonly message: string
  /** What exactly its type asks for, where that says more. */
  readonly reason?: string
}

/** A compiled field of a schema. */
export interface Field {
  readonly name: string
  /** Types of the alternatives, in order. */
  readonly types: readonly string[]
  /** The canonical text of a JSON value, by the first type that takes it. */
  canonicalise(value: unknown): string | Refusal
  /** The canonical text of a date or a time in another spelling of 2.x. For listeners: what providers may write is what 1.x takes. */
  readSpelling?(value: unknown): string | undefined
}

/** Longest canonical value, UTF-8 bytes: five such fields still fit every store's and proxy's key limits. */
export const MAX_VALUE_BYTES = 128
/** Longest value looked at, UTF-16 code units: white space and underscores may go, so it is more than the above. */
const MAX_INPUT_LENGTH = 256
/** Longest part of a refused value repeated in a message. */
const MAX_SHOWN_LENGTH = 128
const PLAIN_VALUE = /^[\w:+-][\w .:+-]*$/
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
const ONLY_DIGITS = /^\d+$/

/** Takes a scalar; `reason` is 1.x's text of the handler. */
type TypeReader = (value: Scalar) => string | { readonly reason: string }
type Scalar = string | number | bigint | boolean

/**
 * Compiles a field. Its `types` are alternatives, tried in order.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a canonical form or regular expression that cannot be used.
 */
export function createField(name: string, types: readonly FieldOptions[]): Field {
  const readers = types.map((options) => compileType(name, options))
  const spellings = types.flatMap((options) => spellingsOf(options))
  const isRequired = types[0]?.required === true
  /** The last text that was taken, and what became of it: most values of a batch are those of the notification before. */
  let lastValue: string | undefined
  let lastText = ''
  const field: Field = {
    name,
    types: types.map((options) => options.type),
    canonicalise(value) {
      if (typeof value === 'string' && value === lastValue) return lastText
      if (value === null || value === undefined) {
        return isRequired ? { message: `${name} is a mandatory key` } : refuse(name, value)
      }
      if (typeof value === 'string' && value.length > MAX_INPUT_LENGTH)
        return refuse(name, value, 'it is too long')
      if (!isScalar(value)) return refuse(name, value)
      let reason = ''
      for (const read of readers) {
        const text = read(value)
        if (typeof text === 'string') {
          const checked = checkKeyText(name, text)
          if (typeof value === 'string' && typeof checked === 'string') {
            lastValue = value
            lastText = checked
          }
          return checked
        }
        reason = text.reason
      }
      return { ...refuse(name, value), reason }
    },
  }
  if (spellings.length === 0) return field
  return {
    ...field,
    readSpelling(value) {
      for (const read of spellings) {
        const text = typeof value === 'string' ? read(value) : undefined
        const canonical = text === undefined ? undefined : field.canonicalise(text)
        if (typeof canonical === 'string') return canonical
      }
      return undefined
    },
  }
}

/** Functions that turn a spelling of 2.x into one that 1.x takes, for the types that have one. */
function spellingsOf(options: FieldOptions): readonly ((text: string) => string | undefined)[] {
  switch (options.type) {
    case 'DateHandler': {
      const { write } = compileDateReader(options.canonic)
      return [
        (text) => {
          const day = readDay(text)
          return day === undefined ? undefined : write(Date.parse(`${day.join('-')}T00:00:00Z`))
        },
      ]
    }
    case 'TimeHandler':
      return [(text) => wholeHours(text, 2), (text) => wholeHours(text, 1)]
    default:
      return []
  }
}

/** The hours of a time without minutes, with at least so many digits: values of 1.x are such as 0 or "00". */
function wholeHours(text: string, digits: number): string | undefined {
  const [hours, minutes] = readTime(text) ?? []
  return hours === undefined || minutes !== '00' ? undefined : String(Number(hours)).padStart(digits, '0')
}

/** A value as messages show it: Python's text, cut to a bounded length. */
export function showValue(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (!isScalar(value)) return Array.isArray(value) ? '[…]' : '{…}'
  const text = scalarText(value) ?? String(value)
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text
}

function refuse(name: string, value: unknown, because?: string): Refusal {
  const message = `Value ${showValue(value)} is not valid for key ${name}`
  return { message: because === undefined ? message : `${message}, ${because}` }
}

function isScalar(value: unknown): value is Scalar {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
}

/** What a value must satisfy to stand in a store key between slashes, and to be found there again. */
function checkKeyText(name: string, text: string): string | Refusal {
  if (PLAIN_VALUE.test(text) && text.length <= MAX_VALUE_BYTES) return text
  if (text === '') return refuse(name, text, 'it must not be empty')
  if (text.includes('/')) return refuse(name, text, 'it must not contain "/"')
  if (text === '.' || text === '..') return refuse(name, text, 'it must not be a relative path')
  if (CONTROL.test(text)) return refuse(name, text, 'it must not contain control characters')
  if (!text.isWellFormed()) return refuse(name, text, 'it must be well-formed Unicode')
  if (toBytes(text).length > MAX_VALUE_BYTES) {
    return refuse(name, text, `it must not be longer than ${String(MAX_VALUE_BYTES)} bytes`)
  }
  return text
}

function compileType(name: string, options: FieldOptions): TypeReader {
  switch (options.type) {
    case 'StringHandler':
      return compileString(name, options.canonic)
    case 'EnumHandler':
      return compileEnum(name, options.values, options.default)
    case 'TimeHandler':
      return compileTime(name, options.values, options.canonic)
    case 'DateHandler':
      return compileDate(options.canonic)
    case 'IntHandler':
      return compileInt(name, options)
    case 'FloatHandler':
      return compileFloat(name, options.canonic)
    case 'RegexHandler':
      return compileRegex(name, options.regex)
  }
}

function compileString(name: string, canonic: 'lower' | 'upper' | null | undefined): TypeReader {
  return (value) => {
    const text = scalarText(value)
    if (text === undefined) return { reason: inexact(name) }
    if (canonic === 'lower') return text.toLowerCase()
    return canonic === 'upper' ? text.toUpperCase() : text
  }
}

/**
 * The raw text is kept, as in 1.x: with the values [0, 6] the text "06" is another key than "6". Numbers in other spellings (white
 * space, signs, underscores) are refused.
 */
function compileEnum(
  name: string,
  values: readonly (string | number)[],
  fallback?: string | number | null,
): TypeReader {
  const texts = new Set(values.map((value) => scalarText(value)))
  const isNumeric = typeof values[0] === 'number'
  const allowed = values.join(',')
  const read: TypeReader = (value) => {
    const text = scalarText(value)
    if (text === undefined || (isNumeric && typeof value === 'boolean')) {
      return { reason: `Key ${name} is not of a valid type` }
    }
    if (texts.has(text)) return text
    if (isNumeric && ONLY_DIGITS.test(text) && texts.has(String(BigInt(text)))) return text
    return { reason: `Key ${name} accepts only the following values: ${allowed}` }
  }
  if (fallback === undefined || fallback === null) return read
  const fallbackText = read(fallback)
  if (typeof fallbackText !== 'string')
    throw new AvisoError('ERR_CONFIG', 'The default must be one of the values')
  return (value) => (value === '' ? fallbackText : read(value))
}

function compileTime(name: string, values: readonly (string | number)[], canonic: string): TypeReader {
  const read = compileEnum(name, values)
  const format = compileFormat(canonic, 'text')
  return (value) => {
    const text = read(value)
    return typeof text === 'string' ? format(text) : text
  }
}

function compileDate(canonic: string): TypeReader {
  const normalise = compileDateFormat(canonic)
  return (value) =>
    normalise(scalarText(value) ?? '') ?? {
      reason: 'Date attribute is not complying with the format defined',
    }
}

interface IntOptions {
  readonly canonic?: string | null | undefined
  readonly range?: readonly [number, number] | null | undefined
}

function compileInt(name: string, options: IntOptions): TypeReader {
  const format = compileFormat(options.canonic ?? '{}', 'int')
  const { range } = options
  return (value) => {
    const integer = toInteger(value)
    if (integer === undefined) return { reason: `Key ${name} has to be an integer` }
    if (range && (integer < range[0] || integer > range[1])) {
      return { reason: `Value ${String(integer)} for key ${name} is outside the range defined` }
    }
    return format(integer)
  }
}

function toInteger(value: Scalar): bigint | number | undefined {
  switch (typeof value) {
    case 'string':
      return parsePythonInt(value)
    case 'number':
      // Adding 0 turns -0 into 0.
      return Number.isSafeInteger(Math.trunc(value)) ? Math.trunc(value) + 0 : undefined
    case 'bigint':
      return value
    default:
      return undefined
  }
}

function compileFloat(name: string, canonic: string | null | undefined): TypeReader {
  const format = compileFormat(canonic ?? '{}', 'float')
  return (value) => {
    const float = typeof value === 'string' ? parsePythonFloat(value) : Number(value)
    if (float === undefined || typeof value === 'boolean') return { reason: `Key ${name} has to be a float` }
    return format(float)
  }
}

function compileRegex(name: string, source: string): TypeReader {
  const matches = compileLinearRegex(source)
  return (value) => {
    if (typeof value !== 'string') return { reason: `Key ${name} has to be a string` }
    return value.length <= MAX_VALUE_BYTES && matches(value)
      ? value
      : { reason: `Value ${showValue(value)} is not valid for key ${name}` }
  }
}

/** `str(value)` in Python; `undefined` for a number that JavaScript cannot hold exactly. */
function scalarText(value: Scalar): string | undefined {
  switch (typeof value) {
    case 'string':
      return value
    case 'boolean':
      return value ? 'True' : 'False'
    case 'number':
      if (!Number.isInteger(value)) return Number.isFinite(value) ? pythonFloat(value) : undefined
      return Number.isSafeInteger(value) ? String(value) : undefined
    default:
      return String(value)
  }
}

function inexact(name: string): string {
  return `The number for key ${name} is too large to be exact, give it as text`
}
