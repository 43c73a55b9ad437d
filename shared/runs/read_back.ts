/**
 * Reads runs back that an earlier tracker gave as texts. There are tens of thousands of them at a start, with millions of products.
 *
 * @module
 */

import { isExtra, NOTHING, type Codes } from './arrivals.ts'
import type { Expectation } from './expectation.ts'
import type { Plan } from './plan.ts'
import type { ProductName } from './product_names.ts'
import { expandList } from './ranges.ts'
import type { Run, Slot } from './run_record.ts'
import type { Slots } from './slots.ts'
import type { ProductGroup, StoredContent } from './stored_run.ts'

/** Names of products that are remembered by the text of their group. More are looked up again. */
const MOST_NAMES = 200_000

/** What is expected of a run, and until when. */
export interface Terms extends Pick<Run, 'isTimely' | 'dueAt' | 'closesAt'> {
  readonly plan: Plan
}

/** The runs of an event type, as far as reading back needs them. */
export interface RunReaderParts {
  readonly expectation: Expectation
  readonly slots: Slots
  /** The id of the run with these fields. */
  idOf(fields: Readonly<Record<string, string>>): string
  /** Whether there is a run with an id. */
  has(id: string): boolean
  /** The index of a product in a slot; below 0: it has no room. */
  indexIn(slot: Slot, name: ProductName): number
  /** What is expected now of a run that began at a moment. */
  termsOf(slot: Slot, run: Pick<Run, 'nominal' | 'createdAt'>): Terms
}

/** Indexes of products, in the order of a run's codes; below 0: there is no room for it. */
interface Indexes {
  readonly products: readonly ProductGroup[]
  readonly indexes: Int32Array
  readonly largest: number
}

/** Reads runs back. It remembers what the runs have in common, so keep it until the last is read, and no longer. */
export class RunReader {
  readonly #parts: RunReaderParts
  /** What was read last of a slot. Its runs are alike, so nine in ten have the products of the one before. */
  readonly #last = new Map<Slot, Indexes>()
  /** The slots of an event type have many groups in common. */
  readonly #names = new Map<string, readonly ProductName[]>()
  #remembered = 0

  constructor(parts: RunReaderParts) {
    this.#parts = parts
  }

  /** Makes a run of what was stored. Its slot does not have it yet. */
  read(stored: StoredContent): Run {
    const { slots, idOf } = this.#parts
    const { slot, nominal } = slots.find(stored.fields)
    return {
      id: idOf(stored.fields),
      slot,
      own: slots.ownFields(stored.fields),
      nominal,
      createdAt: stored.created,
      isTimely: stored.timely,
      isExpected: stored.due_by_clock,
      plan: undefined,
      state: stored.state,
      isClosed: stored.open === undefined,
      codes: readCodes(stored, this.#indexesOf(slot, stored.products)),
      base: stored.base,
      expected: stored.expected,
      received: stored.received,
      extra: stored.extra,
      repeated: stored.repeated,
      firstAt: stored.first ?? undefined,
      lastAt: stored.last ?? undefined,
      completeAt: stored.complete ?? undefined,
      republishedAt: stored.republished ?? undefined,
      dueAt: stored.due ?? undefined,
      lateAt: stored.late ?? undefined,
      closesAt: stored.closes,
      from: stored.open?.from ?? 0,
      through: stored.through,
      unstored: undefined,
      isStored: true,
    }
  }

  /** Makes an open run of what was stored; `undefined`: it is known already, or something else is expected of it now. */
  readOpen(stored: StoredContent): Run | undefined {
    const { expectation, slots, termsOf, has } = this.#parts
    if (!isSameList(Object.keys(stored.fields), expectation.run)) return undefined
    if (!isSameList(stored.open?.product ?? [], expectation.product)) return undefined
    const { slot, nominal } = slots.find(stored.fields)
    const terms = termsOf(slot, { nominal, createdAt: stored.created })
    const run = this.read(stored)
    if (!has(run.id) && isPlanned(run, terms)) {
      run.plan = terms.plan
      return run
    }
    if (slot.runs.length === 0) slots.drop(slot)
    return undefined
  }

  #indexesOf(slot: Slot, products: readonly ProductGroup[]): Indexes {
    const last = this.#last.get(slot)
    if (last !== undefined && isSameProducts(last.products, products)) return last
    const groups = products.map((group) => this.#namesOf(group))
    const indexes = new Int32Array(groups.reduce((sum, { length }) => sum + length, 0))
    let largest = -1
    let next = 0
    for (const names of groups) {
      for (const name of names) {
        const index = this.#parts.indexIn(slot, name)
        largest = Math.max(largest, index)
        indexes[next++] = index
      }
    }
    const read = { products, indexes, largest }
    this.#last.set(slot, read)
    return read
  }

  #namesOf(group: ProductGroup): readonly ProductName[] {
    const text = JSON.stringify(group)
    const known = this.#names.get(text)
    if (known !== undefined) return known
    const found = this.#findNames(group)
    this.#remembered += found.length
    if (this.#remembered > MOST_NAMES) {
      this.#names.clear()
      this.#remembered = found.length
    }
    this.#names.set(text, found)
    return found
  }

  #findNames([first, ...others]: ProductGroup): readonly ProductName[] {
    const { expectation, slots } = this.#parts
    const names = expectation.product
    const [firstName = ''] = names
    const fields = Object.fromEntries(names.map((name, place) => [name, String(others[place - 1] ?? '')]))
    const listed = typeof first === 'string' ? expandList(first) : { values: first }
    return ('values' in listed ? listed.values : []).map((value) =>
      slots.names.of({ ...fields, [firstName]: String(value) }),
    )
  }
}

function readCodes({ codes, width }: StoredContent, { indexes, largest }: Indexes): Codes {
  const binary = readBinary(codes)
  const count = Math.min(indexes.length, Math.floor(binary.length / width))
  const read = width === 2 ? new Uint16Array(largest + 1) : new Int32Array(largest + 1)
  for (let place = 0, at = 0; place < count; place++, at += width) {
    const index = indexes[place] ?? -1
    if (index < 0) continue
    const low = binary.charCodeAt(at) | (binary.charCodeAt(at + 1) << 8)
    const high = width === 2 ? 0 : binary.charCodeAt(at + 2) | (binary.charCodeAt(at + 3) << 8)
    read[index] = low | (high << 16)
  }
  return read
}

/** A character for each byte; nothing where it is no base64. */
function readBinary(codes: string): string {
  try {
    return atob(codes)
  } catch {
    return ''
  }
}

function isSameProducts(some: readonly ProductGroup[], others: readonly ProductGroup[]): boolean {
  if (some.length !== others.length) return false
  for (let place = 0; place < some.length; place++)
    if (!isSameGroup(some[place] ?? NO_GROUP, others[place] ?? NO_GROUP)) return false
  return true
}

const NO_GROUP: ProductGroup = ['']

function isSameGroup(some: ProductGroup, others: ProductGroup): boolean {
  if (some.length !== others.length || !isSameText(some[0], others[0])) return false
  for (let place = 1; place < some.length; place++) if (some[place] !== others[place]) return false
  return true
}

/** The first values may be a list. */
function isSameText(one: ProductGroup[0], other: ProductGroup[0]): boolean {
  if (typeof one === 'string' || typeof other === 'string') return one === other
  return isSameList(one, other)
}

function isSameList(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((each, place) => each === others[place])
}

/** Whether a run that was read back is one of which the same is expected now. A back-fill's end moves with its products. */
function isPlanned(run: Run, { isTimely, plan, dueAt, closesAt }: Terms): boolean {
  return (
    run.isTimely === isTimely &&
    run.expected === plan.count &&
    run.dueAt === dueAt &&
    (!isTimely || run.closesAt === closesAt) &&
    (plan.expected ?? []).every((index) => {
      const code = run.codes[index] ?? NOTHING
      return code !== NOTHING && !isExtra(code)
    })
  )
}
