/**
 * Makes a filter from the values and comparisons that a listener gives for each field.
 *
 * @module
 */

import { compileConstraint } from './constraint.ts'
import type { FieldQuery } from './request.ts'
import { AvisoError } from '#shared/errors.ts'
import { isJsonObject } from '#shared/json/strict_json.ts'
import { isGeometry } from '#shared/notification/aviso2/field_rule.ts'
import type { EventSchema } from '#shared/notification/event_schema.ts'
import type { FieldCondition, NotificationFilter } from '#shared/notification/notification.ts'

/**
 * Compiles a listener's identifier.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`) for an unknown field, a missing field of the base, or a value that the field
 *   cannot have.
 */
export function compileFilter(
  schema: EventSchema,
  identifier: Readonly<Record<string, FieldQuery>>,
): NotificationFilter {
  const plain: [string, unknown][] = []
  const tests = new Map<string, FieldCondition>()
  for (const [name, query] of Object.entries(identifier)) {
    // A field that is not part of the key is left to the schema, which refuses it by name.
    const types = schema.fields.includes(name) ? schema.rawDescription.request[name] : undefined
    if (types === undefined || types.some(isGeometry) || Array.isArray(query) || !isJsonObject(query)) {
      plain.push([name, query])
      continue
    }
    const constraint = compileConstraint(name, types, query)
    if (constraint.kind === 'values') plain.push([name, constraint.values])
    else if (schema.formats.base.fields.includes(name)) throw badBase(name)
    else tests.set(name, constraint.condition)
  }
  return schema.filter(Object.fromEntries(plain), tests)
}

function badBase(name: string): AvisoError {
  const message = `Field '${name}' decides which keys are read: give its values, or compare with eq or in`
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { field: name } })
}
