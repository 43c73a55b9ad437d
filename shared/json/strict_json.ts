/**
 * Strict JSON for untrusted bytes: RFC 8259 in well-formed UTF-8. Everything that two parsers could read differently is refused.
 *
 * `JSON.parse` keeps the last of two equal names, rounds large integers and has no depth limit. Here `JSON.parse` gives the value, and
 * two linear passes prove that none of that happened. If they cannot prove it, a second, exact parser decides. So a common body costs
 * little more than `JSON.parse`, and the exact parser is the specification.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'

/** A JSON value. An integer outside ±(2^53 − 1) is a `bigint`, so that no digit is lost. */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject

/** A JSON object. */
export interface JsonObject {
  readonly [name: string]: JsonValue
}

/** Bounds of one document. An absent bound means: only the size of the document is a limit. */
export interface JsonLimits {
  /** Most levels of objects and arrays; `[[]]` has depth 2. */
  readonly maxDepth: number
  /** Most names in one object. */
  readonly maxNames?: number
  /** Most elements in one array. */
  readonly maxArray?: number
  /** Most characters in one number. */
  readonly maxNumberDigits?: number
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const BRACKET_OPEN = 0x5b
const BACKSLASH = 0x5c
const BRACKET_CLOSE = 0x5d
const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d

/** The result of a pass that cannot prove the document harmless. NaN plus any number stays NaN. */
const LOOK_CLOSER = Number.NaN

/** Whether a value is a JSON object (not null, not an array). */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the JSON object in the bytes, as {@link parseStrictJson} reads it; `undefined` for everything else. */
export function readStrictObject(bytes: Uint8Array, limits: JsonLimits): JsonObject | undefined {
  try {
    const value = parseStrictJson(bytes, limits)
    return isJsonObject(value) ? value : undefined
  } catch {
    // The sender does not learn what is wrong with the text.
    return undefined
  }
}

/**
 * Parses one JSON document.
 *
 * @throws {AvisoError} `ERR_INVALID_JSON` with a short reason, and `details.offset` in bytes. It refuses anything that is not RFC 8259
 *   in UTF-8 without BOM. It also refuses duplicate names, the names `__proto__`, `constructor` and `prototype`, lone surrogates, numbers
 *   that are not finite, and documents beyond the limits.
 */
export function parseStrictJson(bytes: Uint8Array, limits: JsonLimits): JsonValue {
  const text = decode(bytes)
  const names = countNames(bytes, limits)
  if (names >= 0) {
    try {
      const value = JSON.parse(text) as JsonValue
      if (countProven(value, text.includes('\\')) === names) return value
    } catch {
      // The exact parser below says what is wrong, and where.
    }
  }
  return parseExactly(text, limits)
}

/** JSON text of a value from {@link parseStrictJson}, with every digit of its large integers. */
export function exactJsonText(value: JsonValue): string {
  try {
    return JSON.stringify(value)
  } catch {
    // The value contains a bigint. The recursion below is bounded by the depth of the parsed document.
  }
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(exactJsonText).join(',')}]`
  const members = Object.entries(value as JsonObject)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${exactJsonText(member)}`).join(',')}}`
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new AvisoError('ERR_INVALID_JSON', 'The body is not valid JSON: it is not UTF-8', { cause })
  }
}

/** @returns the index of the closing quote; an index at or after the end when there is none. */
function endOfString(bytes: Uint8Array, start: number): number {
  let index = start
  while (index < bytes.length) {
    const byte = bytes[index]
    if (byte === QUOTE) return index
    index += byte === BACKSLASH ? 2 : 1
  }
  return index
}

function endOfNumber(bytes: Uint8Array, start: number): number {
  let index = start
  for (;;) {
    const byte = bytes[index] ?? 0
    // Digits, sign, point and exponent. The native parser refuses malformed numbers.
    const more =
      (byte >= ZERO && byte <= NINE) ||
      byte === 0x2e ||
      byte === 0x2b ||
      byte === MINUS ||
      (byte | 0x20) === 0x65
    if (!more) return index
    index++
  }
}

/** Counts the names of the document by its colons, without parsing; {@link LOOK_CLOSER} when a limit may be exceeded. */
function countNames(bytes: Uint8Array, limits: JsonLimits): number {
  const { maxDepth, maxNames = Infinity, maxArray = Infinity, maxNumberDigits = Infinity } = limits
  let total = 0
  let depth = 0
  // Colons and commas seen so far in each open object or array.
  const colons: number[] = [0]
  const commas: number[] = [0]
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0
    if (byte === QUOTE) {
      index = endOfString(bytes, index + 1)
    } else if (byte === COLON) {
      total++
      const count = (colons[depth] ?? 0) + 1
      if (count > maxNames) return LOOK_CLOSER
      colons[depth] = count
    } else if (byte === COMMA) {
      const count = (commas[depth] ?? 0) + 1
      // Commas in an object need no limit of their own, because its colons have one.
      if (count >= maxArray && (colons[depth] ?? 0) === 0) return LOOK_CLOSER
      commas[depth] = count
    } else if (byte === BRACE_OPEN || byte === BRACKET_OPEN) {
      depth++
      if (depth > maxDepth) return LOOK_CLOSER
      colons[depth] = 0
      commas[depth] = 0
    } else if (byte === BRACE_CLOSE || byte === BRACKET_CLOSE) {
      depth--
      if (depth < 0) return LOOK_CLOSER
    } else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) {
      const end = endOfNumber(bytes, index + 1)
      if (end - index > maxNumberDigits) return LOOK_CLOSER
      index = end - 1
    }
  }
  return total
}

function isForbiddenName(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype'
}

/**
 * Counts the names in the parsed value. Fewer than {@link countNames} found means that the document has a name twice.
 *
 * @returns the number of names, or {@link LOOK_CLOSER} for a forbidden name, a number that may have lost digits, or a lone surrogate.
 */
function countProven(value: JsonValue, hasEscapes: boolean): number {
  if (typeof value === 'string') return hasEscapes && !value.isWellFormed() ? LOOK_CLOSER : 0
  if (typeof value === 'number')
    return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER ? LOOK_CLOSER : 0
  if (typeof value !== 'object' || value === null) return 0
  let total = 0
  if (Array.isArray(value)) {
    for (const element of value as readonly JsonValue[]) total += countProven(element, hasEscapes)
    return total
  }
  const object = value as JsonObject
  const names = Object.keys(object)
  for (const name of names) {
    if (isForbiddenName(name) || (hasEscapes && !name.isWellFormed())) return LOOK_CLOSER
    total += countProven(object[name] ?? null, hasEscapes)
  }
  return total + names.length
}

const NUMBER = /-?(?:0|[1-9]\d*)(?<fraction>(?:\.\d+)?(?:[eE][+-]?\d+)?)/y
const WHITE_SPACE = /[ \t\n\r]*/y
const LITERALS: readonly (readonly [string, null | boolean])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
]

/** Throws an error about the text at a character index. */
type Fail = (reason: string, at?: number) => never

/** The exact parser: one pass of recursive descent of bounded depth. It knows the position of every error. */
function parseExactly(text: string, limits: JsonLimits): JsonValue {
  const { maxDepth, maxNames = Infinity, maxArray = Infinity, maxNumberDigits = Infinity } = limits
  let index = 0

  const fail: Fail = (reason, at = index) => {
    const offset = toBytes(text.slice(0, at)).length
    throw new AvisoError('ERR_INVALID_JSON', `The body is not valid JSON: ${reason} at byte ${offset}`, {
      details: { offset },
    })
  }
  const skipSpace = (): void => {
    WHITE_SPACE.lastIndex = index
    WHITE_SPACE.test(text)
    index = WHITE_SPACE.lastIndex
  }
  /** Skips white space, then takes `character` if it comes next. */
  const take = (character: string): boolean => {
    skipSpace()
    if (text[index] !== character) return false
    index++
    return true
  }

  const parseString = (): string => {
    const { value, end } = readString(text, index, fail)
    index = end
    return value
  }

  const parseNumber = (): number | bigint => {
    NUMBER.lastIndex = index
    const match = NUMBER.exec(text)
    if (match === null) return fail('unexpected character')
    const [literal] = match
    if (literal.length > maxNumberDigits) fail(`number longer than ${maxNumberDigits} characters`)
    const value = Number(literal)
    if (!Number.isFinite(value)) fail('number too large')
    index += literal.length
    return match.groups?.['fraction'] === '' && !Number.isSafeInteger(value) ? BigInt(literal) : value
  }

  const parseObject = (depth: number): JsonObject => {
    const object: Record<string, JsonValue> = {}
    const names = new Set<string>()
    if (take('}')) return object
    do {
      skipSpace()
      const at = index
      const name = parseString()
      if (isForbiddenName(name)) fail('forbidden name', at)
      if (names.has(name)) fail('duplicate name', at)
      names.add(name)
      if (names.size > maxNames) fail(`more than ${maxNames} names in an object`, at)
      if (!take(':')) fail('expected a colon')
      object[name] = parseValue(depth)
    } while (take(','))
    return take('}') ? object : fail('expected a comma or a closing brace')
  }

  const parseArray = (depth: number): readonly JsonValue[] => {
    const array: JsonValue[] = []
    if (take(']')) return array
    do {
      if (array.length >= maxArray) fail(`more than ${maxArray} elements in an array`)
      array.push(parseValue(depth))
    } while (take(','))
    return take(']') ? array : fail('expected a comma or a closing bracket')
  }

  const parseValue = (depth: number): JsonValue => {
    skipSpace()
    const character = text[index]
    if (character === undefined) return fail('unexpected end')
    if (character === '"') return parseString()
    if (character === '{' || character === '[') {
      if (depth === maxDepth) fail(`nested deeper than ${maxDepth} levels`)
      index++
      return character === '{' ? parseObject(depth + 1) : parseArray(depth + 1)
    }
    const literal = LITERALS.find(([word]) => text.startsWith(word, index))
    if (literal === undefined) return parseNumber()
    index += literal[0].length
    return literal[1]
  }

  const value = parseValue(0)
  skipSpace()
  return index === text.length ? value : fail('unexpected text after the document')
}

/** The string literal that begins at `start`. */
function readString(
  text: string,
  start: number,
  fail: Fail,
): { readonly value: string; readonly end: number } {
  if (text[start] !== '"') fail('expected a string', start)
  let escaped = false
  let end = start + 1
  for (; ; end++) {
    const code = text.charCodeAt(end)
    if (Number.isNaN(code)) fail('unterminated string', start)
    if (code < 0x20) fail('raw control character in a string', end)
    if (code === QUOTE) break
    if (code !== BACKSLASH) continue
    escaped = true
    end++
  }
  const value = escaped ? unescape(text.slice(start, end + 1)) : text.slice(start + 1, end)
  if (value === undefined) return fail('invalid escape in a string', start)
  if (!value.isWellFormed()) fail('lone surrogate in a string', start)
  return { value, end: end + 1 }
}

function unescape(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string
  } catch {
    return undefined
  }
}
