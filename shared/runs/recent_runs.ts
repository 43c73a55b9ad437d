/**
 * Runs by the values of their fields. Some look-ups of short texts cost less than to make a run's name from them, for every product.
 *
 * @module
 */

import { fieldsOf, type Run } from './run_record.ts'

type Branch = Map<string, Branch | Run>

/** With more runs, all are forgotten: those of the next products come in again. More than are open at a time. */
const MOST_RUNS = 20_000

/** The runs that had products lately. */
export class RecentRuns {
  readonly #names: readonly string[]
  readonly #lastName: string
  #root: Branch = new Map()
  #size = 0

  /** @param names Fields that name a run, at least one. Those with few values first take the least memory. */
  constructor(names: readonly string[]) {
    this.#names = names.slice(0, -1)
    this.#lastName = names.at(-1) ?? ''
  }

  /** `undefined`: it is not known here. */
  get(fields: Readonly<Record<string, string>>): Run | undefined {
    const found = this.#branchOf(fields)?.get(fields[this.#lastName] ?? '')
    return found instanceof Map ? undefined : found
  }

  #branchOf(fields: Readonly<Record<string, string>>): Branch | undefined {
    let branch: Branch = this.#root
    for (const name of this.#names) {
      const next = branch.get(fields[name] ?? '')
      if (!(next instanceof Map)) return undefined
      branch = next
    }
    return branch
  }

  add(run: Run): void {
    if (this.#size >= MOST_RUNS) this.#clear()
    const fields = fieldsOf(run)
    let branch: Branch = this.#root
    for (const name of this.#names) {
      const known = branch.get(fields[name] ?? '')
      const next: Branch = known instanceof Map ? known : new Map()
      if (next !== known) branch.set(fields[name] ?? '', next)
      branch = next
    }
    branch.set(fields[this.#lastName] ?? '', run)
    this.#size++
  }

  /** Forgets a run, which is none any more. */
  delete(run: Run): void {
    const fields = fieldsOf(run)
    if (this.#branchOf(fields)?.delete(fields[this.#lastName] ?? '') === true) this.#size--
  }

  #clear(): void {
    this.#root = new Map()
    this.#size = 0
  }
}
