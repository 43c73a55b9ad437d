/**
 * Compiles comparisons on fields, as in aviso 2.x: `{"step":{"gte":12}}`. `eq` and `in` are accepted for fields of every type, because
 * ecFlow writes every list as `in`. 2.x accepts them only for numbers and enums.
 *
 * @module
 */

import { isScalar, type FieldScalar } from './request.ts'
import { AvisoError } from '#shared/errors.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import type { FieldDescription } from '#shared/notification/event_schema.ts'
import type { FieldCondition } from '#shared/notification/notification.ts'

/** A compiled comparison: a list of wanted values, not canonicalised yet, or a predicate over canonical text. */
export type CompiledConstraint =
  | { readonly kind: 'values'; readonly values: readonly FieldScalar[] }
  | { readonly kind: 'condition'; readonly condition: FieldCondition }

const ORDER_OPERATORS = ['eq', 'in', 'gt', 'gte', 'lt', 'lte', 'between'] as const
const EQUALITY_OPERATORS = ['eq', 'in'] as const

/** A bigint is exact beyond 2^53; a number and a bigint compare by value. */
type Operand = number | bigint
type Numeric = Extract<FieldDescription, { type: 'IntHandler' | 'FloatHandler' }>
type Enum = Extract<FieldDescription, { type: 'EnumHandler' }>

/**
 * Compiles the one comparison in `constraint`, on a field with these types in the schema.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` unless there is exactly one operator, the field supports it, and the operand is a possible value
 *   of the field.
 */
export function compileConstraint(
  name: string,
  types: readonly FieldDescription[],
  constraint: JsonObject,
): CompiledConstraint {
  const numeric = types.find(
    (type): type is Numeric => type.type === 'IntHandler' || type.type === 'FloatHandler',
  )
  const choice = types.find((type): type is Enum => type.type === 'EnumHandler')
  const allowed = numeric === undefined ? EQUALITY_OPERATORS : ORDER_OPERATORS
  const [operator, ...others] = Object.keys(constraint)
  if (operator === undefined || others.length > 0) {
    throw refuse(name, `must have exactly one operator. Allowed: ${allowed.join(',')}`)
  }
  const known = allowed.find((candidate) => candidate === operator)
  if (known === undefined) {
    // The texts of 2.x begin in the same way.
    if (numeric === undefined && choice === undefined) {
      throw refuse(name, 'does not support constraint filters; expected scalar value, or eq or in')
    }
    throw refuse(name, `has the invalid operator '${operator.slice(0, 32)}'. Allowed: ${allowed.join(',')}`)
  }
  const operand = constraint[operator]
  if (numeric !== undefined) return compileNumeric({ name, type: numeric }, known, operand)
  const wanted = listOf(name, known, operand)
  return {
    kind: 'values',
    values: wanted.flatMap((value) =>
      choice === undefined ? plain(name, value) : choicesOf(name, choice, value),
    ),
  }
}

function plain(name: string, value: JsonValue): FieldScalar {
  if (isScalar(value)) return value
  throw refuse(name, 'must be compared with a string, number or boolean')
}

interface NumericField {
  readonly name: string
  readonly type: Numeric
}

function compileNumeric(
  field: NumericField,
  operator: (typeof ORDER_OPERATORS)[number],
  operand: JsonValue | undefined,
): CompiledConstraint {
  const { name, type } = field
  if (operator === 'between') {
    const [least, most, ...rest] = Array.isArray(operand)
      ? operand.map((bound) => toOperand(field, bound))
      : []
    if (least === undefined || most === undefined || rest.length > 0 || least > most) {
      throw refuse(name, "needs two bounds for 'between', the lower one first")
    }
    return condition((value) => value >= least && value <= most)
  }
  if (operator === 'eq' || operator === 'in') {
    const wanted = listOf(name, operator, operand).map((value) => toOperand(field, value))
    // An integer has one canonical text, which the hub can index. A float may have several texts.
    if (type.type === 'IntHandler') return { kind: 'values', values: wanted }
    return condition((value) => wanted.some((candidate) => Number(candidate) === Number(value)))
  }
  const bound = toOperand(field, operand)
  switch (operator) {
    case 'gt':
      return condition((value) => value > bound)
    case 'gte':
      return condition((value) => value >= bound)
    case 'lt':
      return condition((value) => value < bound)
    case 'lte':
      return condition((value) => value <= bound)
  }
}

function condition(holds: (value: Operand) => boolean): CompiledConstraint {
  const test = (text: string): boolean => {
    const value = text === '' ? Number.NaN : Number(text)
    if (!Number.isFinite(value)) return false
    // An integer beyond 2^53 would be compared with its neighbours.
    return holds(Number.isInteger(value) && /^-?\d{16,}$/.test(text) ? BigInt(text) : value)
  }
  return { kind: 'condition', condition: { kind: 'test', test } }
}

function listOf(name: string, operator: string, operand: JsonValue | undefined): readonly JsonValue[] {
  if (operator === 'in') {
    if (Array.isArray(operand) && operand.length > 0) return operand
    throw refuse(name, "needs a list with at least one value for 'in'")
  }
  return operand === undefined ? [] : [operand]
}

function toOperand({ name, type }: NumericField, value: JsonValue | undefined): Operand {
  const isInteger = typeof value === 'bigint' || Number.isSafeInteger(value)
  if (type.type === 'IntHandler' && !isInteger) throw refuse(name, 'expects an integer to compare with')
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isFinite(value))) {
    throw refuse(name, 'expects a number to compare with')
  }
  const range = rangeOf(type)
  if (range !== undefined && (value < range[0] || value > range[1])) {
    throw refuse(name, `is compared with ${value}, outside allowed range ${range[0]} to ${range[1]}`)
  }
  return value
}

function rangeOf(type: Numeric): readonly [number, number] | undefined {
  // 1.x schemas do not define a range for floats, but a file may have one; unknown members of a schema are kept.
  const range: unknown = 'range' in type ? type.range : undefined
  if (!Array.isArray(range) || range.length !== 2) return undefined
  const [least, most] = range as readonly unknown[]
  return typeof least === 'number' && typeof most === 'number' ? [least, most] : undefined
}

/** The enum's values that equal the wanted value; letter case does not count. */
function choicesOf(name: string, { values }: Enum, wanted: JsonValue): readonly (string | number)[] {
  const text = isScalar(wanted) ? String(wanted).toLowerCase() : undefined
  const found = values.filter((value) => String(value).toLowerCase() === text)
  if (found.length === 0) throw refuse(name, 'is compared with something that is not one of its values')
  return found
}

function refuse(name: string, problem: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', `Field '${name.slice(0, 64)}' ${problem}`, {
    details: { field: name.slice(0, 64) },
  })
}
