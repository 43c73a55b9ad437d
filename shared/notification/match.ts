/**
 * What listeners ask for: requests compiled to filters, and filters applied to notifications.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { meets } from '#shared/geometry/meets.ts'

import type { Field } from './fields.ts'
import type { FieldCondition, NotificationRequest } from './notification.ts'
import { storedShape } from './stored_shape.ts'

/** Most values a listener may list for one field: more than all MARS streams with their synonyms. */
export const MAX_LISTED_VALUES = 1024

/** Whether a request has every one of the fields, each with a value that its condition accepts. */
export function satisfies(
  conditions: Iterable<readonly [field: string, condition: FieldCondition]>,
  request: NotificationRequest,
): boolean {
  for (const [name, condition] of conditions) {
    const value = request[name]
    if (value === undefined) return false
    if (!accepts(condition, value)) return false
  }
  return true
}

/** Whether a condition accepts the canonical text of a field. */
export function accepts(condition: FieldCondition, value: string): boolean {
  switch (condition.kind) {
    case 'in':
      return condition.values.has(value)
    case 'test':
      return condition.test(value)
    case 'meets': {
      const shape = storedShape(condition.stored, value)
      return shape !== undefined && meets(shape, condition.shape)
    }
  }
}

/**
 * Compiles what a listener gives for one field: a scalar, or a list of scalars of which any will do. They are made canonical as for a
 * notification.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`).
 */
export function createCondition(field: Field, value: unknown): FieldCondition {
  return oneOf(field, Array.isArray(value) ? value : [value])
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
    if (typeof text === 'string') return text
    const respelled = field.readSpelling?.(value)
    if (respelled === undefined) throw badFilter(field.name, text.message)
    return respelled
  })
  return { kind: 'in', values: new Set(texts) }
}
