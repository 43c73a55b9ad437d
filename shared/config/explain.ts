/**
 * Explains what is wrong with a configuration to the operator who wrote it: where, what stands there, and what may stand there.
 *
 * @module
 */

import type * as v from 'valibot'
import { closest } from '#shared/closest.ts'

/** A value that cannot be used. */
export interface Flaw {
  /** Where it stands, such as `['dev', 'port']`. */
  readonly path: readonly string[]
  /** What is wrong with it, such as `70000 is too large: at most 65535`. */
  readonly reason: string
  /** Whether a section has no setting of this name. */
  readonly isUnknown?: boolean
}

type Issue = v.BaseIssue<unknown>

/** Longest part of a value that is shown. */
const MAX_SHOWN = 64
/** What stands under such a name is never shown: it may be a secret that somebody put in the place of its name. */
const SECRET_NAME = /token|secret|password|env|key|credential/i
/** How the validation library begins what it says itself. All other messages are ours. */
const LIBRARY_TEXT = /^Invalid /

/** What may stand where a type is expected, by the library's name of the type. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'a text in quotes',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  record: 'an object',
  strict_object: 'an object',
  loose_object: 'an object',
  integer: 'a whole number',
  safe_integer: 'a whole number',
  url: 'an address such as https://host:8080',
}

/** The same in the library's lists of what is expected. */
const EXPECTED: Readonly<Record<string, string>> = {
  string: 'a text in quotes',
  number: 'a number',
  boolean: 'true or false',
  Array: 'a list',
  Object: 'an object',
}

/** @returns the flaws, in the order of the file's schema */
export function explain(issues: readonly Issue[]): readonly Flaw[] {
  return issues.flatMap((issue) => explainAt(issue, []))
}

/** @returns a line such as `dev.port: 70000 is too large: at most 65535` */
export function flawLine({ path, reason }: Flaw): string {
  return `${path.length === 0 ? '(top level)' : path.join('.')}: ${reason}`
}

/**
 * Explains an issue. When a value may have one of several shapes, the issue itself says only that the value has none of them. The operator
 * meant the shape whose own issues lie inside the value, so those are explained; of a list not those of shapes that are objects.
 */
function explainAt(issue: Issue, above: readonly string[]): readonly Flaw[] {
  const path = [...above, ...(issue.path ?? []).map(({ key }) => String(key))]
  const isList = Array.isArray(issue.input)
  const inside = (issue.issues ?? []).filter(
    ({ path: at }) => at !== undefined && (at[0].type === 'array') === isList,
  )
  if (inside.length > 0) return inside.flatMap((shape) => explainAt(shape, path))
  const isUnknown = issue.type === 'strict_object' && issue.expected === 'never'
  return [{ path, reason: reasonOf(issue, shown(issue.input, path)), ...(isUnknown && { isUnknown }) }]
}

function reasonOf(issue: Issue, value: string): string {
  const { type, message } = issue
  if (!LIBRARY_TEXT.test(message)) return isSmall(issue) ? `${value} does not fit. ${message}` : message
  const wanted = TYPES[type]
  if (wanted !== undefined) return `${value} is not ${wanted}`
  const bound = String(issue.requirement)
  switch (type) {
    case 'min_value':
      return `${value} is too small: at least ${bound}`
    case 'max_value':
      return `${value} is too large: at most ${bound}`
    case 'min_length':
      return `${value} is too short: at least ${bound} ${unitOf(issue.input)}`
    case 'max_length':
      return `${value} is too long: at most ${bound} ${unitOf(issue.input)}`
    case 'literal':
    case 'picklist':
    case 'union':
    case 'variant':
      return `${value} is not allowed here: ${choiceOf(issue)}`
    default:
      return `${value} does not have the right form`
  }
}

/** Whether our own message is about a value of its own, and not about several settings or a name. */
function isSmall({ input, type }: Issue): boolean {
  return type !== 'strict_object' && (typeof input === 'string' || typeof input === 'number')
}

/** What may stand there, from the library's text, such as `("debug" | "info")`. */
function choiceOf({ expected, input }: Issue): string {
  const parts = (expected ?? '').replace(/^\((.*)\)$/, '$1').split(' | ')
  const choices = [...new Set(parts.map((part) => EXPECTED[part] ?? part))]
  const last = choices.at(-1) ?? ''
  const list = choices.length < 2 ? last : `${choices.slice(0, -1).join(', ')} or ${last}`
  const names = parts.filter((part) => part.startsWith('"')).map((part) => part.slice(1, -1))
  const meant = typeof input === 'string' ? closest(input, names) : undefined
  return meant === undefined ? `use ${list}` : `use ${list}; did you mean "${meant}"?`
}

function unitOf(input: unknown): string {
  return Array.isArray(input) ? 'entries' : 'characters'
}

function shown(input: unknown, path: readonly string[]): string {
  const name = path.findLast((step) => !/^\d+$/.test(step)) ?? ''
  if (Array.isArray(input)) return 'a list'
  if (input === undefined) return 'nothing'
  if (typeof input === 'object') return input === null ? 'null' : 'an object'
  if (typeof input === 'number' || typeof input === 'boolean') return String(input)
  if (typeof input !== 'string') return 'what stands there'
  if (SECRET_NAME.test(name)) return 'what stands there'
  const text = input.replaceAll(/\/\/[^/@]*@/g, '//…@')
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text)
}
