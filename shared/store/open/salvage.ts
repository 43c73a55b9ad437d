/**
 * Goes on with what can be read of an embedded store of which pages are damaged, where the operator accepts the loss.
 *
 * @module
 */

import type { Logger } from '#shared/logger.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Rebuilt } from '../embedded/rebuild.ts'
import { asideName } from './aside.ts'

/** What a store is salvaged with. */
export interface SalvageParts {
  readonly salvage: NonNullable<Platform['salvageDatabase']>
  readonly platform: Pick<Platform, 'random'>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Looks at all of the store, and where pages are damaged puts what can be read of it into its place, with a new epoch.
 *
 * @returns Whether pages were damaged.
 * @throws {AvisoError} `ERR_CONFIG` where it cannot be done, and then nothing is changed.
 */
export async function salvageStore(
  folder: string,
  { salvage, platform, clock, logger }: SalvageParts,
): Promise<boolean> {
  const { rebuildStore } = await import('../embedded/rebuild.ts')
  const aside = asideName('damaged', clock)
  let rebuilt: Rebuilt | undefined
  const isSalvaged = await salvage(folder, {
    aside,
    fill: async (old, copy) => {
      logger(
        'warn',
        'The store is damaged: what can be read is copied, which takes up to a minute for 1,000,000 events',
        {
          sqlite: old.damage,
        },
      )
      rebuilt = await rebuildStore(old, copy, { logger, random: platform.random })
      return rebuilt.witness
    },
  })
  if (rebuilt === undefined) return isSalvaged
  const { damage, kept, lost, spans, isComplete, revision } = rebuilt
  logger('warn', 'The store lost what lay on damaged pages, as accepted: it goes on with a new epoch', {
    damage,
    kept,
    lost,
    revisions: spans,
    ...(!isComplete && {
      unnamed: 'A part of the index is damaged, too: more may be lost, and deleted keys may be back',
    }),
    copy_of_the_damaged_store: `${folder}/${aside}`,
    revision,
  })
  return isSalvaged
}
