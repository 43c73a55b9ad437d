/**
 * Collectors count what happens in a service between two telemetry messages. Each replaces one collector thread of 1.x. It needs constant
 * memory, because it keeps sums and not samples.
 *
 * @see reference/aviso-v1.md §4.1
 * @module
 */

import { MAX_SENT_BYTES, type Telemetry } from './message.ts'

/** Collects figures, and hands them out for a message. */
export interface Collector {
  /** e.g. `rest_resp_time` */
  readonly type: string
  /** Takes what was collected since the last call: parts that each fit into one message, or none. */
  take(): readonly Telemetry[]
}

/** Collects durations. */
export interface TimeCollector extends Collector {
  /** @param part Sub-measurement of 1.x, such as `att`. It is sent in a separate message. */
  observe(seconds: number, part?: string): void
}

/** Collects distinct texts. */
export interface UniqueCollector extends Collector {
  observe(value: string): void
}

/** Most distinct texts per interval. Further texts are left out. */
export const MAX_UNIQUE_VALUES = 1_000
/** Longest text. Longer texts are cut, and no user name is longer. */
const MAX_VALUE_CHARACTERS = 128
/** Bytes of a message that are reserved for everything except its texts. */
const ENVELOPE_BYTES = 400

interface Times {
  count: number
  sum: number
  max: number
  min: number
}

/** Makes a collector of `<name>_counter`, `_avg`, `_max`, `_min` in seconds. `<name>` is the type, or `<type>_<part>`. */
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

/** Makes a collector of `<type>_counter` and `<type>_values`. Texts that exceed one message fill several, which the receiver joins. */
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

/** Splits a list so that each part fits into one message. */
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
