/**
 * What `aviso wait` waits for, and whether a run is that far.
 *
 * @module
 */

import { fieldsOfWords } from '../listen_words.ts'
import { usage } from './run_request.ts'
import { countText, learningText, percentText, plain, timeText } from './run_text.ts'
import { isComplete, isGivenUp, type RunPage, type RunProduct, type RunView } from './run_view.ts'

/** What is waited for. */
export type Goal =
  | { readonly kind: 'complete' }
  | { readonly kind: 'percent'; readonly percent: number }
  /** Products whose fields have these values. */
  | { readonly kind: 'products'; readonly fields: Readonly<Record<string, readonly string[]>> }

/** How far a run is. */
export type Verdict =
  | { readonly kind: 'reached'; readonly text: string }
  | { readonly kind: 'failed'; readonly why: Failure; readonly text: string }
  | { readonly kind: 'waiting'; readonly text: string }

/** Why waiting may end without the goal. */
export type Failure = 'late' | 'incomplete' | 'abandoned'

/** A run, with its products where the goal needs them. */
export type Judged = RunView & Partial<Pick<RunPage, 'products' | 'products_truncated'>>

const PERCENT = /^(\d{1,3}(?:\.\d+)?) ?%$/

/** @throws {ClientError} with exit code 2 for a text that is no goal. */
export function parseGoal(text: string): Goal {
  if (text.toLowerCase() === 'complete') return { kind: 'complete' }
  const [, number] = PERCENT.exec(text) ?? []
  const percent = Number(number)
  if (percent > 0 && percent <= 100) return { kind: 'percent', percent }
  if (number !== undefined) throw usage(`--until ${text}: use more than 0% and at most 100%`)
  if (text.includes('=')) {
    const fields = fieldsOfWords([text], `--until ${text}: write`)
    if (Object.values(fields).every((values) => values.every((value) => value !== '')))
      return { kind: 'products', fields }
  }
  throw usage(`--until must be complete, a share such as 80%, or a product such as step=240; not ${text}`)
}

/** The goal as it is written. */
export function goalText(goal: Goal): string {
  switch (goal.kind) {
    case 'complete':
      return 'complete'
    case 'percent':
      return `${goal.percent}%`
    case 'products':
      return Object.entries(goal.fields)
        .map(([field, values]) => `${field}=${values.join(',')}`)
        .join(',')
  }
}

/**
 * Judges a run. Being late is a failure of a goal that is not reached; whether it ends the waiting is not decided here.
 *
 * @throws {ClientError} with exit code 2 for products that have not the fields of the goal.
 */
export function judge(goal: Goal, run: Judged): Verdict {
  switch (goal.kind) {
    case 'complete':
      return isComplete(run) ? reached(completeText(run)) : unlessFailed(run, progressText(run))
    case 'percent':
      return judgePercent(goal.percent, run)
    case 'products':
      return judgeProducts(goal, run)
  }
}

function judgePercent(percent: number, run: Judged): Verdict {
  const { received, expected } = run
  if (isComplete(run)) return reached(completeText(run))
  if (expected !== null && expected > 0 && received * 100 >= percent * expected)
    return reached(`has ${percentText(run)}, ${countText(run)}`)
  return unlessFailed(run, progressText(run))
}

function judgeProducts(goal: Extract<Goal, { kind: 'products' }>, run: Judged): Verdict {
  const { products = [], products_truncated: isPart = false } = run
  requireProductFields(goal, products)
  const wanted = products.filter(({ product }) => matches(product, goal.fields))
  const missing = wanted.filter(({ at }) => at === null)
  const name = goalText(goal)
  const isThere = wanted.length > 0 && missing.length === 0 && hasAllValues(goal, wanted)
  if (isThere) return reached(`has ${name}${countOf(wanted)}`)
  // A product that is not expected may still come, until the run has all that are.
  if (isComplete(run) && wanted.length === 0 && !isPart)
    return failed('incomplete', `is complete without ${name}, which is not expected in it`)
  const overdue = missing.find(({ state }) => state === 'overdue')
  const progress =
    wanted.length > 1 ? `${wanted.length - missing.length} of ${wanted.length} of ${name}` : `no ${name} yet`
  if (overdue !== undefined && !isGivenUp(run)) {
    const due = overdue.due_at === null ? '' : `: due ${timeText(overdue.due_at, run)} UTC`
    return failed('late', `is late with ${name}${due}`)
  }
  return unlessFailed(run, progress)
}

/** @throws {ClientError} for fields that no product has, which would be waited for in vain. */
function requireProductFields(
  goal: Extract<Goal, { kind: 'products' }>,
  products: readonly RunProduct[],
): void {
  const [first] = products
  if (first === undefined) return
  const known = Object.keys(first.product)
  const unknown = Object.keys(goal.fields).find((field) => !known.includes(field))
  if (unknown !== undefined)
    throw usage(
      `--until ${goalText(goal)}: products of such runs are named by ${known.join(', ')}, not by ${unknown}`,
    )
}

/** Each value of a list must be there: `step=120,240` are two. */
function hasAllValues(goal: Extract<Goal, { kind: 'products' }>, wanted: readonly RunProduct[]): boolean {
  return Object.entries(goal.fields).every(([field, values]) =>
    values.every((value) => wanted.some(({ product }) => isSame(product[field], value))),
  )
}

function matches(
  product: RunProduct['product'],
  fields: Readonly<Record<string, readonly string[]>>,
): boolean {
  return Object.entries(fields).every(([field, values]) =>
    values.some((value) => isSame(product[field], value)),
  )
}

/** `006` is 6 in a field of numbers. */
function isSame(value: string | undefined, wanted: string): boolean {
  if (value === undefined) return false
  return value === wanted || (/^\d+$/.test(value) && /^\d+$/.test(wanted) && BigInt(value) === BigInt(wanted))
}

function countOf(wanted: readonly RunProduct[]): string {
  return wanted.length === 1 ? '' : `, ${wanted.length} products`
}

function unlessFailed(run: Judged, progress: string): Verdict {
  if (isGivenUp(run)) return failed(run.state === 'abandoned' ? 'abandoned' : 'incomplete', endedText(run))
  if (run.state === 'late') return failed('late', lateText(run))
  return { kind: 'waiting', text: progress }
}

function completeText(run: Judged): string {
  const since = run.complete_at === null ? '' : ` since ${timeText(run.complete_at, run)} UTC`
  return `is complete${since}, ${countText(run)}`
}

function lateText(run: Judged): string {
  const due = run.due_at === null ? '' : `: due ${timeText(run.due_at, run)} UTC`
  return `is late${due}, ${countText(run)}`
}

function endedText(run: Judged): string {
  const what =
    run.state === 'abandoned' ? 'is abandoned: nothing more is expected of it' : 'was closed as incomplete'
  return `${what}, ${countText(run)}`
}

function progressText(run: Judged): string {
  const percent = percentText(run)
  const share = percent === '' ? '' : `, ${percent}`
  const learning = run.learning === null ? '' : `, ${learningText(run.learning)}`
  return `${plain(run.state)}, ${countText(run)}${share}${learning}`
}

function reached(text: string): Verdict {
  return { kind: 'reached', text }
}

function failed(why: Failure, text: string): Verdict {
  return { kind: 'failed', why, text }
}
