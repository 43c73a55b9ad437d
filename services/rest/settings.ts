/**
 * Settings of the ingest: `services.rest.vars`.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'

/** Raw values of one field, as providers send them. */
const rawValues = v.array(v.union([v.string(), v.number()]))

export const restVars = section({
  skips: v.optional(
    v.pipe(
      v.record(v.string(), rawValues),
      v.description(
        'Field → raw values: a notification whose field has one of these values is answered 200 and not stored, as in 1.x',
      ),
    ),
    {},
  ),
  strictIds: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        'Refuse (409) a notification that repeats a CloudEvents source and id with other content. Otherwise it is stored as new',
      ),
    ),
    false,
  ),
})
