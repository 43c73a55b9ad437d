/**
 * The real schedule of a forecast centre, as the simulation of runs plays it: what each run consists of, and when its products usually come.
 * Nothing here is shared with the code that is judged.
 *
 * @module
 */

import { createDice, type Dice } from '../../support/dice.ts'

/** Nominal times, as the schema writes them. */
export type Hour = '00' | '06' | '12' | '18'

/** One product of a run. */
export interface Product {
  readonly fields: Readonly<Record<string, string>>
  /** When it usually comes, in minutes after the nominal time. */
  readonly minute: number
}

/** Products of a run from a day on. */
export interface Shape {
  readonly from: number
  readonly products: readonly Product[]
}

/** What comes every day, or on some weekdays, at one nominal time: the runs of one configuration differ by date only. */
export interface Configuration {
  readonly event: string
  /** Fields of the run, without `date`. */
  readonly fields: Readonly<Record<string, string>>
  readonly hour: Hour
  /** Runs whose days are disturbed together. */
  readonly stream: string
  /** First day, and the first day on which it does not come any more. */
  readonly from: number
  readonly until: number
  /** Whether a run has this date. */
  readonly runsOn: (date: Date) => boolean
  /** In order of `from`. A later one replaces an earlier one. */
  readonly shapes: readonly Shape[]
  /** Products of this configuration are handed over in batches of so many minutes; 0: as they come. */
  readonly batchMinutes: number
  /** What comes beside, and how likely: a product of the run again, or one that is not expected. */
  readonly beside: readonly (Product & { readonly chance: number })[]
}

/** How large the centre is. */
export interface Size {
  readonly destinations: number
  /** Targets of a destination: least and most. */
  readonly targets: readonly [number, number]
  /** Every so many steps are kept. */
  readonly everyStep: number
  readonly members: number
}

/** About 2,300 notifications a day. */
export const GATE_SIZE: Size = { destinations: 6, targets: [1, 3], everyStep: 6, members: 3 }
/** About 1,000 notifications a day, for the mistakes by which the judge is judged. */
export const SMALL_SIZE: Size = { destinations: 4, targets: [1, 3], everyStep: 12, members: 2 }
/** About 300,000 notifications a day. */
export const FULL_SIZE: Size = { destinations: 40, targets: [8, 22], everyStep: 1, members: 50 }

/** The day of the change: the streams `scda` and `scwv` become `oper` and `wave`, and the control forecast leaves the ensemble. */
export const CHANGE_DAY = 30
const FOREVER = Number.MAX_SAFE_INTEGER
const HOURS: readonly Hour[] = ['00', '06', '12', '18']
/** Windows of steps: from step, to step, by, first minute, last minute. */
type Window = readonly [from: number, to: number, by: number, start: number, end: number]
const CONTROL: readonly Window[] = [
  [0, 90, 1, 345, 372],
  [93, 144, 3, 372, 387],
]
const CONTROL_LONG: readonly Window[] = [...CONTROL, [150, 360, 6, 387, 454]]
const ENSEMBLE: readonly Window[] = [[0, 144, 3, 405, 450]]
const ENSEMBLE_LONG: readonly Window[] = [...ENSEMBLE, [150, 360, 6, 450, 500]]
const HINDCAST: readonly Window[] = [[0, 1104, 24, 600, 660]]
const SEASONAL: readonly Window[] = [[0, 5160, 120, 720, 780]]
const ANALYSIS_MINUTE = 340
const SERIES_MINUTE = 415
const CYCLONES_MINUTE = { long: 415, short: 372 }
const DERIVED_MINUTE = 510

const daily = (): boolean => true
const mondays = (date: Date): boolean => date.getUTCDay() === 1
const mondaysAndThursdays = (date: Date): boolean => mondays(date) || date.getUTCDay() === 4
const fifths = (date: Date): boolean => date.getUTCDate() === 5

interface Timed {
  readonly step: number
  readonly minute: number
}

function stepsOf(windows: readonly Window[], every: number): readonly Timed[] {
  const steps = windows.flatMap(([from, to, by, start, end]) => {
    const count = (to - from) / by
    return Array.from({ length: count + 1 }, (_, index) => ({
      step: from + index * by,
      minute: start + (index / Math.max(1, count)) * (end - start),
    }))
  })
  // The last step stays, because it ends the run.
  return steps.filter((_, index) => index % every === 0 || index === steps.length - 1)
}

/** All configurations of a centre. The same size and seed make the same. */
export function createSchedule(size: Size, seed: number): readonly Configuration[] {
  return [...archive(size), ...ensemble(size), ...weekly(size), ...disseminated(size, seed)]
}

const usual = { from: 0, until: FOREVER, runsOn: daily, batchMinutes: 0, beside: [] } as const
const isLong = (hour: Hour): boolean => hour === '00' || hour === '12'
const runFields = (stream: string, hour: Hour): Record<string, string> => ({
  class: 'od',
  stream,
  expver: '0001',
  domain: 'g',
  time: hour,
})

/** Names of a stream by day: short cut-off runs change theirs. */
function eras(
  stream: 'oper' | 'wave',
  hour: Hour,
): readonly { readonly name: string; readonly from: number; readonly until: number }[] {
  if (isLong(hour)) return [{ name: stream, from: 0, until: FOREVER }]
  return [
    { name: stream === 'oper' ? 'scda' : 'scwv', from: 0, until: CHANGE_DAY },
    { name: stream, from: CHANGE_DAY, until: FOREVER },
  ]
}

/** Event type `mars`: the analysis (step 0, which the forecast brings again), control forecast and waves. */
function archive({ everyStep }: Size): Configuration[] {
  return HOURS.flatMap((hour) =>
    (['oper', 'wave'] as const).flatMap((stream) =>
      eras(stream, hour).map(({ name, from, until }): Configuration => {
        const products = stepsOf(isLong(hour) ? CONTROL_LONG : CONTROL, everyStep).map(
          ({ step, minute }) => ({
            fields: { step: String(step) },
            minute: stream === 'oper' && step === 0 ? ANALYSIS_MINUTE : minute,
          }),
        )
        const again = stream === 'oper' ? [{ fields: { step: '0' }, minute: 345, chance: 1 }] : []
        return {
          ...usual,
          event: 'mars',
          fields: runFields(name, hour),
          hour,
          stream,
          from,
          until,
          shapes: [{ from: 0, products }],
          beside: again,
        }
      }),
    ),
  )
}

/** Event type `ensemble`: every member of every step. */
function ensemble({ everyStep, members }: Size): Configuration[] {
  return HOURS.map((hour): Configuration => {
    const steps = stepsOf(isLong(hour) ? ENSEMBLE_LONG : ENSEMBLE, everyStep)
    const products = (first: number): readonly Product[] =>
      steps.flatMap(({ step, minute }) =>
        Array.from({ length: members + 1 - first }, (_, index) => ({
          fields: { step: String(step), number: String(first + index) },
          minute: minute + index / members,
        })),
      )
    return {
      ...usual,
      event: 'ensemble',
      fields: runFields('enfo', hour),
      hour,
      stream: 'enfo',
      shapes: [
        { from: 0, products: products(0) },
        { from: CHANGE_DAY, products: products(1) },
      ],
    }
  })
}

/** Weekly, twice a week, and monthly. */
function weekly({ everyStep }: Size): Configuration[] {
  const make = (
    stream: string,
    runsOn: Configuration['runsOn'],
    windows: readonly Window[],
  ): Configuration => ({
    ...usual,
    event: 'mars',
    fields: runFields(stream, '00'),
    hour: '00',
    stream,
    runsOn,
    shapes: [
      {
        from: 0,
        products: stepsOf(windows, everyStep).map(({ step, minute }) => ({
          fields: { step: String(step) },
          minute,
        })),
      },
    ],
  })
  return [
    make('eefh', mondaysAndThursdays, HINDCAST),
    make('wees', mondays, HINDCAST),
    make('mmsf', fifths, SEASONAL),
  ]
}

/** Subsets of steps that destinations order. */
const SUBSETS: readonly ((step: number) => boolean)[] = [
  () => true,
  (step) => step <= 90,
  (step) => step % 3 === 0 && step <= 144,
  (step) => step % 6 === 0 && step <= 240,
  (step) => step % 12 === 0,
]

/** What a destination changes some day, by the destination's number. */
const CHANGES: Readonly<Record<number, { readonly day: number; readonly what: 'fewer' | 'more' | 'later' }>> =
  {
    1: { day: 22, what: 'fewer' },
    2: { day: 25, what: 'more' },
    3: { day: 35, what: 'later' },
  }
const LATER_MINUTES = 30
/** A destination that begins, and one that ends. */
const BEGINS = { destination: 4, day: 18 }
const ENDS = { destination: 5, day: 45 }

function disseminated(size: Size, seed: number): Configuration[] {
  return Array.from({ length: size.destinations }, (_, number) =>
    destination(number, size, createDice(seed).fork(`destination ${number}`)),
  ).flat()
}

function destination(number: number, size: Size, dice: Dice): Configuration[] {
  const name = `D${String(number).padStart(2, '0')}`
  const targets = Array.from(
    { length: dice.whole(...size.targets) },
    (_, index) => `E${String(index + 1).padStart(2, '0')}`,
  )
  const batchMinutes = dice.chance(0.25) ? 5 : 0
  const delay = 1 + 4 * dice.fraction()
  const hours = dice.chance(0.6) || number < 6 ? HOURS : (['00', '12'] as const)
  const streams = (['oper', 'wave', 'enfo'] as const).filter(
    (stream) => stream === 'oper' || dice.chance(0.65),
  )
  const extras = { series: dice.chance(0.5), cyclones: dice.chance(0.4), derived: dice.chance(0.2) }
  return streams.flatMap((stream) => {
    const subset = dice.pick(SUBSETS)
    return hours.flatMap((hour) => {
      const windows = stream === 'enfo' ? [ENSEMBLE, ENSEMBLE_LONG] : [CONTROL, CONTROL_LONG]
      const steps = stepsOf(windows[isLong(hour) ? 1 : 0] ?? [], size.everyStep).filter(({ step }) =>
        subset(step),
      )
      const base = [
        ...steps.flatMap(({ step, minute }) =>
          targets.map((target) => ({ fields: { step: String(step), target }, minute: minute + delay })),
        ),
        ...(stream === 'oper' ? single(extras, hour, delay) : []),
      ]
      const names = stream === 'enfo' ? [{ name: 'enfo', from: 0, until: FOREVER }] : eras(stream, hour)
      return names.map((era): Configuration => ({
        ...usual,
        event: 'dissemination',
        fields: { destination: name, ...runFields(era.name, hour) },
        hour,
        stream,
        from: Math.max(era.from, number === BEGINS.destination ? BEGINS.day : 0),
        until: Math.min(era.until, number === ENDS.destination ? ENDS.day : FOREVER),
        shapes: shapesOf(number, base, targets),
        batchMinutes,
        beside: [{ fields: { step: '0', target: 'RARE' }, minute: SERIES_MINUTE, chance: 0.05 }],
      }))
    })
  })
}

function single(
  extras: { readonly series: boolean; readonly cyclones: boolean; readonly derived: boolean },
  hour: Hour,
  delay: number,
): Product[] {
  const one = (target: string, minute: number): Product => ({
    fields: { step: '0', target },
    minute: minute + delay,
  })
  const long = isLong(hour)
  return [
    ...(extras.series && long ? [one('SERIES', SERIES_MINUTE)] : []),
    ...(extras.cyclones ? [one('CYCLONES', CYCLONES_MINUTE[long ? 'long' : 'short'])] : []),
    ...(extras.derived && long ? [one('DERIVED', DERIVED_MINUTE)] : []),
  ]
}

function shapesOf(number: number, base: readonly Product[], targets: readonly string[]): readonly Shape[] {
  const change = CHANGES[number]
  if (change === undefined) return [{ from: 0, products: base }]
  const changed: Record<typeof change.what, () => readonly Product[]> = {
    fewer: () => base.filter((_, index) => index % 4 !== 3),
    more: () => [
      ...base,
      ...base
        .filter(({ fields }) => fields['target'] === targets[0])
        .map(({ fields, minute }) => ({ fields: { ...fields, target: 'NEW' }, minute: minute + 1 })),
    ],
    later: () => base.map(({ fields, minute }) => ({ fields, minute: minute + LATER_MINUTES })),
  }
  return [
    { from: 0, products: base },
    { from: change.day, products: changed[change.what]() },
  ]
}
