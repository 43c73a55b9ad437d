/**
 * Plans where the cleaner looks for expired keys, so that it reads as few keys as the key formats allow.
 *
 * @module
 */

import type { ExpiryRule } from '#shared/retention/expiry.ts'
import { prefixEnd, prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

/** How to find the expired keys of a rule. */
export type Search =
  /** All of them lie in one range. */
  | { readonly kind: 'range'; readonly range: Required<KeyRange> }
  /** Keys of an index name the ranges, as those of aviso 1.x do: `/ec/admin/DATE/DESTINATION`. */
  | { readonly kind: 'index'; readonly index: ExpiryRule; readonly range: Required<KeyRange> }

/**
 * Plans the search of a rule.
 *
 * - When the date comes first and sorts, all expired keys lie before the oldest date that is still kept.
 * - When other fields come before the date, and the index holds them, the index says where expired keys are.
 * - In all other cases, and when a full search is asked for, the search reads all keys of the event type.
 *
 * @param index The rule of the event type's admin keys.
 * @param isFull Whether to look at all keys.
 */
export function planSearch(
  rule: ExpiryRule,
  index: ExpiryRule | undefined,
  { now, isFull }: { readonly now: number; readonly isFull: boolean },
): Search {
  const all = prefixRange(rule.prefix)
  if (isFull || rule.date === undefined) return { kind: 'range', range: all }
  const expired = expiredRange(rule, now)
  if (expired !== undefined) return { kind: 'range', range: expired }
  const indexed = index === undefined ? undefined : expiredRange(index, now)
  if (index === undefined || indexed === undefined || !tellsPrefix(index, rule))
    return { kind: 'range', range: all }
  return { kind: 'index', index, range: indexed }
}

/** The range of all keys with an expired date; `undefined` unless the date follows the rule's fixed text and sorts. */
function expiredRange({ date, prefix, ageMs }: ExpiryRule, now: number): Required<KeyRange> | undefined {
  if (date === undefined || date.index > 0 || !date.reader.isSortable) return undefined
  return { key: toBytes(prefix), end: prefixEnd(toBytes(prefix + date.reader.write(now - ageMs))) }
}

/** Whether an index key holds all fields of a notification key up to and including the date. */
function tellsPrefix(index: ExpiryRule, { date, format }: ExpiryRule): boolean {
  return (
    date !== undefined &&
    format.fields.slice(0, date.index + 1).every((name) => index.format.fields.includes(name))
  )
}

/**
 * The range of the notifications that an index key stands for.
 *
 * @param values The fields of the index key, in the order of its format.
 */
export function indexedRange(
  rule: ExpiryRule,
  index: ExpiryRule,
  values: readonly string[],
): Required<KeyRange> {
  const named = new Map(index.format.fields.map((name, place) => [name, values[place] ?? '']))
  const { literals, fields } = rule.format
  const through = rule.date?.index ?? 0
  let prefix = literals[0] ?? ''
  // The prefix includes the text behind the date, so that a date is never the prefix of another date.
  for (let place = 0; place <= through; place++)
    prefix += (named.get(fields[place] ?? '') ?? '') + (literals[place + 1] ?? '')
  return prefixRange(prefix)
}
