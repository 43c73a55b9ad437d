/**
 * Values of fields as the keys of notifications have them: what operators write goes through the handlers of the schema.
 *
 * @module
 */

import * as v from 'valibot'

import { isAvisoError } from '#shared/errors.ts'
import { createField as createField2 } from '#shared/notification/aviso2/fields.ts'
import { dateFormatOf, fieldRule, isGeometry } from '#shared/notification/aviso2/field_rule.ts'
import { compileDateReader, type DateReader } from '#shared/notification/date_format.ts'
import type { EventSchema } from '#shared/notification/event_schema.ts'
import { createField, type Field } from '#shared/notification/fields.ts'
import { fieldOptions } from '#shared/notification/field_options.ts'
import { createCondition } from '#shared/notification/match.ts'

import { expandList, type Listed, MAX_LISTED } from './ranges.ts'
import type { WrittenValues } from './expectation_shape.ts'

/** A field of an event type. */
export interface RunField {
  /** The canonical texts of written values, each once. */
  read(written: WrittenValues): Listed
  /** Reads and writes its dates; `undefined` for a field that holds no days of the calendar. */
  readonly dates: DateReader | undefined
}

/** Compiles a field; `undefined` for a field that no key has. */
export function createRunField(schema: EventSchema, name: string): RunField | undefined {
  const compiled = schema.fields.includes(name) ? compile(schema, name) : undefined
  if (compiled === undefined) return undefined
  const { field, dates } = compiled
  return { read: (written) => readAll(field, written), dates }
}

function compile(
  { generation, rawDescription }: EventSchema,
  name: string,
): { readonly field: Field; readonly dates: DateReader | undefined } | undefined {
  const description = rawDescription.request[name] ?? []
  if (generation === 1) {
    const types = v.parse(v.array(fieldOptions), description)
    const [first] = types
    const dates = first?.type === 'DateHandler' ? compileDateReader(first.canonic) : undefined
    return { field: createField(name, types), dates: daysOnly(dates) }
  }
  const rule = v.parse(fieldRule, description[0])
  if (isGeometry(rule)) return undefined
  const dates = rule.type === 'DateHandler' ? compileDateReader(dateFormatOf(rule)) : undefined
  return { field: createField2(name, rule), dates }
}

/** Two days that differ in all parts of a date. A format that cannot write one of them, such as one without a year, has no days. */
const SAMPLE_DAYS = [Date.UTC(2024, 1, 29), Date.UTC(1987, 10, 3)]

function daysOnly(dates: DateReader | undefined): DateReader | undefined {
  return SAMPLE_DAYS.every((day) => dates?.read(dates.write(day)) === day) ? dates : undefined
}

function readAll(field: Field, written: WrittenValues): Listed {
  const found = new Set<string>()
  for (const part of Array.isArray(written) ? written : [written]) {
    const listed = typeof part === 'number' ? { values: [String(part)] } : expandList(part)
    if ('reason' in listed) return listed
    for (const value of listed.values) {
      const canonical = readOne(field, value)
      if ('reason' in canonical) return canonical
      for (const text of canonical.values) found.add(text)
      if (found.size > MAX_LISTED) return { reason: `There are more than ${MAX_LISTED} values` }
    }
  }
  return found.size === 0 ? { reason: 'The list is empty: give at least one value' } : { values: [...found] }
}

/** Also other spellings, as for a listener's request. */
function readOne(field: Field, value: string): Listed {
  try {
    const condition = createCondition(field, value)
    return { values: condition.kind === 'in' ? [...condition.values] : [] }
  } catch (error) {
    if (!isAvisoError(error)) throw error
    return { reason: error.message }
  }
}
