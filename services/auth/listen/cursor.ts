/**
 * Cursors: a cursor is a stream's position as text. A client keeps it and sends it back to go on from there.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { StartPosition, StreamPosition } from '#shared/hub/hub.ts'

/** Longest accepted cursor. */
const MAX_CHARACTERS = 256
/** Revision and index without leading zeros, so that a position has one spelling; 19 digits hold every int64. */
const CURSOR = /^([A-Za-z0-9_-]+)\.([1-9]\d{0,18})(?:\.(0|[1-9]\d{0,8}))?$/
const MAX_REVISION = 2n ** 63n - 2n

/** `epoch.revision.index`, or `epoch.revision` when the whole revision has been delivered. */
export function formatCursor(epoch: string, { revision, index }: StreamPosition): string {
  return index === undefined ? `${epoch}.${revision}` : `${epoch}.${revision}.${index}`
}

/**
 * The start right after a cursor.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for a text that is not a cursor; `ERR_EPOCH_CHANGED` for a cursor of another store, because its
 *   revisions mean nothing here.
 */
export function parseCursor(text: string, epoch: string): StartPosition {
  const [, cursorEpoch, revisionText, indexText] = (text.length <= MAX_CHARACTERS && CURSOR.exec(text)) || []
  const revision = revisionText === undefined ? undefined : BigInt(revisionText)
  if (revision === undefined || revision > MAX_REVISION) {
    throw new AvisoError('ERR_BAD_REQUEST', 'The position is not one that this service gave out')
  }
  if (cursorEpoch !== epoch) {
    throw new AvisoError(
      'ERR_EPOCH_CHANGED',
      'The store was replaced since this position was given out; start again from a date or from now',
    )
  }
  if (indexText === undefined) return { kind: 'revision', revision: revision + 1n }
  return { kind: 'revision', revision, afterIndex: Number(indexText) }
}
