/**
 * From the start and the end a client asked for to positions in the store's history.
 *
 * @module
 */

import { parseCursor } from './cursor.ts'
import type { Place, StartRequest } from './request.ts'
import { HistoryCompacted, isAvisoError } from '#shared/errors.ts'
import { sequenceAt, sharePositions, type JournalPosition } from '#shared/journal/positions.ts'
import type { CallOptions, Revision, Store } from '#shared/store/store.ts'
import type { StartPosition } from '#shared/hub/hub.ts'

/** A start in history. */
export type HistoryStart = Extract<StartPosition, { kind: 'revision' }>

/**
 * Finds positions in the journal of an event type. `start` and `end` throw {@link HistoryCompacted} when the
 * place is no longer kept.
 */
export interface Positions {
  /** Where a place begins; the next revision to come for what is not stored yet. */
  start(event: string, place: Place, options: CallOptions): Promise<HistoryStart>
  /** The last revision of everything up to and including a place; `undefined` where that is all there is. */
  end(event: string, place: Place, options: CallOptions): Promise<Revision | undefined>
  /** Number of the last notification up to and including a revision; `undefined` where that is no longer kept. */
  sequenceAt(event: string, revision: Revision, options: CallOptions): Promise<bigint | undefined>
}

/** The oldest position there can be. */
const FROM_THE_BEGINNING: HistoryStart = { kind: 'revision', revision: 1n }

/**
 * Whether a client asks for everything that is kept: 0 in 2.x's API, which its official client (2.4.2) sends as 1, since it counts from
 * the last number it has seen.
 */
export function isFromTheBeginning(start: StartRequest): boolean {
  return start.kind === 'sequence' && start.sequence <= 1n
}

/** What positions are looked up with. */
export interface StartContext {
  readonly event: string
  readonly positions: Positions
  readonly epoch: string
  readonly signal: AbortSignal
}

/**
 * Where a stream starts.
 *
 * @throws {AvisoError} as {@link Positions}; `ERR_BAD_REQUEST`, `ERR_EPOCH_CHANGED` for a cursor.
 */
export async function resolveStart(
  start: StartRequest,
  { event, positions, epoch, signal }: StartContext,
): Promise<StartPosition> {
  switch (start.kind) {
    case 'live':
      return { kind: 'live' }
    case 'cursor':
      return parseCursor(start.text, epoch)
    case 'sequence':
    case 'date':
      return isFromTheBeginning(start) ? FROM_THE_BEGINNING : positions.start(event, start, { signal })
  }
}

/** Positions as the journal of the store has them. @param epoch The store's. */
export function createPositions(store: Store, epoch: () => string): Positions {
  const positions = sharePositions(store, epoch)
  const find = (event: string, place: Place): Promise<JournalPosition> =>
    place.kind === 'date' ? positions.ofDate(event, place.at) : positions.ofSequence(event, place.sequence)
  return {
    start: async (event, place) => toStart(await find(event, place)),
    end: async (event, place) => {
      if (place.kind === 'sequence') return toEnd(await find(event, place))
      // Everything before the first commit that is later.
      const after = await positions.ofDate(event, place.at + 1)
      return after.kind === 'future' ? undefined : after.revision - 1n
    },
    sequenceAt: async (event, revision, options) => {
      try {
        return await sequenceAt(store, event, revision, options)
      } catch (error) {
        if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return undefined
        throw error
      }
    },
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
      throw compacted(position.revision)
  }
}

function toEnd(position: JournalPosition): Revision | undefined {
  switch (position.kind) {
    case 'found':
      return position.revision
    case 'future':
      return undefined
    case 'compacted':
      throw compacted(position.revision)
  }
}

function compacted(oldest: Revision): HistoryCompacted {
  return new HistoryCompacted(
    'What was asked for is partly no longer kept; start from the oldest position that is, or from now',
    oldest,
  )
}
