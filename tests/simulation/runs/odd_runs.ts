/**
 * Runs that no schedule names: back-fills of last year, dates that do not exist, and floods of keys.
 *
 * @module
 */

import type { Dice } from '../../support/dice.ts'
import type { Configuration } from './schedule.ts'
import {
  DAY_MS,
  HOUR_MS,
  keyOf,
  MINUTE_MS,
  START,
  type Arrival,
  type Fields,
  type Odd,
  type TrueRun,
} from './truth.ts'

interface Made {
  readonly run: TrueRun
  readonly arrivals: readonly Arrival[]
}

const BACK_FILL_DAYS = 365
const BACK_FILL_TAKES_MS = 30 * MINUTE_MS
/** So many products of a back-fill never come. */
const BACK_FILL_LACKS = 2

/** A run of last year, published product by product in half an hour. */
export function backFillOf({ event, fields, shapes, hour }: Configuration, at: number): Made {
  const nominal = START + Math.floor((at - START) / DAY_MS - BACK_FILL_DAYS) * DAY_MS + Number(hour) * HOUR_MS
  const date = new Date(nominal).toISOString().slice(0, 10).replaceAll('-', '')
  const products = (shapes[0]?.products ?? []).slice(0, -BACK_FILL_LACKS).map((product) => product.fields)
  const gapMs = Math.floor(BACK_FILL_TAKES_MS / products.length)
  return make(
    'back-fill',
    { event, fields: { ...fields, date }, products, nominal },
    (index) => at + index * gapMs,
  )
}

/** A run of 29 February 2026, of whose products three come. */
export function noSuchDate(at: number): Made {
  const fields = { class: 'od', stream: 'oper', expver: '0001', domain: 'g', time: '00', date: '20260229' }
  const products = ['0', '1', '2'].map((step) => ({ step }))
  return make('no-such-date', { event: 'mars', fields, products, nominal: at }, (index) => at + index)
}

/** Many keys in an hour, each of them once. Some have the form of an experiment's, and the dates of today. */
export function floodOf(from: number, count: number, dice: Dice): Made[] {
  return Array.from({ length: count }, (_, index) => {
    const at = from + Math.floor((index / count) * HOUR_MS)
    const fields = {
      class: 'rd',
      stream: dice.pick(['oper', 'wave', 'enfo']),
      expver: index.toString(36).padStart(4, 'h'),
      domain: 'g',
      time: dice.pick(['00', '06', '12', '18']),
      date: new Date(at).toISOString().slice(0, 10).replaceAll('-', ''),
    }
    return make('flood', { event: 'mars', fields, products: [{ step: '0' }], nominal: at }, () => at)
  })
}

function make(
  odd: Odd,
  { event, fields, products, nominal }: Pick<TrueRun, 'event' | 'fields' | 'products' | 'nominal'>,
  timeOf: (index: number) => number,
): Made {
  const run: TrueRun = {
    key: keyOf(event, fields),
    event,
    fields,
    day: -1,
    configuration: undefined,
    odd,
    products,
    nominal,
    usualEnd: nominal,
    injected: new Set(),
    firstAt: timeOf(0),
    completeAt: undefined,
    missing: [],
    repeated: 0,
    earlier: 0,
    sinceChange: 0,
    oddBefore: 0,
  }
  const arrivals = products.map((product: Fields, index): Arrival => ({
    at: timeOf(index),
    run,
    kind: 'published',
    product,
    asks: false,
  }))
  return { run, arrivals }
}
