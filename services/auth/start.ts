/**
 * From the start a client asked for to a position in the store's history.
 *
 * @module
 */

import { parseCursor } from '#services/auth/cursor.ts'
import type { StartRequest } from '#services/auth/listen_request.ts'
import { AvisoError } from '#shared/errors.ts'
import { revisionOfDate, revisionOfSequence, type JournalPosition } from '#shared/journal/positions.ts'
import type { CallOptions, Store } from '#shared/store/store.ts'
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

/** Positions as the journal of the store has them. */
export function createPositions(store: Store): Positions {
  return {
    ofSequence: async (event, sequence, options) =>
      toStart(await revisionOfSequence(store, event, sequence, options)),
    ofDate: async (event, at, options) => toStart(await revisionOfDate(store, event, at, options)),
  }
}

function toStart(position: JournalPosition): HistoryStart {
  switch (position.kind) {
    case 'future':
      return { kind: 'revision', revision: position.revision }
    case 'found': {
      const { revision, index } = position
      return index === 0
        ? { kind: 'revision', revision }
        : { kind: 'revision', revision, afterIndex: index - 1 }
    }
    case 'compacted':
      throw new AvisoError(
        'ERR_HISTORY_COMPACTED',
        'What was asked for is partly no longer kept; start from the oldest position that is, or from now',
        { details: { oldest_revision: position.revision.toString() } },
      )
  }
}
