/**
 * What listeners ask for: requests compiled to filters, and filters applied to notifications.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

import { showValue, type Field } from './fields.ts'
import type { FieldCondition, NotificationFilter, NotificationRequest } from './notification.ts'

/** Most values a listener may list for one field: more than all MARS streams with their synonyms. */
export const MAX_LISTED_VALUES = 1024

/** Operators of 2.x on numbers; each takes the operands and answers a test. */
const COMPARISONS: ReadonlyMap<string, (operand: number) => (value: number) => boolean> = new Map([
  ['gt', (operand: number) => (value: number) => value > operand],
  ['gte', (operand: number) => (value: number) => value >= operand],
  ['lt', (operand: number) => (value: number) => value < operand],
  ['lte', (operand: number) => (value: number) => value <= operand],
])

/** Whether a notification of the filter's event type has values that the filter accepts. */
export function matchesFilter(filter: NotificationFilter, request: NotificationRequest): boolean {
  for (const [name, condition] of filter.conditions) {
    const value = request[name]
    if (value === undefined) return false
    if (condition.kind === 'in' ? !condition.values.has(value) : !condition.test(value)) return false
  }
  return true
}

/**
 * Compiles what a listener gives for one field: a scalar, a list of scalars (1.x), or an object with one operator (2.x: `eq`, `in`
 * on numbers and enums, `gt`, `gte`, `lt`, `lte`, `between` on numbers). Scalars are made canonical as for a notification.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`).
 */
export function createCondition(field: Field, value: unknown): FieldCondition {
  if (Array.isArray(value)) return oneOf(field, value)
  if (typeof value === 'object' && value !== null) return compileOperator(field, value)
  return oneOf(field, [value])
}

/** An error about a field that a listener gave. */
export function badFilter(field: string, message: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { field } })
}

function oneOf(field: Field, values: readonly unknown[]): FieldCondition {
  if (values.length === 0)
    throw badFilter(field.name, `Key ${field.name} has an empty list, give at least one value`)
  if (values.length > MAX_LISTED_VALUES) {
    throw badFilter(field.name, `Key ${field.name} lists more than ${String(MAX_LISTED_VALUES)} values`)
  }
  const texts = values.map((value) => {
    const text = field.canonicalise(value)
    if (typeof text !== 'string') throw badFilter(field.name, text.message)
    return text
  })
  return { kind: 'in', values: new Set(texts) }
}

function compileOperator(field: Field, constraint: object): FieldCondition {
  const { name } = field
  const isNumeric = field.types.some((type) => type === 'IntHandler' || type === 'FloatHandler')
  if (!isNumeric && !field.types.includes('EnumHandler')) {
    throw badFilter(name, `Field '${name}' does not support constraint filters; expected scalar value`)
  }
  const [entry, ...others] = Object.entries(constraint) as [string, unknown][]
  if (entry === undefined || others.length > 0)
    throw badFilter(name, `Key ${name} needs exactly one operator`)
  const [operator, operand] = entry
  if (operator === 'eq') return oneOf(field, [operand])
  if (operator === 'in' && Array.isArray(operand)) return oneOf(field, operand)
  const comparison = COMPARISONS.get(operator)
  if (!isNumeric || (comparison === undefined && operator !== 'between')) {
    throw badFilter(name, `Operator ${showValue(operator)} is not supported for key ${name}`)
  }
  if (comparison !== undefined) {
    const accepts = comparison(toOperand(field, operand))
    return { kind: 'test', test: (value) => accepts(Number(value)) }
  }
  const [least, most] = toBounds(field, operand)
  return { kind: 'test', test: (value) => Number(value) >= least && Number(value) <= most }
}

function toBounds(field: Field, operand: unknown): readonly [number, number] {
  if (Array.isArray(operand) && operand.length === 2) {
    const least = toOperand(field, operand[0])
    const most = toOperand(field, operand[1])
    if (least <= most) return [least, most]
  }
  throw badFilter(field.name, `Key ${field.name} needs [least, most] for between`)
}

/** An operand must be a number that the field itself could have, so that a slip is an error and not silence. */
function toOperand(field: Field, operand: unknown): number {
  const isWhole =
    !field.types.includes('IntHandler') || field.types.includes('FloatHandler') || Number.isInteger(operand)
  if (typeof operand === 'number' && isWhole && typeof field.canonicalise(operand) === 'string')
    return operand
  throw badFilter(field.name, `Value ${showValue(operand)} is not valid for key ${field.name}`)
}
