/**
 * Shape of `vars.runs`: what is expected of runs, as operators write it.
 *
 * @module
 */

import * as v from 'valibot'

import { section } from '#shared/config/section.ts'
import { parseDurationMs } from '#shared/retention/duration.ts'

import { MAX_LISTED } from './ranges.ts'

/** Most earlier runs that are learned from: four weeks of a daily run. */
export const MAX_LEARNED = 28
const MIN_LEARNED = 2
const DEFAULT_LEARNED = 7
/** A product that was in fewer than half of the runs is no habit. */
const MIN_QUORUM = 0.5
const DEFAULT_QUORUM = 0.6
const DEFAULT_CLOSE = '24h'
const MAX_NAMES = 16
const MAX_GROUPS = 1_000
/** Most events, and most sets of runs that come every day. */
const MAX_EVENTS = 100

const names = v.pipe(v.array(v.string()), v.minLength(1, 'Name at least one field'), v.maxLength(MAX_NAMES))

const DURATION_TEXT = 'A duration is a whole number with a unit, such as 8h (s, m, h, d, w)'

const duration = v.pipe(
  v.string(DURATION_TEXT),
  v.check((text) => parseDurationMs(text) !== undefined, DURATION_TEXT),
  v.transform((text) => parseDurationMs(text) ?? 0),
)

const due = v.union([v.literal('usual'), duration], `${DURATION_TEXT}, or "usual"`)

const value = v.union([v.string(), v.number()])
/** One value, a MARS range, or a list of these. */
const values = v.union([value, v.array(value)])

const usual = section({
  runs: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(MIN_LEARNED),
      v.maxValue(MAX_LEARNED),
      v.description('How many earlier runs of the same hour there must be'),
    ),
    DEFAULT_LEARNED,
  ),
  quorum: v.optional(
    v.pipe(
      v.number(),
      v.minValue(MIN_QUORUM),
      v.maxValue(1),
      v.description('In which share of them a product must have been'),
    ),
    DEFAULT_QUORUM,
  ),
})

const group = v.objectWithRest(
  {
    where: v.optional(v.pipe(v.record(v.string(), values), v.description('For which runs, by their fields'))),
    due: v.optional(due),
  },
  values,
)

/** In one section, so that each name in it that does not exist is told. */
const usualOrCount = v.pipe(
  section({
    usual: v.optional(usual),
    count: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_LISTED))),
  }),
  v.check(
    (given) => (given.usual === undefined) !== (given.count === undefined),
    'Give either "usual" or "count"',
  ),
)

const expect = v.union([
  v.literal('usual'),
  usualOrCount,
  v.pipe(v.array(group), v.minLength(1, 'List at least one group of products'), v.maxLength(MAX_GROUPS)),
])

const every = v.record(v.string(), values)

/** What one event type may say. */
export const expectationShape = section({
  run: v.pipe(names, v.description('The fields that name a run')),
  product: v.pipe(names, v.description('The fields that name a product of a run')),
  nominal: v.optional(
    v.pipe(
      section({ date: v.string(), time: v.optional(v.string()) }),
      v.description('The fields that say when a run is nominally'),
    ),
  ),
  expect: v.optional(
    v.pipe(expect, v.description('The products: learned ("usual"), counted, or listed')),
    'usual',
  ),
  due: v.optional(
    v.pipe(due, v.description('How long after its nominal time a run must be complete')),
    'usual',
  ),
  close: v.optional(
    v.pipe(duration, v.description('How long after its nominal time nothing more is expected of a run')),
    DEFAULT_CLOSE,
  ),
  every: v.optional(
    v.pipe(
      v.union([every, v.pipe(v.array(every), v.maxLength(MAX_EVENTS))]),
      v.description(
        'Runs that come every day, although nothing was learned of them: values of all fields but the date',
      ),
    ),
  ),
})

/** `vars.runs`: event type → what is expected of its runs. `true`: as shipped. `false`: nothing. */
export const runsShape = v.pipe(
  v.record(v.string(), v.union([v.boolean(), expectationShape])),
  v.check(
    (events) => Object.keys(events).length <= MAX_EVENTS,
    `There are more than ${MAX_EVENTS} event types`,
  ),
)

/** One event type's part, with defaults. */
export type ExpectationSettings = v.InferOutput<typeof expectationShape>
/** All of them. */
export type RunsSettings = v.InferOutput<typeof runsShape>
/** The values of one field, as they are written. */
export type WrittenValues = v.InferOutput<typeof values>
/** A group of listed products, as it is written. */
export type WrittenGroup = v.InferOutput<typeof group>
