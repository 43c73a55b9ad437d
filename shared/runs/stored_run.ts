/**
 * Runs as they are stored: one JSON text for each, some 1 KiB for 240 products.
 *
 * @module
 */

import { encodeBase64 } from '#shared/bytes/base64.ts'
import { isJsonRecord, parseJsonRecord, type JsonRecord } from '#shared/json/record.ts'

import { NOTHING, type Codes } from './arrivals.ts'
import { productValues, splitProductKey } from './expectation.ts'
import type { NameGroup } from './product_names.ts'
import { RUN_STATES, type RunState } from './runs.ts'
import type { Run } from './run_record.ts'

const VERSION = 1

/** Numbers of a stored run; those of {@link TIMES} may be `null`. */
const NUMBERS = ['created', 'closes', 'base', 'received', 'extra', 'repeated', 'through', 'width'] as const
const TIMES = ['expected', 'first', 'last', 'complete', 'republished', 'due', 'late'] as const

/** A run as it was stored. Times are in milliseconds since 1970. */
export interface StoredContent
  extends
    Readonly<Record<(typeof NUMBERS)[number], number>>,
    Readonly<Record<(typeof TIMES)[number], number | null>> {
  readonly v: typeof VERSION
  readonly event: string
  readonly fields: Readonly<Record<string, string>>
  readonly timely: boolean
  readonly due_by_clock: boolean
  readonly state: RunState
  /**
   * Products in the order of the codes, in groups that differ in the first field only: its values, and the values of the other fields. Numbers
   * are a MARS list.
   */
  readonly products: readonly ProductGroup[]
  /** Codes as unsigned numbers of `width` bytes (2 or 4), the least significant byte first, in base64. */
  readonly codes: string
  /** Of a run that was open. */
  readonly open?: {
    /** Number of its first product. */
    readonly from: number
    /** Names of the fields of a product. */
    readonly product: readonly string[]
  }
}

/** The values of the first field, and of the others. */
export type ProductGroup = readonly [first: string | readonly string[], ...others: string[]]

/** The text of a run. @param fields The fields that name it. */
export function encodeRun(run: Run, fields: Readonly<Record<string, string>>): string {
  const { products, indexes } = groupsOf(run)
  const { bytes, width } = bytesOf(run.codes, indexes)
  const stored: StoredContent = {
    v: VERSION,
    event: run.slot.expectation.event,
    fields,
    created: run.createdAt,
    timely: run.isTimely,
    due_by_clock: run.isExpected,
    state: run.state,
    expected: run.expected,
    received: run.received,
    extra: run.extra,
    repeated: run.repeated,
    first: run.firstAt ?? null,
    last: run.lastAt ?? null,
    complete: run.completeAt ?? null,
    republished: run.republishedAt ?? null,
    due: run.dueAt ?? null,
    late: run.lateAt ?? null,
    closes: run.closesAt,
    through: run.through,
    base: run.base,
    products,
    codes: encodeBase64(bytes),
    width,
    ...(!run.isClosed && { open: { from: run.from, product: run.slot.expectation.product } }),
  }
  return JSON.stringify(stored)
}

/** The products of a group that have a code. */
interface Members {
  /** Values of the first field; of numbers, none. */
  readonly texts: string[]
  readonly indexes: number[]
  /** Each number times the number of codes, plus the index: they sort as the numbers do. */
  readonly numbers: number[]
}

/** The products that have a code, in groups, and their indexes. Thousands of runs are stored at once, so it must be quick. */
function groupsOf({ codes, slot }: Run): {
  readonly products: readonly ProductGroup[]
  readonly indexes: readonly number[]
} {
  const groups = new Map<NameGroup, Members>()
  const fields = slot.expectation.product
  let group: NameGroup | undefined
  let members: Members = { texts: [], indexes: [], numbers: [] }
  for (let index = 0; index < codes.length; index++) {
    const name = codes[index] === NOTHING ? undefined : slot.shape.nameAt(index)
    if (name === undefined) continue
    if (name.group !== group) {
      group = name.group
      members = groups.get(group) ?? { texts: [], indexes: [], numbers: [] }
      groups.set(group, members)
    }
    if (group.isNumeric) members.numbers.push(name.number * codes.length + index)
    else {
      members.texts.push(splitProductKey(fields, name.key).first)
      members.indexes.push(index)
    }
  }
  const products: ProductGroup[] = []
  const indexes: number[] = []
  for (const [{ rest, isNumeric }, { texts, indexes: own, numbers }] of groups) {
    const others = productValues(fields, rest).slice(1)
    if (isNumeric) products.push([takeNumbers(numbers, codes.length, indexes), ...others])
    else {
      products.push([texts, ...others])
      for (const index of own) indexes.push(index)
    }
  }
  return { products, indexes }
}

/** The numbers of a group as a MARS list. @param indexes Gets their indexes. */
function takeNumbers(numbers: readonly number[], count: number, indexes: number[]): string {
  const sorted = Float64Array.from(numbers)
  // Products mostly come in the order of their steps.
  if (!isRising(sorted)) sorted.sort()
  for (let place = 0; place < sorted.length; place++) {
    const each = sorted[place] ?? 0
    const number = Math.floor(each / count)
    indexes.push(each - number * count)
    sorted[place] = number
  }
  return writeList(sorted)
}

function isRising(numbers: Float64Array): boolean {
  for (let place = 1; place < numbers.length; place++)
    if ((numbers[place - 1] ?? 0) > (numbers[place] ?? 0)) return false
  return true
}

/** Reads a stored text; `undefined` for one that this version did not write. */
export function decodeRun(text: string): StoredContent | undefined {
  const content = parseJsonRecord(text)
  return content !== undefined && isStored(content) ? content : undefined
}

/** Only what a damaged text could do harm with: there are tens of thousands of them at a start. */
function isStored(content: JsonRecord): content is JsonRecord & StoredContent {
  const { v, event, fields, state, products, codes, open } = content
  return (
    v === VERSION &&
    typeof event === 'string' &&
    isJsonRecord(fields) &&
    Object.values(fields).every((value) => typeof value === 'string') &&
    RUN_STATES.some((one) => one === state) &&
    NUMBERS.every((name) => Number.isFinite(content[name])) &&
    TIMES.every((name) => content[name] === null || Number.isFinite(content[name])) &&
    typeof codes === 'string' &&
    Array.isArray(products) &&
    products.every((group) => Array.isArray(group)) &&
    (open === undefined || isOpen(open))
  )
}

function isOpen(open: unknown): boolean {
  return isJsonRecord(open) && Number.isSafeInteger(open['from']) && Array.isArray(open['product'])
}

function bytesOf(
  codes: Codes,
  indexes: readonly number[],
): { readonly bytes: Uint8Array; readonly width: 2 | 4 } {
  let most = 0
  for (const index of indexes) most = Math.max(most, codes[index] ?? NOTHING)
  const width = most <= 0xffff ? 2 : 4
  const view = new DataView(new ArrayBuffer(indexes.length * width))
  let place = 0
  for (const index of indexes) {
    const code = codes[index] ?? NOTHING
    if (width === 2) view.setUint16(place, code, true)
    else view.setUint32(place, code, true)
    place += width
  }
  return { bytes: new Uint8Array(view.buffer), width }
}

/** Numbers as a MARS list, in their order. */
function writeList(numbers: Float64Array): string {
  const parts: string[] = []
  for (let place = 0; place < numbers.length;) {
    const from = numbers[place] ?? 0
    const by = (numbers[place + 1] ?? 0) - from
    let end = place + 1
    while (end < numbers.length && by > 0 && (numbers[end] ?? 0) - (numbers[end - 1] ?? 0) === by) end++
    if (end - place < MIN_RANGE) {
      parts.push(String(from))
      place++
      continue
    }
    parts.push(`${from}/to/${numbers[end - 1]}/by/${by}`)
    place = end
  }
  return parts.join('/')
}

/** A range of fewer numbers is longer than they are. */
const MIN_RANGE = 4
