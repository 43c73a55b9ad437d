/**
 * The `storage_policy` of an event type in a schema of aviso 2.x.
 *
 * @module
 */

import * as v from 'valibot'

import { strictSection } from './strict_section.ts'

/** How much of an event type is kept. An absent member is no limit of its own. */
export interface StoragePolicy {
  /** Milliseconds. */
  readonly ageMs?: number
  /** Most notifications. */
  readonly count?: number
  /** Most bytes of keys and values. */
  readonly bytes?: number
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 }
/** 2.x's own most: 2^63 nanoseconds. */
const MAX_SECONDS = 9_223_372_036
const BYTES: Readonly<Record<string, number>> = {
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

const duration = v.pipe(
  v.string('It must be text such as 7d'),
  v.transform((text) => scaled(text, /^(\d+)([smhdw])$/, SECONDS)),
  v.check(
    (seconds) => seconds >= 1 && seconds <= MAX_SECONDS,
    'It must be a whole number above 0 with a unit of s, m, h, d or w, such as 7d',
  ),
)
const size = v.pipe(
  v.string('It must be text such as 64Mi'),
  v.transform((text) => scaled(text, /^(\d+)([KMGT]i?)$/, BYTES)),
  v.check(
    (bytes) => bytes >= 1 && Number.isSafeInteger(bytes),
    'It must be a whole number above 0 with a unit of K, Ki, M, Mi, G, Gi, T or Ti, such as 64Mi',
  ),
)
const flag = v.nullish(v.boolean('It must be true or false'))

/** The number in a text times its unit; NaN for any other text. */
function scaled(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number {
  const [, number, unit = ''] = pattern.exec(text) ?? []
  return number === undefined ? Number.NaN : Number(number) * (units[unit] ?? Number.NaN)
}

const MS = 1_000

/** Reads a policy. `allow_duplicates` and `compression` change nothing here: every notification is kept, and the store decides how. */
export const storagePolicy = v.pipe(
  strictSection({
    retention_time: v.nullish(duration),
    max_messages: v.nullish(
      v.pipe(v.number('It must be a whole number above 0'), v.safeInteger(), v.minValue(1)),
    ),
    max_size: v.nullish(size),
    allow_duplicates: flag,
    compression: flag,
  }),
  v.transform(({ retention_time: seconds, max_messages: count, max_size: bytes }): StoragePolicy => ({
    ...(typeof seconds === 'number' && { ageMs: seconds * MS }),
    ...(typeof count === 'number' && { count }),
    ...(typeof bytes === 'number' && { bytes }),
  })),
)
