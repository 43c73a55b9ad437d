/**
 * Collectors: what a service counts between two telemetry messages. Each takes the place of one collector thread of 1.x, in constant
 * memory: sums are kept, not samples.
 *
 * @see reference/aviso-v1.md §4.1
 * @module
 */

import { MAX_SENT_BYTES, type Telemetry } from './message.ts'

/** Gives what was collected since the last call, and starts anew. */
export interface Collector {
  /** e.g. `rest_resp_time` */
  readonly type: string
  /** One or more parts, each fit for one message; none where there is nothing to tell. */
  take(): readonly Telemetry[]
}

/** Measures durations. */
export interface TimeCollector extends Collector {
  /** @param part Sub-measurement of 1.x, e.g. `att`: it is sent in a message of its own. */
  observe(seconds: number, part?: string): void
}

/** Counts distinct texts. */
export interface UniqueCollector extends Collector {
  observe(value: string): void
}

/** Distinct texts kept per interval; further ones are not told apart any more and left out. */
export const MAX_UNIQUE_VALUES = 1_000
/** Longest text: longer ones are cut. No user name is longer. */
const MAX_VALUE_CHARACTERS = 128
/** Room of a message for everything but its texts. */
const ENVELOPE_BYTES = 400

interface Times {
  count: number
  sum: number
  max: number
  min: number
}

/** `<name>_counter`, `_avg`, `_max`, `_min` in seconds; `<name>` is the type, or `<type>_<part>`. */
export function createTimeCollector(type: string): TimeCollector {
  const times = new Map<string, Times>()
  return {
    type,
    observe(seconds, part) {
      if (!Number.isFinite(seconds) || seconds < 0) return
      const name = part === undefined ? type : `${type}_${part}`
      const known = times.get(name)
      if (known === undefined) {
        times.set(name, { count: 1, sum: seconds, max: seconds, min: seconds })
        return
      }
      known.count++
      known.sum += seconds
      if (seconds > known.max) known.max = seconds
      if (seconds < known.min) known.min = seconds
    },
    take() {
      const parts = Array.from(times, ([name, { count, sum, max, min }]) => ({
        [`${name}_counter`]: count,
        [`${name}_avg`]: sum / count,
        [`${name}_max`]: max,
        [`${name}_min`]: min,
      }))
      times.clear()
      return parts
    },
  }
}

/** `<type>_counter` and `<type>_values`. More texts than one message holds become several messages, which a receiver unites. */
export function createUniqueCollector(type: string): UniqueCollector {
  const values = new Set<string>()
  return {
    type,
    observe(value) {
      if (values.size < MAX_UNIQUE_VALUES) values.add(value.slice(0, MAX_VALUE_CHARACTERS).toWellFormed())
    },
    take() {
      const parts = partsOf([...values]).map((part) => ({
        [`${type}_counter`]: part.length,
        [`${type}_values`]: part,
      }))
      values.clear()
      return parts
    },
  }
}

/** Cuts a list so that each part fits one message. */
function partsOf(values: readonly string[]): readonly (readonly string[])[] {
  const parts: string[][] = []
  let bytes = Infinity
  for (const value of values) {
    // JSON writes control characters as ASCII; any other character takes at most three bytes.
    const size = JSON.stringify(value).length * (/^[\u0020-\u007e]*$/.test(value) ? 1 : 3) + 1
    if (bytes + size > MAX_SENT_BYTES - ENVELOPE_BYTES) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)?.push(value)
    bytes += size
  }
  return parts
}
