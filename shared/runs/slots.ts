/**
 * The slots of an event type: which a run belongs to, and when its next run may be expected.
 *
 * @module
 */

import { readTime } from '#shared/notification/spellings.ts'

import type { Expectation } from './expectation.ts'
import { DAY_MS, type Run, type Slot } from './run_record.ts'
import { ProductNames } from './product_names.ts'
import { FIRST_FORGETTING, Shape } from './shape.ts'

/** The slots of an event type. */
export interface Slots {
  /** The slot of a run, which is made where there is none, and the run's nominal time. */
  find(fields: Readonly<Record<string, string>>): {
    readonly slot: Slot
    readonly nominal: number | undefined
  }
  /** Those of a run's fields that slots do not have. */
  ownFields(fields: Readonly<Record<string, string>>): Readonly<Record<string, string>>
  /** The fields of a slot's run at a nominal time. */
  fieldsAt(slot: Slot, nominal: number): Readonly<Record<string, string>>
  /** Sets the next nominal time of a slot that has its first run. */
  expectAfter(slot: Slot, run: Run): void
  /** The clock begins: makes the slots of every day, and goes on with those that have runs. */
  begin(since: number): void
  all(): Iterable<Slot>
  /** The names of the products of all slots. */
  readonly names: ProductNames
  drop(slot: Slot): void
  /** Takes a slot in again that was dropped while its next run began. */
  keep(slot: Slot): void
}

/** No value of a field holds it. */
const SEPARATOR = '\u0000'

/** Makes the slots of an event type, of which there are none yet. */
export function createSlots(expectation: Expectation): Slots {
  const { nominal } = expectation
  const slots = new Map<string, Slot>()
  const names = new ProductNames(expectation.product)
  const slotNames = nominal === undefined ? [] : expectation.run.filter((name) => name !== nominal.date)
  const ownNames = expectation.run.filter((name) => !slotNames.includes(name))

  const dayOf = remembering((text) => nominal?.readDate(text))
  const timeOfDay = remembering(readTimeOfDay)
  const daily = new Set(expectation.every.map((fields) => keyOf(fields, timeOf(fields))))

  /** Milliseconds after midnight. */
  function timeOf(fields: Readonly<Record<string, string>>): number | undefined {
    if (nominal === undefined) return undefined
    return nominal.time === undefined ? 0 : timeOfDay(fields[nominal.time] ?? '')
  }

  /** When a run is nominally; `undefined`: never, because its date or its time does not exist. */
  function nominalOf(fields: Readonly<Record<string, string>>): number | undefined {
    const date = nominal === undefined ? undefined : dayOf(fields[nominal.date] ?? '')
    const time = timeOf(fields)
    return date === undefined || time === undefined ? undefined : date + time
  }

  function keyOf(fields: Readonly<Record<string, string>>, timeOfDay: number | undefined): string {
    return [...slotNames.map((name) => fields[name] ?? ''), timeOfDay ?? ''].join(SEPARATOR)
  }

  function slotOf(fields: Readonly<Record<string, string>>, at: number | undefined): Slot {
    const timeOfDay = at === undefined ? undefined : ((at % DAY_MS) + DAY_MS) % DAY_MS
    const key = keyOf(fields, timeOfDay)
    const known = slots.get(key)
    if (known !== undefined) return known
    const slot: Slot = {
      key,
      expectation,
      fields: pick(slotNames, fields),
      timeOfDay,
      shape: new Shape(names),
      forgetsAt: FIRST_FORGETTING,
      runs: [],
      open: new Set(),
      nextAt: Number.POSITIVE_INFINITY,
      nextNominal: Number.POSITIVE_INFINITY,
      isDaily: daily.has(key),
    }
    slots.set(key, slot)
    return slot
  }

  function setNext(slot: Slot, at: number): void {
    slot.nextNominal = at
    slot.nextAt = Math.min(slot.nextAt, at)
  }

  return {
    find(fields) {
      const at = nominalOf(fields)
      return { slot: slotOf(fields, at), nominal: at }
    },
    ownFields: (fields) => pick(ownNames, fields),
    fieldsAt: (slot, at) =>
      nominal === undefined
        ? slot.fields
        : { ...slot.fields, [nominal.date]: nominal.writeDate(at - (slot.timeOfDay ?? 0)) },
    expectAfter(slot, run) {
      if (run.nominal === undefined || slot.nextNominal !== Number.POSITIVE_INFINITY) return
      setNext(slot, nextDay(run.nominal, run.isTimely ? run.nominal : run.createdAt))
    },
    begin(since) {
      for (const fields of expectation.every) {
        const time = timeOf(fields)
        if (time === undefined) continue
        const slot = slotOf(fields, time)
        if (slot.nextNominal === Number.POSITIVE_INFINITY) setNext(slot, nextDay(time, since - 1))
      }
      for (const slot of slots.values()) {
        const last = slot.runs.findLast((run) => run.isTimely && run.nominal !== undefined)?.nominal
        if (last !== undefined) setNext(slot, nextDay(last, last))
      }
    },
    all: () => slots.values(),
    names,
    keep: (slot) => slots.set(slot.key, slot),
    drop(slot) {
      if (!slot.isDaily) slots.delete(slot.key)
    },
  }
}

/** The first moment after another one that is a whole number of days after a nominal time. */
function nextDay(nominal: number, after: number): number {
  return nominal + (Math.floor((after - nominal) / DAY_MS) + 1) * DAY_MS
}

/** Dates and times of day that are remembered, each: those of some years. */
const MOST_REMEMBERED = 2_000

/** The same function, for which few texts come again and again. */
function remembering(read: (text: string) => number | undefined): (text: string) => number | undefined {
  const known = new Map<string, number | undefined>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined || known.has(text)) return found
    if (known.size >= MOST_REMEMBERED) known.clear()
    const value = read(text)
    known.set(text, value)
    return value
  }
}

/** Milliseconds after midnight; `undefined`: there is no such time. */
function readTimeOfDay(text: string): number | undefined {
  const [hours, minutes] = readTime(text) ?? []
  return hours === undefined ? undefined : (Number(hours) * 60 + Number(minutes)) * 60_000
}

function pick(
  names: readonly string[],
  fields: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const picked: Record<string, string> = {}
  for (const name of names) picked[name] = fields[name] ?? ''
  return picked
}

/** Puts a run among those of its slot, by nominal time. */
export function insertRun({ runs }: Slot, run: Run): void {
  let place = runs.length
  while (
    place > 0 &&
    (runs[place - 1]?.nominal ?? Number.NEGATIVE_INFINITY) > (run.nominal ?? Number.POSITIVE_INFINITY)
  )
    place--
  runs.splice(place, 0, run)
}
