/**
 * Finds what belongs to the values of some fields. Some look-ups of short texts cost less than to make one text of them, for every product.
 *
 * @module
 */

type Branch<Value> = Map<string, Branch<Value> | Value>

/** Values, which are objects and no maps, by fields. */
export class FieldTree<Value extends object> {
  readonly #names: readonly string[]
  readonly #lastName: string
  readonly #most: number
  #root: Branch<Value> = new Map()
  #size = 0

  /**
   * @param names Fields, at least one. The least memory is needed where those with few values come first.
   * @param most When there are as many values, all are forgotten before the next comes.
   */
  constructor(names: readonly string[], most: number) {
    this.#most = most
    this.#names = names.slice(0, -1)
    this.#lastName = names.at(-1) ?? ''
  }

  /** `undefined`: there is none. */
  get(fields: Readonly<Record<string, string>>): Value | undefined {
    const found = this.#branchOf(fields)?.get(fields[this.#lastName] ?? '')
    return found instanceof Map ? undefined : found
  }

  #branchOf(fields: Readonly<Record<string, string>>): Branch<Value> | undefined {
    let branch = this.#root
    for (const name of this.#names) {
      const next = branch.get(fields[name] ?? '')
      if (!(next instanceof Map)) return undefined
      branch = next
    }
    return branch
  }

  set(fields: Readonly<Record<string, string>>, value: Value): void {
    if (this.#size >= this.#most) this.clear()
    let branch = this.#root
    for (const name of this.#names) {
      const known = branch.get(fields[name] ?? '')
      const next: Branch<Value> = known instanceof Map ? known : new Map()
      if (next !== known) branch.set(fields[name] ?? '', next)
      branch = next
    }
    branch.set(fields[this.#lastName] ?? '', value)
    this.#size++
  }

  delete(fields: Readonly<Record<string, string>>): void {
    if (this.#branchOf(fields)?.delete(fields[this.#lastName] ?? '') === true) this.#size--
  }

  clear(): void {
    this.#root = new Map()
    this.#size = 0
  }
}
