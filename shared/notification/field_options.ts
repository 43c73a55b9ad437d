/**
 * Shape of the field types in a schema file (1.x: `validation/*_handler.py`). Keys we do not know are allowed.
 *
 * @module
 */

import * as v from 'valibot'

const required = v.nullish(v.boolean())
const canonic = v.nullish(v.string())
const enumValues = v.pipe(
  v.union(
    [v.array(v.string()), v.array(v.number())],
    'Enum values must be a list of strings or a list of numbers',
  ),
  v.check((values) => values.length > 0, 'Enum values must not be empty'),
)

const intRange = v.pipe(
  v.tuple([v.pipe(v.number(), v.safeInteger()), v.pipe(v.number(), v.safeInteger())]),
  v.check(([least, most]) => least <= most, 'The first element of a range must not be above the second'),
)

const fieldTypes = [
  v.looseObject({
    type: v.literal('StringHandler'),
    required,
    canonic: v.nullish(
      v.picklist(['lower', 'upper'], (issue) => `Case ${String(issue.input)} not recognised`),
    ),
  }),
  v.looseObject({
    type: v.literal('EnumHandler'),
    required,
    values: enumValues,
    default: v.nullish(v.union([v.string(), v.number()])),
  }),
  v.looseObject({ type: v.literal('TimeHandler'), required, values: enumValues, canonic: v.string() }),
  v.looseObject({ type: v.literal('DateHandler'), required, canonic: v.string() }),
  v.looseObject({ type: v.literal('IntHandler'), required, canonic, range: v.nullish(intRange) }),
  v.looseObject({ type: v.literal('FloatHandler'), required, canonic }),
  v.looseObject({ type: v.literal('RegexHandler'), required, regex: v.string() }),
] as const

/** One way in which a field's value may be given. */
export const fieldOptions = v.variant('type', [...fieldTypes], (issue) =>
  issue.received === 'undefined'
    ? "Wrong schema structure, 'type' could not be located"
    : `Type ${issue.received} is not one of ${fieldTypes.map((type) => type.entries.type.literal).join(', ')}`,
)

export type FieldOptions = v.InferOutput<typeof fieldOptions>
