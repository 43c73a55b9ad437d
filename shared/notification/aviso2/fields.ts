/**
 * Canonical text of field values: the handlers of aviso 2.x, with its spellings, canonical forms and refusals.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'

import { showValue, type Field, type Refusal } from '../fields.ts'
import { readDay, readTime } from '../spellings.ts'
import { dateFormatOf, type FieldRule, type GeometryRule } from './field_rule.ts'

/** Longest canonical value, UTF-8 bytes. In 2.x all values together cannot be longer than 4 KiB, because they are a NATS subject. */
export const MAX_TEXT_BYTES = 4_096

/** Takes the text of a scalar, and gives the canonical text. */
type Handler = (text: string) => string | Refusal

/** Width of an experiment version. */
const EXPVER_DIGITS = 4
const MAX_I64 = 2n ** 63n - 1n
const MIN_I64 = -(2n ** 63n)

/** Compiles a field that is no geometry. */
export function createField(name: string, rule: Exclude<FieldRule, GeometryRule>): Field {
  const handle = compile(name, rule)
  return {
    name,
    types: [rule.type],
    canonicalise(value) {
      const text = textOf(value)
      if (text === undefined) return refuse(name, 'must be a string, a number or a boolean')
      if (!text.isWellFormed()) return refuse(name, 'must be well-formed Unicode')
      // The rest of a text that is too long cannot make it valid, and is not worth looking at.
      if (text.length > MAX_TEXT_BYTES || toBytes(text).length > MAX_TEXT_BYTES)
        return refuse(name, `must not be longer than ${MAX_TEXT_BYTES} bytes`)
      return handle(text)
    },
  }
}

/** A number and a boolean as 2.x makes texts of them. */
function textOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
    default:
      return undefined
  }
}

function compile(name: string, rule: Exclude<FieldRule, GeometryRule>): Handler {
  switch (rule.type) {
    case 'StringHandler':
      return compileString(name, rule.max_length ?? MAX_TEXT_BYTES)
    case 'DateHandler':
      return compileDate(name, dateFormatOf(rule) === '%Y-%m-%d' ? '-' : '')
    case 'TimeHandler':
      return compileTime(name)
    case 'EnumHandler':
      return compileEnum(name, rule.values)
    case 'IntHandler':
      return compileInt(name, rule.range)
    case 'FloatHandler':
      return compileFloat(name, rule.range)
    case 'ExpverHandler':
      return compileExpver(name, rule.default)
  }
}

function compileString(name: string, maxBytes: number): Handler {
  return (text) => {
    if (text === '') return refuse(name, 'must not be empty')
    return toBytes(text).length <= maxBytes ? text : refuse(name, `must not be longer than ${maxBytes} bytes`)
  }
}

function compileDate(name: string, separator: string): Handler {
  return (text) => {
    const day = readDay(text)
    if (day !== undefined) return day.join(separator)
    const problem = `contains invalid date '${showValue(text)}'`
    return refuse(name, `${problem}: write a day of the calendar as YYYY-MM-DD, YYYYMMDD or YYYY-DDD`)
  }
}

function compileTime(name: string): Handler {
  return (text) => {
    const time = readTime(text)
    if (time !== undefined) return time.join('')
    const problem = `contains invalid time '${showValue(text)}'`
    return refuse(name, `${problem}: write a time of day as H, HH, H:MM, HH:MM or HHMM`)
  }
}

function compileEnum(name: string, values: readonly string[]): Handler {
  const allowed = new Set(values.map((value) => value.toLowerCase()))
  return (text) => {
    const lower = text.toLowerCase()
    if (allowed.has(lower)) return lower
    return refuse(name, `must be one of ${[...allowed].join(', ')}, and not '${showValue(text)}'`)
  }
}

type Range = readonly [least: number, most: number] | null | undefined

function compileInt(name: string, range: Range): Handler {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined
    if (value === undefined || value < MIN_I64 || value > MAX_I64)
      return refuse(name, `must be a valid integer of 64 bits, and not '${showValue(text)}'`)
    return isWithin(value, range) ? String(value) : outside(name, text, range)
  }
}

function compileFloat(name: string, range: Range): Handler {
  return (text) => {
    const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN
    if (!Number.isFinite(value))
      return refuse(name, `must be a valid, finite number, and not '${showValue(text)}'`)
    return isWithin(value, range) ? floatText(value) : outside(name, text, range)
  }
}

function isWithin(value: number | bigint, range: Range): boolean {
  return !range || (value >= range[0] && value <= range[1])
}

function outside(name: string, text: string, range: Range): Refusal {
  const [least, most] = range ?? []
  return refuse(name, `must be within the range ${least} to ${most}, and not '${showValue(text)}'`)
}

/** The shortest digits that read back as the same number, as Rust writes them: without an exponent. */
function floatText(value: number): string {
  const [digits = '', exponent] = String(Math.abs(value)).split('e')
  const sign = value < 0 ? '-' : ''
  if (exponent === undefined) return sign + digits
  const [whole = '', fraction = ''] = digits.split('.')
  const point = whole.length + Number(exponent)
  const all = whole + fraction
  return sign + (point > 0 ? all.padEnd(point, '0') : `0.${'0'.repeat(-point)}${all}`)
}

function compileExpver(name: string, fallback: string | null | undefined): Handler {
  return (text) => {
    const given = text === '' ? (fallback ?? '') : text
    if (given === '') return refuse(name, 'must not be empty, because the schema has no default for it')
    return /^\d+$/.test(given) ? given.replace(/^0+/, '').padStart(EXPVER_DIGITS, '0') : given.toLowerCase()
  }
}

/** The refusal of a value, in the form of 2.x. */
export function refuse(name: string, problem: string): Refusal {
  return { message: `Field '${name}' ${problem}` }
}
