/**
 * The names of an event type's products. All slots share them, because their runs have much the same products: a slot holds numbers.
 *
 * @module
 */

import { splitProductKey } from './expectation.ts'

/** Products that differ in the first field only. */
export interface NameGroup {
  /** The text of the other fields in a product's key. */
  readonly rest: string
  /** Whether the values of the first field are numbers that a MARS list may have. */
  readonly isNumeric: boolean
}

/** A product's name. */
export interface ProductName {
  /** As {@link productKey} makes it. */
  readonly key: string
  readonly id: number
  readonly group: NameGroup
  /** The value of the first field, where it is a number that a list may have; below 0: it is none. */
  readonly number: number
}

/** Fewer names are never looked through for those that no slot has any more. */
const MIN_SWEPT = 65_536

/** The names of an event type's products. */
export class ProductNames {
  readonly #fields: readonly string[]
  readonly #byKey = new Map<string, ProductName>()
  readonly #byId: (ProductName | undefined)[] = []
  #free: number[] = []
  #groups = new Map<string, NameGroup>()
  #sweepAt = MIN_SWEPT

  /** @param fields Names of the fields that name a product. */
  constructor(fields: readonly string[]) {
    this.#fields = fields
  }

  /** `undefined`: no slot has it. */
  find(key: string): ProductName | undefined {
    return this.#byKey.get(key)
  }

  at(id: number): ProductName | undefined {
    return this.#byId[id]
  }

  /** The name with a key. It is made where there is none. */
  take(key: string): ProductName {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const { first, rest } = splitProductKey(this.#fields, key)
    const number = numberOf(first)
    const id = this.#free.pop() ?? this.#byId.length
    const name = { key, id, group: this.#groupOf(rest, number >= 0), number }
    this.#byKey.set(key, name)
    this.#byId[id] = name
    return name
  }

  #groupOf(rest: string, isNumeric: boolean): NameGroup {
    const text = (isNumeric ? 'N' : 'T') + rest
    const known = this.#groups.get(text)
    if (known !== undefined) return known
    const group = { rest, isNumeric }
    this.#groups.set(text, group)
    return group
  }

  /** Whether there are so many names that some may be of no slot any more. */
  get isSweepDue(): boolean {
    return this.#byKey.size >= this.#sweepAt
  }

  /**
   * Forgets the names that no slot has.
   *
   * @param mark Marks the ids of those that slots have.
   */
  sweep(mark: (isUsed: Uint8Array) => void): void {
    const isUsed = new Uint8Array(this.#byId.length)
    mark(isUsed)
    for (const [id, name] of this.#byId.entries()) {
      if (name === undefined || isUsed[id] === 1) continue
      this.#byKey.delete(name.key)
      this.#byId[id] = undefined
      this.#free.push(id)
    }
    // Names keep theirs. A group that is made again is a second one of the same rest, which does no harm.
    this.#groups = new Map()
    this.#sweepAt = Math.max(MIN_SWEPT, 2 * this.#byKey.size)
  }
}

const MOST_DIGITS = 9
const ZERO = 0x30

/** The number that a value is, where it is the same text when it is written again, and one that a list may have; below 0: it is none. */
function numberOf(text: string): number {
  const { length } = text
  if (length === 0 || length > MOST_DIGITS) return -1
  let number = 0
  for (let place = 0; place < length; place++) {
    const digit = text.charCodeAt(place) - ZERO
    if (digit < 0 || digit > 9 || (digit === 0 && place === 0 && length > 1)) return -1
    number = number * 10 + digit
  }
  return number
}
