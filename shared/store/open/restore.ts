/**
 * Restores the embedded store from a backup, while no process has it open.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import { asideName } from './aside.ts'
import type { ReadyCopy } from '../embedded/restore.ts'

/** What a restore is done with. */
export interface RestoreStoreParts {
  readonly platform: Pick<Platform, 'restoreDatabase' | 'random'>
  /** Folder of the embedded store. */
  readonly dataFolder: string
  readonly clock: Clock
  readonly logger: Logger
  /** @param share Done so far, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** A restore that was done. */
export interface Restored extends Pick<ReadyCopy, 'copied' | 'revision'> {
  /** Name of the folder, inside the data folder, that holds what was there. */
  readonly aside: string
}

/**
 * Puts a backup in place of the embedded store, with a new epoch: positions of what came after the backup are refused for good. What was
 * there is moved aside.
 *
 * @param file A file that `StoreBackup.snapshot()` made, or a database with its log. It is not changed.
 * @throws {AvisoError} `ERR_CONFIG` where the file cannot be used, or a process has the store open; `ERR_STORE_DAMAGED` where the file is
 *   damaged. What was there is then as it was.
 */
export async function restoreEmbedded(file: string, parts: RestoreStoreParts): Promise<Restored> {
  const { platform, dataFolder, clock, logger, onProgress } = parts
  if (platform.restoreDatabase === undefined)
    throw new AvisoError(
      'ERR_CONFIG',
      'This runtime keeps the database itself: restore it with its own tools',
    )
  const { acknowledgedBy, prepareCopy } = await import('../embedded/restore.ts')
  const aside = asideName('replaced', clock)
  let ready: ReadyCopy | undefined
  let acknowledged = 0n
  await platform.restoreDatabase(file, dataFolder, {
    aside,
    look: (old) => {
      acknowledged = acknowledgedBy(old)
    },
    prepare: async (copy) => {
      ready = await prepareCopy(copy, {
        acknowledged,
        logger,
        random: platform.random,
        ...(onProgress !== undefined && { onProgress }),
      })
      return ready.witness
    },
  })
  if (ready === undefined) throw new TypeError('The copy was put in place without being made ready')
  return { copied: ready.copied, revision: ready.revision, aside }
}
