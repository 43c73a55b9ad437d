/**
 * Reads runs as `GET /api/v1/runs` and the notifications of event type `run` have them. Members that are absent are null, and a newer
 * service may add some.
 *
 * @module
 */

import * as v from 'valibot'
import { ClientError } from '#shared/client/client_error.ts'

/** Event type of the notifications that say how a run is. */
export const RUN_EVENT = 'run'
/** What a run has at times only. Notifications do not have it at others. */
export const AT_TIMES: readonly string[] = [
  'nominal',
  'expected',
  'first_at',
  'last_at',
  'complete_at',
  'republished_at',
  'due_at',
  'usual',
  'usual.first_at',
  'usual.complete_at',
  'eta',
  'eta.at',
  'eta.from',
  'eta.to',
  'learning',
  'learning.runs',
  'learning.needed',
]

const moment = v.optional(v.nullable(v.pipe(v.string(), v.isoTimestamp())), null)
const count = v.optional(v.number(), 0)
const fields = v.record(v.string(), v.string())

const runView = v.looseObject({
  /** Text that stands for the run in an address. */
  id: v.string(),
  /** Event type of its products. */
  event_type: v.string(),
  /** The fields that name it. */
  run: fields,
  nominal: moment,
  /** One of `RUN_STATES`, or one of a newer service. */
  state: v.string(),
  /** Different products that were expected and came. */
  received: v.number(),
  /** `null`: not known yet. */
  expected: v.optional(v.nullable(v.number()), null),
  extra: count,
  repeated: count,
  first_at: moment,
  last_at: moment,
  complete_at: moment,
  republished_at: moment,
  due_at: moment,
  usual: v.optional(v.nullable(v.looseObject({ first_at: moment, complete_at: moment })), null),
  eta: v.optional(
    v.nullable(v.looseObject({ at: v.string(), from: v.optional(v.string()), to: v.optional(v.string()) })),
    null,
  ),
  learning: v.optional(v.nullable(v.looseObject({ runs: v.number(), needed: v.number() })), null),
  /** Products whose own time has passed. */
  overdue: count,
  missing: v.optional(
    v.looseObject({
      count: v.number(),
      products: v.optional(v.array(fields), []),
      truncated: v.optional(v.boolean(), false),
    }),
    { count: 0 },
  ),
})

const runPage = v.looseObject({
  ...runView.entries,
  products: v.optional(
    v.array(
      v.looseObject({
        product: fields,
        at: moment,
        due_at: moment,
        lateness_seconds: v.optional(v.nullable(v.number()), null),
        state: v.string(),
      }),
    ),
    [],
  ),
  /** The service does not list all products. */
  products_truncated: v.optional(v.boolean(), false),
})

/** A run. */
export type RunView = v.InferOutput<typeof runView>
/** A run with its products. */
export type RunPage = v.InferOutput<typeof runPage>
/** A product of a run. */
export type RunProduct = RunPage['products'][number]

/** Everything that was expected came, in time or not. */
export function isComplete({ state }: Pick<RunView, 'state'>): boolean {
  return state === 'complete' || state === 'recovered'
}

/** Nothing more is waited for, though not everything came. */
export function isGivenUp({ state }: Pick<RunView, 'state'>): boolean {
  return state === 'incomplete' || state === 'abandoned'
}

/** @throws {ClientError} for what is no run. */
export function readRun(value: unknown): RunView {
  return read(runView, value)
}

/** @throws {ClientError} for what is no run. */
export function readRunPage(value: unknown): RunPage {
  return read(runPage, value)
}

function read<const Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const [issue] = result.issues
  throw new ClientError(
    `The service sent a run that cannot be read: ${v.getDotPath(issue) ?? ''} ${issue.message}`,
  )
}
