/**
 * Settings of the ingest: `workers.rest.vars`.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { DEFAULT_PUBLISH_LIMITS, type PublishLimits } from '#shared/publish/limits.ts'

/** Retries of a client that crashed and was restarted come within minutes. */
const ID_SECONDS = DEFAULT_PUBLISH_LIMITS.idWindowMs / 1000
const ID_COUNT = DEFAULT_PUBLISH_LIMITS.idWindowItems
/** A request is under way for up to 10 s, and its provider repeats it after that. */
const LEAST_ID_SECONDS = 60
const MOST_ID_SECONDS = 7 * 86_400
/** Half of the ids are surely kept, and as many notifications as this half may be under way. */
const LEAST_ID_COUNT = 2 * DEFAULT_PUBLISH_LIMITS.maxItems
/** An id takes up to 400 bytes: 800 MB for each event type. */
const MOST_ID_COUNT = 2_000_000

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
  idWindow: v.optional(
    v.pipe(
      section({
        seconds: v.optional(
          v.pipe(
            v.number(),
            v.minValue(LEAST_ID_SECONDS),
            v.maxValue(MOST_ID_SECONDS),
            v.metadata({ unit: 'seconds' }),
            v.description('Time that an id is remembered'),
          ),
          ID_SECONDS,
        ),
        count: v.optional(
          v.pipe(
            v.number(),
            v.integer(),
            v.minValue(LEAST_ID_COUNT),
            v.maxValue(MOST_ID_COUNT),
            v.metadata({ unit: 'ids' }),
            v.description(
              'Most ids that are remembered for each event type, up to 400 bytes each; the newest half surely are',
            ),
          ),
          ID_COUNT,
        ),
      }),
      v.description(
        'How long a repeated notification is recognised by its id. After that it is stored as a new one',
      ),
    ),
    {},
  ),
})

export type RestVars = v.InferOutput<typeof restVars>

/** @returns the bounds of the publisher that follow from the settings. */
export function toPublishLimits({ idWindow }: RestVars): Pick<PublishLimits, 'idWindowItems' | 'idWindowMs'> {
  return { idWindowItems: idWindow.count, idWindowMs: idWindow.seconds * 1000 }
}
