/**
 * Numbers of places in history.
 *
 * @module
 */

import type { Place } from '../listen/request.ts'
import type { Positions } from '../listen/start.ts'
import { HistoryCompacted } from '#shared/errors.ts'

/** Where numbers are looked for. */
export interface NumberSource {
  readonly positions: Positions
  readonly event: string
  readonly signal: AbortSignal
}

/** The number of the first notification from a place on, given out or not; `undefined` where that is no longer kept. */
export async function firstNumberFrom(source: NumberSource, place: Place): Promise<bigint | undefined> {
  if (place.kind === 'sequence') return place.sequence
  const { positions, event, signal } = source
  try {
    // A time is that of a whole commit, so it begins with the first notification of one.
    const { revision } = await positions.start(event, place, { signal })
    const before = await numberAt(source, revision - 1n)
    return before === undefined ? undefined : before + 1n
  } catch (error) {
    if (error instanceof HistoryCompacted) return undefined
    throw error
  }
}

/** The number of the last notification up to a place; `undefined`: there is no bound. @throws {HistoryCompacted} */
export async function lastNumberUpTo(source: NumberSource, place: Place): Promise<bigint | undefined> {
  if (place.kind === 'sequence') return place.sequence
  const { positions, event, signal } = source
  const revision = await positions.end(event, place, { signal })
  return revision === undefined ? undefined : ((await numberAt(source, revision)) ?? 0n)
}

async function numberAt(
  { positions, event, signal }: NumberSource,
  revision: bigint,
): Promise<bigint | undefined> {
  return revision < 1n ? 0n : positions.sequenceAt(event, revision, { signal })
}
