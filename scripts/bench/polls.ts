/**
 * Polls as pyaviso sends them.
 *
 * @module
 */

import { prefixRange } from '#shared/bytes/bytes.ts'
import { OLD_KEYS } from './old_keys.ts'

/** @param from Lowest revision that is asked for, as it stands in the text. */
export function pollBody(from: number | string): string {
  const { key, end } = prefixRange(OLD_KEYS)
  // As pyaviso sends it.
  return JSON.stringify({
    key: Buffer.from(key).toString('base64'),
    range_end: Buffer.from(end).toString('base64'),
    limit: 10_000,
    sort_order: 'DESCEND',
    sort_target: 'KEY',
    keys_only: false,
    revision: null,
    min_mod_revision: from,
    max_mod_revision: null,
  }).replace(`"${from}"`, String(from))
}

/** The revision of the store in an answer. */
export function revisionIn(answer: string): number {
  return Number(/"revision":"(\d+)"/.exec(answer)?.[1] ?? 0)
}
