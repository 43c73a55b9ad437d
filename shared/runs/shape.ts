/**
 * The products of a slot, their order, and how it forgets those that no run has any more.
 *
 * @module
 */

import { NOTHING, type Codes } from './arrivals.ts'
import { productValues, splitProductKey } from './expectation.ts'
import type { ProductName, ProductNames } from './product_names.ts'
import type { Run, Slot } from './run_record.ts'

/** A smaller shape is not worth the work. */
const MIN_FORGETTING = 1_024
const MIN_ROOM = 8
/** Spreads ids that follow each other over the table. */
const SPREAD = 0x9e3779b1

/**
 * All products that the runs of a slot had, in the order in which they were seen first. It holds numbers only, some twenty bytes a product:
 * there are thousands of slots, and the garbage collector need not look at any of it.
 */
export class Shape {
  readonly #names: ProductNames
  #size = 0
  /** Ids of the products' names. */
  #ids = new Int32Array(MIN_ROOM)
  /** A hash table of indexes plus 1; 0: an empty place. Half of it is empty, at least. */
  #table = new Int32Array(2 * MIN_ROOM)
  /** The index after the last one that was asked for: most products come in the order in which they came before. */
  #next = 0

  constructor(names: ProductNames) {
    this.#names = names
  }

  /** How many products there are. */
  get size(): number {
    return this.#size
  }

  /** The key of a product; empty: there is none. */
  keyAt(index: number): string {
    return this.nameAt(index)?.key ?? ''
  }

  nameAt(index: number): ProductName | undefined {
    return index < this.#size ? this.#names.at(this.#ids[index] ?? 0) : undefined
  }

  /** The index of a product; below 0: there is none. */
  find(key: string): number {
    const name = this.#names.find(key)
    return name === undefined ? -1 : this.indexOf(name)
  }

  /** The same by its name. */
  indexOf({ id }: ProductName): number {
    const next = this.#next
    if (next < this.#size && this.#ids[next] === id) {
      this.#next = next + 1
      return next
    }
    const index = (this.#table[this.#placeOf(id)] ?? 0) - 1
    this.#next = index + 1
    return index
  }

  /** Adds a product that it does not have. @returns its index */
  add({ id }: ProductName): number {
    if (this.#size === this.#ids.length) this.#grow()
    const index = this.#size++
    this.#ids[index] = id
    this.#table[this.#placeOf(id)] = index + 1
    return index
  }

  /** Sets the place of each name's id that it has to 1. */
  markNames(isUsed: Uint8Array): void {
    for (let index = 0; index < this.#size; index++) isUsed[this.#ids[index] ?? 0] = 1
  }

  /** Where an id is in the table, or is to be. */
  #placeOf(id: number): number {
    const table = this.#table
    const ids = this.#ids
    const last = table.length - 1
    let place = (Math.imul(id, SPREAD) >>> 7) & last
    for (;;) {
      const index = table[place] ?? 0
      if (index === 0 || ids[index - 1] === id) return place
      place = (place + 1) & last
    }
  }

  #grow(): void {
    const ids = new Int32Array(2 * this.#size)
    ids.set(this.#ids)
    this.#ids = ids
    this.#table = new Int32Array(2 * ids.length)
    for (let index = 0; index < this.#size; index++) this.#table[this.#placeOf(ids[index] ?? 0)] = index + 1
  }
}

const ranks = new WeakMap<Shape, Int32Array>()

/** The place of each product by name, where numbers have the order of numbers. It is the same after a restart, which indexes are not. */
export function ranksOf({ shape, expectation }: Slot): Int32Array {
  const known = ranks.get(shape)
  if (known?.length === shape.size) return known
  const sorted: Ranked[] = []
  const restOf = new Map<string, readonly Part[]>()
  for (let index = 0; index < shape.size; index++) {
    const name = shape.nameAt(index)
    if (name !== undefined) sorted.push(toRanked(name, { index, names: expectation.product, restOf }))
  }
  sorted.sort(compareRanked)
  const found = new Int32Array(shape.size)
  for (const [rank, { index }] of sorted.entries()) found[index] = rank
  ranks.set(shape, found)
  return found
}

/** A value as a number, where it is one, and as text. */
interface Part {
  readonly number: number
  readonly text: string
}

/** A product by the value of its first field, and by the others. */
interface Ranked {
  readonly index: number
  readonly first: Part
  /** One list for all products that have the same values. */
  readonly rest: readonly Part[]
}

function toRanked(
  { key, group, number }: ProductName,
  {
    index,
    names,
    restOf,
  }: {
    readonly index: number
    readonly names: readonly string[]
    readonly restOf: Map<string, readonly Part[]>
  },
): Ranked {
  let rest = restOf.get(group.rest)
  if (rest === undefined) {
    rest = productValues(names, group.rest).slice(1).map(toPart)
    restOf.set(group.rest, rest)
  }
  if (number >= 0) return { index, first: { number, text: String(number) }, rest }
  return { index, first: toPart(splitProductKey(names, key).first), rest }
}

function toPart(text: string): Part {
  return { number: /^\d{1,15}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY, text }
}

function compareRanked(a: Ranked, b: Ranked): number {
  const byFirst = compareParts(a.first, b.first)
  if (byFirst !== 0 || a.rest === b.rest) return byFirst
  for (const [place, part] of a.rest.entries()) {
    const order = compareParts(part, b.rest[place] ?? part)
    if (order !== 0) return order
  }
  return 0
}

function compareParts(a: Part, b: Part): number {
  if (a.number !== b.number) return a.number < b.number ? -1 : 1
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1
}

/**
 * Forgets products that no remembered run has, once they are more than half of a large shape. Otherwise, products with ever new names would fill
 * it.
 *
 * @param resized Is called for each run whose codes are others now, with the number of those before.
 */
export function forgetProducts(
  slot: Slot,
  names: ProductNames,
  resized: (run: Run, before: number) => void,
): void {
  const { size } = slot.shape
  if (size < slot.forgetsAt) return
  const isUsed = new Uint8Array(size)
  for (const run of slot.runs) markUsed(run, isUsed)
  const shape = new Shape(names)
  const newIndex = new Int32Array(size).fill(-1)
  for (let index = 0; index < size; index++) {
    const name = isUsed[index] === 1 ? slot.shape.nameAt(index) : undefined
    if (name !== undefined) newIndex[index] = shape.add(name)
  }
  slot.forgetsAt = Math.max(MIN_FORGETTING, 2 * shape.size)
  if (shape.size * 2 > size) return
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
