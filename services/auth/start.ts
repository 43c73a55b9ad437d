/**
 * From the start a client asked for to a position in the store's history.
 *
 * @module
 */

import { parseCursor } from '#services/auth/cursor.ts'
import type { StartRequest } from '#services/auth/listen_request.ts'
import type { CallOptions } from '#shared/store/store.ts'
import type { StartPosition } from '#shared/watch/hub.ts'

/** A start in history. */
export type HistoryStart = Extract<StartPosition, { kind: 'revision' }>

/**
 * Finds positions. Both throw `ERR_HISTORY_COMPACTED` (`details.oldest_revision`) when the place is no longer kept, and answer with the
 * next revision to come for what is not stored yet.
 */
export interface Positions {
  /** Where the notification with this number stands. */
  ofSequence(event: string, sequence: bigint, options: CallOptions): Promise<HistoryStart>
  /** Where the first notification committed at or after this time stands; milliseconds since the epoch. */
  ofDate(event: string, at: number, options: CallOptions): Promise<HistoryStart>
}

/** The oldest position there can be. */
const FROM_THE_BEGINNING: HistoryStart = { kind: 'revision', revision: 1n }

/** Where a stream of `event` starts. */
export async function resolveStart(
  request: StartRequest,
  event: string,
  { positions, epoch, signal }: { positions: Positions; epoch: string; signal: AbortSignal },
): Promise<StartPosition> {
  switch (request.kind) {
    case 'live':
      return { kind: 'live' }
    case 'cursor':
      return parseCursor(request.text, epoch)
    case 'sequence':
      return request.sequence === 0n
        ? FROM_THE_BEGINNING
        : positions.ofSequence(event, request.sequence, { signal })
    case 'date':
      return positions.ofDate(event, request.at, { signal })
  }
}

export function createPositions(_store: unknown): Positions {
  throw new Error('TODO')
}
