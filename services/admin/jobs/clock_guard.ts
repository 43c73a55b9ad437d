/**
 * Compares the clock with times in the store, so that a wrong clock does not lead to deletions.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { readCommit } from '#shared/journal/commits.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { checkClock } from '#shared/retention/clock_check.ts'
import { formatDuration } from '#shared/retention/duration.ts'
import type { MarkHistory } from '#shared/retention/mark_history.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { CallOptions, Store } from '#shared/store/store.ts'

const DAY_MS = 86_400_000
/** 1.x's `date_time`: microseconds. */
const STATUS_TIME = /"date_time": ?"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d{0,3}Z"/

/**
 * The times in the store that the clock is compared with: the newest mark. Without marks: the newest journal entry of every event type,
 * and the status document of every event type that has only one.
 *
 * @throws {AvisoError} What the store throws.
 */
export async function readSigns(
  store: Store,
  schemas: Schemas,
  { marks }: MarkHistory,
  options?: CallOptions,
): Promise<readonly number[]> {
  const last = marks.at(-1)
  if (last !== undefined) return [last.at]
  const signs: number[] = []
  for (const event of schemas.events) {
    const { commit } = await readCommit({ store, event }, undefined, options)
    if (commit !== undefined) signs.push(Date.parse(commit.batch.at))
    const { base } = schemas.require(event).formats
    if (base.fields.length > 0) continue
    const [status] = (await store.range({ key: toBytes(base.literals[0] ?? '') }, options)).kvs
    const time = status === undefined ? undefined : STATUS_TIME.exec(toText(status.value))?.[1]
    if (time !== undefined) signs.push(Date.parse(`${time}Z`))
  }
  return signs
}

/** @throws {AvisoError} `ERR_CLOCK_UNSURE` when the clock is far ahead of all signs. */
export function requireSoundClock(now: number, signs: readonly number[]): void {
  const check = checkClock(now, signs)
  if (check.ok) return
  const days = formatDuration(Math.round(check.aheadMs / DAY_MS) * DAY_MS)
  throw new AvisoError(
    'ERR_CLOCK_UNSURE',
    `The clock is ${days} ahead of everything in the store, so nothing was deleted: set the clock, or use trust_clock if nothing was written for so long`,
    { details: { clock: new Date(now).toISOString() } },
  )
}
