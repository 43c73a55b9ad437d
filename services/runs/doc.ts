/**
 * Describes the routes about runs.
 *
 * @module
 */

import {
  count,
  flag,
  json,
  list,
  mapOf,
  named,
  number,
  object,
  oneOf,
  orNull,
  QUOTA_HEADERS,
  READ_ERRORS,
  text,
  time,
  type JsonSchema,
  type OperationDoc,
  type RoomDoc,
} from '#shared/http/doc.ts'
import { RUN_STATES } from '#shared/runs/runs.ts'

const PRODUCT = mapOf(text(), 'Fields that name a product')

const VIEW: Readonly<Record<string, JsonSchema>> = {
  id: text('Text that is safe in a path'),
  event_type: text('Event type of the products'),
  run: mapOf(text(), 'Fields that name the run'),
  nominal: orNull(time('Nominal time')),
  state: oneOf(RUN_STATES),
  received: count('Distinct expected products that came; while learning: distinct products'),
  expected: orNull(count('Products that are expected; null while learning')),
  extra: count('Distinct products that were not expected'),
  repeated: count('Products that were published again'),
  first_at: orNull(time()),
  last_at: orNull(time()),
  complete_at: orNull(time()),
  republished_at: orNull(time('The last product that was published again after completion')),
  due_at: orNull(time('When all of the run is due')),
  usual: orNull(object({ first_at: time(), complete_at: time() }, 'As earlier runs were')),
  eta: orNull(
    object(
      { at: time(), from: time(), to: time() },
      'When it is likely to be complete; the interval holds in 80 %',
    ),
  ),
  learning: orNull(object({ runs: count(), needed: count() }, 'Earlier runs that are known, and needed')),
  overdue: count('Missing products whose own due time has passed'),
  missing: object({ count: count(), products: list(PRODUCT), truncated: flag() }, 'What the run lacks'),
}

const DETAIL: Readonly<Record<string, JsonSchema>> = {
  ...VIEW,
  products: list(
    object({
      product: PRODUCT,
      at: orNull(time()),
      due_at: orNull(time()),
      lateness_seconds: orNull(number('After its due time; negative: before')),
      state: oneOf(['received', 'missing', 'overdue', 'extra']),
    }),
  ),
  products_truncated: flag('There are more products than are listed'),
  arrivals: object({
    today: list(list(number()), 'Seconds after nominal, and how many had come by then'),
    usual: list(list(number()), 'Seconds, and how many had come of earlier runs: low, middle, high'),
  }),
}

const common: Pick<OperationDoc, 'access' | 'form'> = { access: 'listener', form: 2 }

/** The routes. */
export const doc: RoomDoc = {
  tag: 'runs',
  about: 'Forecast runs: whether one is complete, when it will be, and what it lacks.',
  operations: {
    runs: {
      ...common,
      route: 'GET /api/v1/runs',
      summary: 'Runs, the newest nominal time first',
      about: 'Who may not listen to all products of a run does not see it.',
      query: {
        event: { about: 'Event type of the products' },
        state: { about: 'State', schema: oneOf(RUN_STATES) },
        limit: { about: 'Most of a page', schema: { type: 'integer', minimum: 1, maximum: 500 } },
        cursor: { about: '`next` of the page before' },
      },
      takesFields: true,
      answers: {
        200: {
          about: 'A page',
          content: json(
            object({ runs: list(named('Run')), next: orNull(text('Where the next page begins')) }),
          ),
          headers: QUOTA_HEADERS,
        },
      },
      errors: ['ERR_BAD_REQUEST', 'ERR_NOT_FOUND', 'ERR_NOT_ACCEPTABLE', ...READ_ERRORS],
    },
    run: {
      ...common,
      route: 'GET /api/v1/runs/:id',
      summary: 'One run, with its products',
      path: { id: { about: 'Of the list', example: 'mars:od,oper,0001,20260706,00' } },
      answers: { 200: { about: 'The run', content: json(named('RunDetail')), headers: QUOTA_HEADERS } },
      errors: ['ERR_BAD_REQUEST', 'ERR_NOT_FOUND', 'ERR_NOT_ACCEPTABLE', ...READ_ERRORS],
    },
  },
  schemas: { Run: object(VIEW), RunDetail: object(DETAIL) },
}
