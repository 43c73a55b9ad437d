/**
 * Key formats such as `/ec/diss/{destination}/date={date},step={step}`: writing, reading and comparing them.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

import { parseFormat } from './python_format.ts'

/** A compiled format: `literals[0] fields[0] literals[1] …`, so there is one literal more than fields. */
export interface KeyFormat {
  readonly literals: readonly string[]
  /** Names in order of appearance, repeats included. */
  readonly fields: readonly string[]
}

/**
 * Compiles a key format.
 *
 * @throws {AvisoError} `ERR_CONFIG` for anything but plain `{name}` placeholders with text between them.
 */
export function parseKeyFormat(format: string): KeyFormat {
  const literals = ['']
  const fields: string[] = []
  for (const part of parseFormat(format)) {
    if (typeof part === 'string') {
      literals[fields.length] = part
      continue
    }
    if (part.name === '' || part.spec !== '') {
      throw invalidFormat(format, 'its placeholders must be plain names such as {date}')
    }
    if (fields.length > 0 && literals[fields.length] === '') {
      throw invalidFormat(format, 'two fields without text between them cannot be told apart')
    }
    fields.push(part.name)
    literals.push('')
  }
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  if (literals.some((literal) => /[\u0000-\u001f\u007f]/.test(literal) || !literal.isWellFormed())) {
    throw invalidFormat(format, 'it contains control characters')
  }
  return { literals, fields }
}

/** Writes a key. `values` has the text of every field; an absent one counts as empty. */
export function writeKey(format: KeyFormat, values: ReadonlyMap<string, string>): string {
  let key = format.literals[0] ?? ''
  for (let index = 0; index < format.fields.length; index++) {
    key += (values.get(format.fields[index] ?? '') ?? '') + (format.literals[index + 1] ?? '')
  }
  return key
}

/**
 * Reads a key back: every field takes the fewest characters, at least one, as 1.x does. Unlike 1.x, text between fields is
 * case-sensitive. Takes time linear in the key: no choice is ever revised.
 *
 * @param segmentFields - How many leading fields may not contain a `/`.
 * @returns The texts of `format.fields`, or `undefined` when the key is not of this format.
 */
export function readKey(
  format: KeyFormat,
  key: string,
  segmentFields: number,
): readonly string[] | undefined {
  const { literals, fields } = format
  const start = literals[0] ?? ''
  if (!key.startsWith(start)) return undefined
  if (fields.length === 0) return key.length === start.length ? [] : undefined
  const values: string[] = []
  let position = start.length
  for (let index = 0; index < fields.length; index++) {
    const literal = literals[index + 1] ?? ''
    const isLast = index === fields.length - 1
    if (isLast && !key.endsWith(literal)) return undefined
    const end = isLast ? key.length - literal.length : key.indexOf(literal, position + 1)
    if (end <= position) return undefined
    const value = key.slice(position, end)
    if (index < segmentFields && value.includes('/')) return undefined
    values.push(value)
    position = end + literal.length
  }
  return values
}

/**
 * Whether some key could be of both formats, when field values are never empty and hold no `/`. May say yes for a few that
 * {@link readKey} would tell apart, never no for one that it would not.
 */
export function formatsOverlap(a: KeyFormat, b: KeyFormat): boolean {
  const [start = '', otherStart = ''] = [a.literals[0], b.literals[0]]
  // Most formats differ here. With hundreds of event types there are very many pairs.
  if (!start.startsWith(otherStart) && !otherStart.startsWith(start)) return false
  return symbolsOverlap(toSymbols(a), toSymbols(b))
}

/** Whether a key of the format could start with `prefix`. */
export function canStartWith(format: KeyFormat, prefix: string): boolean {
  return symbolsOverlap(toSymbols(format), [...Array.from(prefix), ANYTHING])
}

/** One character of a field value. */
const ONE = Symbol('one')
/** More characters of a field value. */
const MORE = Symbol('more')
/** Any text, `/` included. */
const ANYTHING = Symbol('anything')

type KeySymbol = string | typeof ONE | typeof MORE | typeof ANYTHING

function toSymbols(format: KeyFormat): readonly KeySymbol[] {
  return format.literals.flatMap((literal, index) => {
    const characters = Array.from(literal)
    return index === 0 ? characters : [ONE, MORE, ...characters]
  })
}

/** Walks all pairs of positions that one text can reach in both patterns. */
function symbolsOverlap(a: readonly KeySymbol[], b: readonly KeySymbol[]): boolean {
  const rows = b.length + 1
  const seen = new Set<number>()
  const open = [0]
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    if (seen.has(pair)) continue
    seen.add(pair)
    const i = Math.floor(pair / rows)
    const j = pair % rows
    const left = a[i]
    const right = b[j]
    if (left === undefined && right === undefined) return true
    if (repeats(left)) open.push(pair + rows)
    if (repeats(right)) open.push(pair + 1)
    if (left !== undefined && right !== undefined && shareCharacter(left, right)) {
      open.push((repeats(left) ? i : i + 1) * rows + (repeats(right) ? j : j + 1))
    }
  }
  return false
}

function repeats(symbol: KeySymbol | undefined): boolean {
  return symbol === MORE || symbol === ANYTHING
}

function shareCharacter(a: KeySymbol, b: KeySymbol): boolean {
  if (a === ANYTHING || b === ANYTHING) return true
  if (typeof a === 'string') return typeof b === 'string' ? a === b : a !== '/'
  return typeof b !== 'string' || b !== '/'
}

function invalidFormat(format: string, reason: string): AvisoError {
  return new AvisoError('ERR_CONFIG', `Key format "${format}" cannot be used, ${reason}`)
}
