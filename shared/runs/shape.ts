/**
 * The products of a slot, their order, and how it forgets those that no run has any more.
 *
 * @module
 */

import { NOTHING, type Codes } from './arrivals.ts'
import { productValues } from './expectation.ts'
import type { Run, Shape, Slot } from './run_record.ts'

/** A smaller shape is not worth the work. */
const MIN_FORGETTING = 1_024

/** A shape without products. */
export function createShape(): Shape {
  return { keys: [], index: new Map() }
}

const ranks = new WeakMap<Shape, Int32Array>()

/** The place of each product by name, where numbers have the order of numbers. It is the same after a restart, which indexes are not. */
export function ranksOf({ shape, expectation }: Slot): Int32Array {
  const known = ranks.get(shape)
  if (known?.length === shape.keys.length) return known
  const parts = shape.keys.map((key) => productValues(expectation.product, key).map(toPart))
  const order = Array.from(shape.keys.keys()).toSorted((a, b) => compareParts(parts[a] ?? [], parts[b] ?? []))
  const found = new Int32Array(order.length)
  for (const [rank, index] of order.entries()) found[index] = rank
  ranks.set(shape, found)
  return found
}

/** A value as a number, where it is one, and as text. */
interface Part {
  readonly number: number
  readonly text: string
}

function toPart(text: string): Part {
  return { number: /^\d{1,15}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY, text }
}

function compareParts(a: readonly Part[], b: readonly Part[]): number {
  for (const [place, one] of a.entries()) {
    const other = b[place] ?? one
    if (one.number !== other.number) return one.number < other.number ? -1 : 1
    if (one.text !== other.text) return one.text < other.text ? -1 : 1
  }
  return 0
}

/**
 * Forgets products that no remembered run has, once they are more than half of a large shape. Otherwise, products with ever new names would fill
 * it.
 *
 * @param resized Is called for each run whose codes are others now, with the number of those before.
 */
export function forgetProducts(slot: Slot, resized: (run: Run, before: number) => void): void {
  const { keys } = slot.shape
  if (keys.length < slot.forgetsAt) return
  const isUsed = new Uint8Array(keys.length)
  for (const run of slot.runs) markUsed(run, isUsed)
  const shape = createShape()
  const newIndex = new Int32Array(keys.length).fill(-1)
  for (const [index, key] of keys.entries()) {
    if (isUsed[index] === 0) continue
    newIndex[index] = shape.keys.push(key) - 1
    shape.index.set(key, newIndex[index] ?? 0)
  }
  slot.forgetsAt = Math.max(MIN_FORGETTING, 2 * shape.keys.length)
  if (shape.keys.length * 2 > keys.length) return
  slot.shape = shape
  for (const run of slot.runs) {
    const before = run.codes.length
    run.codes = moved(run.codes, newIndex)
    if (run.plan?.expected !== undefined)
      run.plan = { ...run.plan, expected: run.plan.expected.map((index) => newIndex[index] ?? 0) }
    resized(run, before)
  }
}

/** Where a slot first looks whether there is something to forget. */
export const FIRST_FORGETTING = MIN_FORGETTING

function markUsed({ codes, plan }: Run, isUsed: Uint8Array): void {
  for (let index = 0; index < codes.length; index++) if (codes[index] !== NOTHING) isUsed[index] = 1
  for (const index of plan?.expected ?? []) isUsed[index] = 1
}

function moved(codes: Codes, newIndex: Int32Array): Codes {
  let length = 0
  for (let index = 0; index < codes.length; index++) length = Math.max(length, (newIndex[index] ?? -1) + 1)
  const target = codes instanceof Uint16Array ? new Uint16Array(length) : new Int32Array(length)
  for (let index = 0; index < codes.length; index++) {
    const place = newIndex[index] ?? -1
    if (place >= 0) target[place] = codes[index] ?? NOTHING
  }
  return target
}
