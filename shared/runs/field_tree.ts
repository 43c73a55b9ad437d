/**
 * Finds what belongs to the values of some fields. Some comparisons of short texts cost less than to make one text of them, for every product.
 *
 * @module
 */

/** What belongs to the values of one field. Most products have the value of the one before, which is found without its hash. */
class Branch<Value> {
  readonly #all = new Map<string, Branch<Value> | Value>()
  #lastText: string | undefined
  #last: Branch<Value> | Value | undefined

  get(text: string): Branch<Value> | Value | undefined {
    if (text === this.#lastText) return this.#last
    const found = this.#all.get(text)
    if (found !== undefined) {
      this.#lastText = text
      this.#last = found
    }
    return found
  }

  set(text: string, value: Branch<Value> | Value): void {
    this.#all.set(text, value)
    this.#lastText = undefined
  }

  delete(text: string): void {
    this.#lastText = undefined
    this.#last = undefined
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
