/**
 * The names of an event type's products. All slots share them, because their runs have much the same products: a slot holds numbers.
 *
 * @module
 */

import { isPlain, productFields, productKey, splitProductKey } from './expectation.ts'
import { FieldTree } from './field_tree.ts'
import { numberOf } from './list_number.ts'

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
  readonly #byFields: FieldTree<ProductName>
  readonly #byId: (ProductName | undefined)[] = []
  #size = 0
  #free: number[] = []
  readonly #ofNumbers = new Map<string, NameGroup>()
  readonly #ofTexts = new Map<string, NameGroup>()
  #sweepAt = MIN_SWEPT

  /** @param fields Names of the fields that name a product. */
  constructor(fields: readonly string[]) {
    this.#fields = fields
    // Most products of a run differ in the first one.
    this.#byFields = new FieldTree(fields.toReversed(), Number.POSITIVE_INFINITY)
  }

  /** The name with a key; `undefined`: no slot has it. */
  find(key: string): ProductName | undefined {
    return this.#byFields.get(productFields(this.#fields, key))
  }

  /** The name with a key. It is made where there is none. */
  take(key: string): ProductName {
    return this.of(productFields(this.#fields, key))
  }

  /** The name of a product with these fields. It is made where there is none. */
  of(fields: Readonly<Record<string, string>>): ProductName {
    const known = this.#byFields.get(fields)
    if (known !== undefined) return known
    const key = productKey(this.#fields, fields)
    // Values that cannot stand in a key as they are share the name of those that can.
    return isPlain(this.#fields, fields) ? this.#make(fields, key) : this.take(key)
  }

  at(id: number): ProductName | undefined {
    return this.#byId[id]
  }

  #make(fields: Readonly<Record<string, string>>, key: string): ProductName {
    const { first, rest } = splitProductKey(this.#fields, key)
    const number = numberOf(first)
    const id = this.#free.pop() ?? this.#byId.length
    const name = { key, id, group: this.#groupOf(rest, number >= 0), number }
    this.#byFields.set(fields, name)
    this.#byId[id] = name
    this.#size++
    return name
  }

  #groupOf(rest: string, isNumeric: boolean): NameGroup {
    const groups = isNumeric ? this.#ofNumbers : this.#ofTexts
    const known = groups.get(rest)
    if (known !== undefined) return known
    const group = { rest, isNumeric }
    groups.set(rest, group)
    return group
  }

  /** Whether there are so many names that some may be of no slot any more. */
  get isSweepDue(): boolean {
    return this.#size >= this.#sweepAt
  }

  /**
   * Forgets the names that no slot has.
   *
   * @param mark Marks the ids of those that slots have.
   */
  sweep(mark: (isUsed: Uint8Array) => void): void {
    const isUsed = new Uint8Array(this.#byId.length)
    mark(isUsed)
    this.#byFields.clear()
    this.#ofNumbers.clear()
    this.#ofTexts.clear()
    this.#free = []
    for (const [id, name] of this.#byId.entries()) {
      if (name !== undefined && isUsed[id] === 1) {
        const { group } = name
        this.#byFields.set(productFields(this.#fields, name.key), name)
        if (group.isNumeric) this.#ofNumbers.set(group.rest, group)
        else this.#ofTexts.set(group.rest, group)
        continue
      }
      this.#byId[id] = undefined
      this.#free.push(id)
    }
    this.#size = this.#byId.length - this.#free.length
    this.#sweepAt = Math.max(MIN_SWEPT, 2 * this.#size)
  }
}
