/**
 * Shape of the field rules in a schema of aviso 2.x. As in 2.x, a rule with an unknown option is refused.
 *
 * @module
 */

import * as v from 'valibot'

import { strictSection } from './strict_section.ts'

/** How a date is written in keys and events. */
export const DATE_FORMATS = ['%Y%m%d', '%Y-%m-%d'] as const

/** The options that every rule has. Whether a listener must give the field; a provider must always give it, as in 2.x. */
const common = {
  required: v.nullish(v.boolean('It must be true or false')),
  description: v.nullish(v.string('It must be text')),
}
/** YAML reads `values: [1, true]` as a number and a boolean. 2.x takes their texts. */
const text = v.pipe(
  v.union([v.string(), v.number(), v.boolean()], 'It must be text'),
  v.transform((value) => String(value)),
)

const maxLength = v.pipe(v.number('It must be a number of bytes'), v.integer(), v.minValue(1))
/** 2.x's own most. */
const MAX_POINTS = 10_000

function rangeOf(bound: v.GenericSchema<unknown, number>) {
  return v.pipe(
    v.tuple([bound, bound], 'A range is a list of two numbers: [least, most]'),
    v.check(([least, most]) => least <= most, 'The first element of a range must not be above the second'),
  )
}

const rules = [
  strictSection({ type: v.literal('StringHandler'), max_length: v.nullish(maxLength), ...common }),
  strictSection({
    type: v.literal('DateHandler'),
    canonical_format: v.nullish(
      v.picklist(DATE_FORMATS, `A canonical_format is ${DATE_FORMATS.join(' or ')}`),
    ),
    ...common,
  }),
  strictSection({ type: v.literal('TimeHandler'), ...common }),
  strictSection({
    type: v.literal('EnumHandler'),
    values: v.pipe(
      v.array(text, 'It must be a list of values'),
      v.minLength(1, 'It must list at least one value'),
    ),
    ...common,
  }),
  strictSection({
    type: v.literal('IntHandler'),
    range: v.nullish(rangeOf(v.pipe(v.number(), v.safeInteger('A bound of a range must be a whole number')))),
    ...common,
  }),
  strictSection({
    type: v.literal('FloatHandler'),
    range: v.nullish(rangeOf(v.pipe(v.number(), v.finite('A bound of a range must be finite')))),
    ...common,
  }),
  strictSection({ type: v.literal('ExpverHandler'), default: v.nullish(text), ...common }),
  strictSection({ type: v.literal('PolygonHandler'), ...common }),
  strictSection({
    type: v.literal('PointCloudHandler'),
    max_points: v.nullish(
      v.pipe(
        v.number('It must be a number of points'),
        v.integer('It must be a whole number'),
        v.minValue(1, 'It must be 1 or more'),
        v.maxValue(MAX_POINTS, `It must not be more than ${MAX_POINTS}`),
      ),
    ),
    ...common,
  }),
] as const

const HANDLERS = rules.map((rule) => rule.entries.type.literal)

/** The rule of one field. */
export const fieldRule = v.variant('type', [...rules], (issue) => {
  const given = issue.received === 'undefined' ? 'It has no type' : `The type ${issue.received} is not known`
  return `${given}: use one of ${HANDLERS.join(', ')}`
})

export type FieldRule = v.InferOutput<typeof fieldRule>

/** How a field writes its dates. 2.x's own where the rule has none. */
export function dateFormatOf(
  rule: Extract<FieldRule, { type: 'DateHandler' }>,
): (typeof DATE_FORMATS)[number] {
  return rule.canonical_format ?? DATE_FORMATS[0]
}

/** The rules whose values are places on the globe. */
export type GeometryRule = Extract<FieldRule, { type: 'PolygonHandler' | 'PointCloudHandler' }>

/** Whether a rule, of either generation, is one of them. */
export function isGeometry(rule: { readonly type: string }): rule is GeometryRule {
  return rule.type === 'PolygonHandler' || rule.type === 'PointCloudHandler'
}
