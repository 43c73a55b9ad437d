/**
 * Runs as JSON: what the API, the console and notifications show.
 *
 * @module
 */

import { isExtra, isReceived, MISSING, NOTHING, secondsOf } from './arrivals.ts'
import { productFields } from './expectation.ts'
import { forecastOf } from './forecast.ts'
import { arrivalsOf, planOf, type Plan } from './plan.ts'
import { fieldsOf, originOf, type Run } from './run_record.ts'
import type { MissingProducts, ProductView, RunDetail, RunView } from './runs.ts'
import { ranksOf } from './shape.ts'
import { partition, quantileOfSorted } from './statistics.ts'

/** Most missing products of a view: as many as a notification has. */
export const MAX_MISSING = 50
/** Most products of a grid. */
export const MAX_PRODUCTS = 5_000
/** Points of a curve of arrivals. */
const CURVE_POINTS = 60
const LOW = 0.1
const HIGH = 0.9

/** A run at a moment. */
export function viewOf(run: Run, now: number): RunView {
  return viewWith(run, planFor(run), now)
}

/** The plan of a finished run is made again: it depends on finished runs only. */
function planFor(run: Run): Plan {
  return run.plan ?? planOf(run.slot, run, (key) => run.slot.shape.find(key))
}

function viewWith(run: Run, plan: Plan, now: number): RunView {
  const origin = run.nominal
  const forecast = forecastOf(run, plan, now)
  const hasUsual = origin !== undefined && plan.usualFirst !== undefined && plan.usualEnd !== undefined
  return {
    id: run.id,
    event_type: run.slot.expectation.event,
    run: fieldsOf(run),
    nominal: isoOrNull(run.nominal),
    state: run.state,
    received: run.received,
    expected: run.expected,
    extra: run.extra,
    repeated: run.repeated,
    first_at: isoOrNull(run.firstAt),
    last_at: isoOrNull(run.lastAt),
    complete_at: isoOrNull(run.completeAt),
    republished_at: isoOrNull(run.republishedAt),
    due_at: isoOrNull(run.dueAt),
    usual: hasUsual
      ? {
          first_at: iso(origin + (plan.usualFirst ?? 0) * 1000),
          complete_at: iso(origin + (plan.usualEnd ?? 0) * 1000),
        }
      : null,
    eta:
      forecast === undefined
        ? null
        : { at: iso(forecast.at), from: iso(forecast.from), to: iso(forecast.to) },
    learning: plan.learning,
    overdue: overdueOf(run, plan, now),
    missing: missingOf(run, plan),
  }
}

function overdueOf(run: Run, plan: Plan, now: number): number {
  if (run.nominal === undefined || !run.isTimely) return 0
  if (plan.expected === undefined) return run.dueAt !== undefined && run.dueAt <= now ? lacking(run) : 0
  let overdue = 0
  for (let place = 0; place < plan.expected.length; place++) {
    const due = plan.due?.[place] ?? Number.NaN
    const code = run.codes[plan.expected[place] ?? 0] ?? NOTHING
    if (code === MISSING && run.nominal + due * 1000 <= now) overdue++
  }
  return overdue
}

function lacking(run: Run): number {
  return Math.max((run.expected ?? 0) - run.received, 0)
}

function missingOf(run: Run, plan: Plan): MissingProducts {
  const count = lacking(run)
  if (count === 0) return { count: 0, products: [], truncated: false }
  const due = new Float64Array(run.codes.length)
  const expected = plan.expected ?? []
  for (let place = 0; place < expected.length; place++)
    due[expected[place] ?? 0] = timeOrLast(plan.due?.[place])
  const missing = firstMissing(run, due)
  const rank = ranksOf(run.slot)
  missing.sort((a, b) => (due[a] ?? 0) - (due[b] ?? 0) || (rank[a] ?? 0) - (rank[b] ?? 0))
  const { product } = run.slot.expectation
  const { shape } = run.slot
  const products = missing.slice(0, MAX_MISSING).map((index) => productFields(product, shape.keyAt(index)))
  return { count, products, truncated: products.length < count }
}

/** Indexes of the missing products that are due first: as many as a view has, and those that are due with the last of them. */
function firstMissing({ codes }: Run, due: Float64Array): number[] {
  const missing: number[] = []
  for (let index = 0; index < codes.length; index++) if (codes[index] === MISSING) missing.push(index)
  if (missing.length <= MAX_MISSING) return missing
  const times = Float64Array.from(missing, (index) => due[index] ?? 0)
  partition(times, MAX_MISSING - 1)
  const last = times[MAX_MISSING - 1] ?? 0
  return missing.filter((index) => (due[index] ?? 0) <= last)
}

/** What has no due time comes last. */
function timeOrLast(due: number | undefined): number {
  return due === undefined || Number.isNaN(due) ? Number.MAX_VALUE : due
}

/** A run with its products, at a moment. */
export function detailOf(run: Run, now: number): RunDetail {
  const plan = planFor(run)
  const products = productsOf(run, plan, now)
  return {
    ...viewWith(run, plan, now),
    products,
    products_truncated: products.length === MAX_PRODUCTS && shownOf(run).length > products.length,
    arrivals: { today: todayOf(run, plan), usual: usualOf(plan) },
  }
}

function productsOf(run: Run, plan: Plan, now: number): RunDetail['products'] {
  const dueOf = new Map((plan.expected ?? []).map((index, place) => [index, plan.due?.[place] ?? Number.NaN]))
  const { product } = run.slot.expectation
  const { shape } = run.slot
  const found: ProductView[] = []
  for (const index of shownOf(run)) {
    if (found.length >= MAX_PRODUCTS) break
    const seconds = dueOf.get(index) ?? (plan.expected === undefined ? plan.dueAll : undefined) ?? Number.NaN
    const hasDue = run.nominal !== undefined && run.isTimely && !Number.isNaN(seconds)
    const due = hasDue ? (run.nominal ?? 0) + seconds * 1000 : undefined
    found.push(productView(run, { index, due, now, product: productFields(product, shape.keyAt(index)) }))
  }
  return found
}

/** The products that have a cell in the grid, by name. */
function shownOf({ codes, slot }: Run): readonly number[] {
  const rank = ranksOf(slot)
  const shown: number[] = []
  for (let index = 0; index < codes.length; index++) if (codes[index] !== NOTHING) shown.push(index)
  return shown.sort((a, b) => (rank[a] ?? 0) - (rank[b] ?? 0))
}

function productView(
  run: Run,
  {
    index,
    due,
    now,
    product,
  }: {
    readonly index: number
    readonly due: number | undefined
    readonly now: number
    readonly product: Readonly<Record<string, string>>
  },
): ProductView {
  const code = run.codes[index] ?? NOTHING
  const due_at = isoOrNull(due)
  if (!isReceived(code)) {
    const state = due !== undefined && due <= now ? 'overdue' : 'missing'
    return { product, at: null, due_at, lateness_seconds: null, state }
  }
  const at = run.base + secondsOf(code) * 1000
  return {
    product,
    at: iso(at),
    due_at,
    lateness_seconds: due === undefined ? null : Math.round((at - due) / 1000),
    state: isExtra(code) ? 'extra' : 'received',
  }
}

/** Seconds after nominal, and how many expected products had come: the first, the last, and points between them. */
function todayOf(run: Run, plan: Plan): RunDetail['arrivals']['today'] {
  const offset = (run.base - originOf(run)) / 1000
  const times: number[] = []
  for (const code of run.codes) if (isReceived(code) && !isExtra(code)) times.push(secondsOf(code) + offset)
  times.sort((a, b) => a - b)
  const each = Math.max(1, Math.ceil(times.length / (2 * CURVE_POINTS)))
  return times
    .map((seconds, place): readonly [number, number] => [Math.round(seconds), place + 1])
    .filter(([, received]) => received % each === 0 || received === 1 || received === times.length)
    .filter(([, received]) => received <= (plan.count ?? Number.POSITIVE_INFINITY))
}

function usualOf(plan: Plan): RunDetail['arrivals']['usual'] {
  const curves = plan.history.map((run) => arrivalsOf(run, plan.expected)).filter(({ length }) => length > 0)
  if (curves.length < 2) return []
  const from = Math.min(...curves.map((times) => times[0] ?? 0))
  const to = Math.max(...curves.map((times) => times.at(-1) ?? 0))
  return Array.from({ length: CURVE_POINTS + 1 }, (_, point) => {
    const seconds = from + ((to - from) * point) / CURVE_POINTS
    const counts = curves.map((times) => countUntil(times, seconds)).toSorted((a, b) => a - b)
    const most = counts.at(-1) ?? 0
    const [low = 0, middle = 0, high = 0] = [LOW, 0.5, HIGH].map((share) =>
      Math.min(Math.max(Math.round(quantileOfSorted(counts, share)), 0), most),
    )
    return [Math.round(seconds), low, middle, high]
  })
}

function countUntil(times: Float64Array, seconds: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((times[middle] ?? 0) <= seconds) low = middle + 1
    else high = middle
  }
  return low
}

function iso(at: number): string {
  return new Date(Math.round(at)).toISOString()
}

function isoOrNull(at: number | undefined): string | null {
  return at === undefined ? null : iso(at)
}
