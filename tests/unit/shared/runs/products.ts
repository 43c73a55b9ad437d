/**
 * Products of runs for the tests of this folder: an event type `mars` of few fields, and days on which its runs come.
 */

import { createSchemas } from '#shared/notification/schema.ts'
import type { Expectation } from '#shared/runs/expectation.ts'
import { parseExpectations } from '#shared/runs/parse_expectations.ts'
import type { RunProduct, Tracker, Transition } from '#shared/runs/runs.ts'

export const DAY = 86_400_000
export const HOUR = 3_600_000
export const MINUTE = 60_000
/** A Monday. */
export const START = Date.UTC(2026, 5, 1)

export const SCHEMAS = createSchemas([
  {
    source: 'test',
    content: {
      mars: {
        endpoint: [
          {
            engine: ['etcd_rest'],
            base: '/t',
            stem: 'date={date},stream={stream},time={time},step={step},number={number}',
          },
        ],
        request: {
          date: [{ type: 'DateHandler', canonic: '%Y%m%d' }],
          stream: [{ type: 'EnumHandler', values: ['oper', 'wave', 'enfo'] }],
          time: [{ type: 'TimeHandler', canonic: '{0:0>2}', values: [0, 6, 12, 18] }],
          step: [{ type: 'IntHandler', range: [0, 100_000] }],
          number: [{ type: 'StringHandler' }],
        },
      },
    },
  },
])

export const RUN = { run: ['stream', 'date', 'time'], product: ['step'] }

/** The expectations of `mars`, with these settings. */
export function expecting(
  settings: Readonly<Record<string, unknown>> = {},
): ReadonlyMap<string, Expectation> {
  return parseExpectations({ mars: { ...RUN, ...settings } }, SCHEMAS, 'vars.runs')
}

export function dateOf(day: number): string {
  return new Date(START + day * DAY).toISOString().slice(0, 10).replaceAll('-', '')
}

/** The nominal time of a run. */
export function nominalOf(day: number, time = '00'): number {
  return START + day * DAY + Number(time) * HOUR
}

let sequence = 0

/** A product that comes at a moment. */
export function product(
  step: number | string,
  at: number,
  {
    day = 0,
    time = '00',
    stream = 'oper',
    date = dateOf(day),
  }: Partial<Record<'time' | 'stream' | 'date', string>> & { day?: number } = {},
): RunProduct {
  sequence++
  const fields = { date, stream, time, step: String(step), number: '0' }
  return { event: 'mars', fields, at, revision: BigInt(sequence), sequence }
}

/** A day's run: its steps come a minute apart, from some hours after the nominal time on. */
export interface RunDay {
  readonly day: number
  readonly time?: string
  readonly stream?: string
  readonly steps: readonly number[]
  readonly afterHours?: number
}

export function productsOf({
  day,
  time = '00',
  stream = 'oper',
  steps,
  afterHours = 6,
}: RunDay): RunProduct[] {
  const from = nominalOf(day, time) + afterHours * HOUR
  return steps.map((step, place) => product(step, from + place * MINUTE, { day, time, stream }))
}

/** Takes a run's products, and lets the time pass until the next day's nominal time. */
export function playDay(tracker: Tracker, run: RunDay): readonly Transition[] {
  for (const each of productsOf(run)) tracker.take(each)
  return tracker.tick(nominalOf(run.day + 1, run.time) + 1)
}

/** Transitions in short: `late 20260601 3/5`. */
export function short(transitions: readonly Transition[]): string[] {
  return transitions.map(({ state, run }) => `${state} ${run.run['date']} ${run.received}/${run.expected}`)
}

export function steps(count: number): number[] {
  return Array.from({ length: count }, (_, step) => step)
}
