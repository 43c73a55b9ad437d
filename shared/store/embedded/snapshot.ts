/**
 * Copies of a store that is in use.
 *
 * @module
 */

import type { DatabaseCopy, SqlDatabase } from '#shared/runtime/runtime.ts'
import type { StoreBackup } from '../maintenance.ts'
import { newestRevision } from './revisions.ts'
import { begin, read, type StoreState } from './state.ts'
import { doInTurns } from './steps.ts'
import { verifyEvents } from './verify.ts'

/** Share of the work that copying is; the rest is verifying. */
const COPY_SHARE = 0.5

/** The copies of a store, each verified before its first byte is handed out. */
export function createSnapshots(
  state: StoreState,
  copyDatabase: NonNullable<SqlDatabase['copy']>,
): StoreBackup['snapshot'] {
  return async (options = {}) => {
    const { signal, onProgress = () => undefined } = options
    begin(state, options)
    const copy = await copyDatabase({
      ...(signal !== undefined && { signal }),
      onProgress: (share) => onProgress(share * COPY_SHARE),
    })
    try {
      const tellShare = (share: number): void => onProgress(COPY_SHARE + share * (1 - COPY_SHARE))
      await doInTurns(verifyEvents(copy, tellShare), (step) => {
        begin(state, options)
        return read(state, step)
      })
      return {
        revision: newestRevision(copy),
        sizeBytes: copy.sizeBytes,
        bytes: readOnce(copy),
        release: () => copy.remove(),
      }
    } catch (error) {
      await copy.remove()
      throw error
    }
  }
}

async function* readOnce(copy: DatabaseCopy): AsyncGenerator<Uint8Array> {
  try {
    yield* copy.bytes()
  } finally {
    await copy.remove()
  }
}
