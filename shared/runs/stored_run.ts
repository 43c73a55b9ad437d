/**
 * Finished runs as they are stored: one JSON text for each, some 1 KiB for 240 products.
 *
 * @module
 */

import * as v from 'valibot'

import { decodeBase64, encodeBase64 } from '#shared/bytes/base64.ts'

import { NOTHING, type Codes } from './arrivals.ts'
import { expandList } from './ranges.ts'
import { RUN_STATES } from './runs.ts'
import type { Run, Slot } from './run_record.ts'

const VERSION = 1
const moment = v.nullable(v.pipe(v.number(), v.finite()))
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const content = v.object({
  v: v.literal(VERSION),
  event: v.string(),
  fields: v.record(v.string(), v.string()),
  created: v.pipe(v.number(), v.finite()),
  timely: v.boolean(),
  due_by_clock: v.boolean(),
  state: v.picklist(RUN_STATES),
  expected: v.nullable(count),
  received: count,
  extra: count,
  repeated: count,
  first: moment,
  last: moment,
  complete: moment,
  republished: moment,
  due: moment,
  late: moment,
  closes: v.pipe(v.number(), v.finite()),
  through: count,
  base: v.pipe(v.number(), v.finite()),
  /** A MARS list where all products are numbers, in the order of the codes. */
  products: v.union([v.string(), v.array(v.string())]),
  /** Codes as unsigned numbers of `width` bytes, the least significant byte first, in base64. */
  codes: v.string(),
  width: v.picklist([2, 4]),
})

/** A finished run as it was stored. */
export type StoredContent = v.InferOutput<typeof content>

/** The text of a finished run. @param fields The fields that name it. */
export function encodeRun(run: Run, fields: Readonly<Record<string, string>>): string {
  const indexes: number[] = []
  for (const [index, code] of run.codes.entries()) if (code !== NOTHING) indexes.push(index)
  const keys = indexes.map((index) => run.slot.shape.keys[index] ?? '')
  const products = keys.length > 0 && keys.every(isNumber) ? writeList(keys.map(Number)) : keys
  const codes = indexes.map((index) => run.codes[index] ?? NOTHING)
  const width = codes.every((code) => code <= 0xffff) ? 2 : 4
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
    codes: encodeBase64(toBytes(codes, width)),
    width,
  }
  return JSON.stringify(stored)
}

/** Reads a stored text; `undefined` for one that this version did not write. */
export function decodeRun(text: string): StoredContent | undefined {
  try {
    const result = v.safeParse(content, JSON.parse(text))
    return result.success ? result.output : undefined
  } catch {
    return undefined
  }
}

/** Makes a run of what was stored. */
export function toRun(
  stored: StoredContent,
  place: {
    readonly id: string
    readonly slot: Slot
    readonly nominal: number | undefined
    readonly own: Readonly<Record<string, string>>
    readonly indexOf: (key: string) => number
  },
): Run {
  return {
    id: place.id,
    slot: place.slot,
    own: place.own,
    nominal: place.nominal,
    createdAt: stored.created,
    isTimely: stored.timely,
    isExpected: stored.due_by_clock,
    plan: undefined,
    state: stored.state,
    isClosed: true,
    codes: readCodes(stored, place.indexOf),
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
    from: 0,
    through: stored.through,
  }
}

function readCodes({ products, codes, width }: StoredContent, indexOf: (key: string) => number): Codes {
  const listed = typeof products === 'string' ? expandList(products) : { values: products }
  const keys = 'values' in listed ? listed.values : []
  const bytes = decodeBase64(codes) ?? new Uint8Array()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const indexes = keys.map(indexOf)
  const length = indexes.reduce((most, index) => Math.max(most, index + 1), 0)
  const read = width === 2 ? new Uint16Array(length) : new Int32Array(length)
  for (const [place, index] of indexes.entries()) {
    if (index < 0 || (place + 1) * width > view.byteLength) continue
    read[index] = width === 2 ? view.getUint16(place * 2, true) : view.getUint32(place * 4, true)
  }
  return read
}

function toBytes(codes: readonly number[], width: 2 | 4): Uint8Array {
  const view = new DataView(new ArrayBuffer(codes.length * width))
  for (const [place, code] of codes.entries()) {
    if (width === 2) view.setUint16(place * 2, code, true)
    else view.setUint32(place * 4, code, true)
  }
  return new Uint8Array(view.buffer)
}

/** Whether a number, written again, is the same text, and is one that a list may have. */
function isNumber(key: string): boolean {
  return /^(?:0|[1-9]\d{0,8})$/.test(key)
}

/** Numbers as a MARS list, in their order. */
function writeList(numbers: readonly number[]): string {
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
