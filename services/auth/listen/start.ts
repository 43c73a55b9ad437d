/**
 * Finds the positions in the store's history for the start and the end that a client asks for.
 *
 * @module
 */

import { parseCursor } from './cursor.ts'
import type { Place, StartRequest } from './request.ts'
import { AvisoError, HistoryCompacted, isAvisoError } from '#shared/errors.ts'
import {
  sequenceAt,
  sharePositions,
  type JournalPosition,
  type NumberPosition,
} from '#shared/journal/positions.ts'
import { lastElsewhereIn, type FirstNumbers } from '#shared/publish/numbers.ts'
import type { CallOptions, Revision, Store } from '#shared/store/store.ts'
import type { StartPosition } from '#shared/hub/hub.ts'

/** A start in history. */
export type HistoryStart = Extract<StartPosition, { kind: 'revision' }>

/**
 * Finds positions in the journal of an event type. `start` and `end` throw {@link HistoryCompacted} when the
 * place is no longer kept; `start` throws `ERR_EPOCH_CHANGED` for a number that only a store before this one can have given out.
 *
 * The journal is the key that each publish of the event type updates; its history gives the revision of each sequence number and date.
 */
export interface Positions {
  /** The position where a place begins. For a place that is not stored yet, it is the next revision to come. */
  start(event: string, place: Place, options: CallOptions): Promise<HistoryStart>
  /** The last revision of everything up to and including a place; `undefined` when the place is after everything stored. */
  end(event: string, place: Place, options: CallOptions): Promise<Revision | undefined>
  /** Number of the last notification up to and including a revision; `undefined` when that revision is no longer kept, or damaged. */
  sequenceAt(event: string, revision: Revision, options: CallOptions): Promise<bigint | undefined>
}

/** The oldest possible position. */
const FROM_THE_BEGINNING: HistoryStart = { kind: 'revision', revision: 1n }

/**
 * Whether a client asks for everything that is kept. That is 0 in 2.x's API. Its official client (2.4.2) sends 1, because it counts from
 * the last number that it has seen.
 */
export function isFromTheBeginning(start: StartRequest): boolean {
  return start.kind === 'sequence' && start.sequence <= 1n
}

export interface StartContext {
  readonly event: string
  readonly positions: Positions
  readonly epoch: string
  readonly signal: AbortSignal
}

/**
 * Finds where a stream starts.
 *
 * @throws {AvisoError} As {@link Positions}; `ERR_BAD_REQUEST`, `ERR_EPOCH_CHANGED` for a cursor.
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

/** Positions from the journals of the store. @param epoch The epoch of the store. */
export function createPositions(store: Store, epoch: () => string, firstNumbers?: FirstNumbers): Positions {
  const positions = sharePositions(store, epoch, lastElsewhereIn(firstNumbers))
  const find = (event: string, place: Place): Promise<NumberPosition> =>
    place.kind === 'date' ? positions.ofDate(event, place.at) : positions.ofSequence(event, place.sequence)
  return {
    start: async (event, place) => toStart(await find(event, place)),
    end: async (event, place) => {
      if (place.kind === 'sequence') return toEnd(await find(event, place))
      // The last revision before the first later commit.
      const after = toStartBehind(await positions.ofDate(event, place.at + 1))
      return after === undefined ? undefined : after - 1n
    },
    sequenceAt: async (event, revision, options) => {
      try {
        return await sequenceAt(store, event, revision, options)
      } catch (error) {
        if (isAvisoError(error, 'ERR_HISTORY_COMPACTED', 'ERR_STORE_DAMAGED')) return undefined
        throw error
      }
    },
  }
}

function toStart(position: NumberPosition): HistoryStart {
  switch (position.kind) {
    case 'future':
      return { kind: 'revision', revision: position.revision }
    case 'found': {
      const { revision, index } = position
      return index === 0
        ? { kind: 'revision', revision }
        : { kind: 'revision', revision, afterIndex: index - 1 }
    }
    case 'damaged':
      // The stream meets the damage, so its client is told.
      return { kind: 'revision', revision: position.revision }
    case 'compacted':
      throw compacted(position.revision)
    case 'unknown':
      throw new AvisoError(
        'ERR_EPOCH_CHANGED',
        'This store has never given out the number before the one asked for: it was replaced, or put back to an older copy; start again from a date or from now',
      )
  }
}

function toEnd(position: NumberPosition): Revision | undefined {
  switch (position.kind) {
    case 'found':
      return position.revision
    case 'future':
      return undefined
    case 'damaged':
      return position.behind
    case 'unknown':
      return position.revision === undefined ? undefined : position.revision - 1n
    case 'compacted':
      throw compacted(position.revision)
  }
}

/** The first commit that is surely later; `undefined` without one. What is damaged before it belongs to the stream, which tells of it. */
function toStartBehind(position: JournalPosition): Revision | undefined {
  switch (position.kind) {
    case 'future':
      return undefined
    case 'damaged':
      return position.behind
    case 'found':
    case 'compacted':
      return position.revision
  }
}

function compacted(oldest: Revision): HistoryCompacted {
  return new HistoryCompacted(
    'A part of the requested history is no longer kept; start from the oldest position that is kept, or from now',
    oldest,
  )
}
