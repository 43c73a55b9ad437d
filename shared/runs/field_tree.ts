/**
 * Finds what belongs to the values of some fields. Some comparisons of short texts cost less than to make one text of them, for every product.
 *
 * @module
 */

import { numberOf } from './list_number.ts'

/** Numbers below this always have places. */
const LEAST_PLACES = 256
/** There may be so many places for each number that came. */
const PLACES_PER_NUMBER = 4

/**
 * What belongs to the values of one field. Most products have the value of the one before, which is found without its hash. Of those that
 * differ, most have numbers, such as steps: a place in a list is found in a tenth of the time, because it is next to the one before.
 */
class Branch<Value> {
  readonly #all = new Map<string, Branch<Value> | Value>()
  /** By number. What came when there was no place for it yet is among {@link Branch.#all}. */
  readonly #places: (Branch<Value> | Value | undefined)[] = []
  #numbers = 0
  #lastText: string | undefined
  #last: Branch<Value> | Value | undefined

  get(text: string): Branch<Value> | Value | undefined {
    if (text === this.#lastText) return this.#last
    const number = numberOf(text)
    if (number >= 0 && number < this.#places.length) {
      const placed = this.#places[number]
      if (placed !== undefined) return placed
    }
    const found = this.#all.get(text)
    if (found !== undefined) {
      this.#lastText = text
      this.#last = found
    }
    return found
  }

  set(text: string, value: Branch<Value> | Value): void {
    this.#lastText = undefined
    const number = numberOf(text)
    if (number < 0 || !this.#hasPlace(number)) this.#all.set(text, value)
    else this.#places[number] = value
  }

  /** Makes room where the numbers that came are worth it. */
  #hasPlace(number: number): boolean {
    const places = this.#places
    this.#numbers++
    if (number < places.length) return true
    if (number >= Math.max(LEAST_PLACES, PLACES_PER_NUMBER * this.#numbers)) return false
    // One after the other: an array with a gap becomes a table.
    const length = Math.max(number + 1, 2 * places.length)
    while (places.length < length) places.push(undefined)
    return true
  }

  delete(text: string): void {
    this.#lastText = undefined
    this.#last = undefined
    const number = numberOf(text)
    if (number >= 0 && number < this.#places.length) this.#places[number] = undefined
    this.#all.delete(text)
  }
}

/** Values by fields. */
export class FieldTree<Value extends object> {
  readonly #names: readonly string[]
  readonly #lastName: string
  readonly #most: number
  #root = new Branch<Value>()
  #came = 0

  /**
   * @param names Fields, at least one. The least memory is needed where those with few values come first.
   * @param most When so many values came, all are forgotten before the next one. Those that were taken out count, because what led to them
   *   is still there.
   */
  constructor(names: readonly string[], most: number) {
    this.#most = most
    this.#names = names.slice(0, -1)
    this.#lastName = names.at(-1) ?? ''
  }

  /** `undefined`: there is none. */
  get(fields: Readonly<Record<string, string>>): Value | undefined {
    const found = this.#branchOf(fields)?.get(fields[this.#lastName] ?? '')
    return found instanceof Branch ? undefined : found
  }

  #branchOf(fields: Readonly<Record<string, string>>): Branch<Value> | undefined {
    let branch = this.#root
    for (const name of this.#names) {
      const next = branch.get(fields[name] ?? '')
      if (!(next instanceof Branch)) return undefined
      branch = next
    }
    return branch
  }

  set(fields: Readonly<Record<string, string>>, value: Value): void {
    if (this.#came >= this.#most) this.clear()
    let branch = this.#root
    for (const name of this.#names) {
      const text = fields[name] ?? ''
      const known = branch.get(text)
      const next = known instanceof Branch ? known : new Branch<Value>()
      if (next !== known) branch.set(text, next)
      branch = next
    }
    branch.set(fields[this.#lastName] ?? '', value)
    this.#came++
  }

  delete(fields: Readonly<Record<string, string>>): void {
    this.#branchOf(fields)?.delete(fields[this.#lastName] ?? '')
  }

  clear(): void {
    this.#root = new Branch()
    this.#came = 0
  }
}
