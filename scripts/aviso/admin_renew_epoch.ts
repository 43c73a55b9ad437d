/**
 * The command `aviso admin renew-epoch`: gives a store that was restored while no service ran a new epoch. Services that run notice such a
 * restore by themselves; services that are started later cannot, because they never saw what was lost.
 *
 * @module
 */

import { readEpoch, renewEpoch } from '#shared/journal/epoch.ts'
import { AvisoError } from '#shared/errors.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import type { CommandContext } from './context.ts'
import { printAnswer } from './answer.ts'
import { explained, nameStore, openNamed, requireEmbedded, type ServicesFlags } from './services_store.ts'

/** @throws {ClientError} where the store cannot be reached or written. */
export async function renew(flags: ServicesFlags, context: CommandContext): Promise<void> {
  await explained(async () => {
    const named = await nameStore(flags, context.output)
    const { address, parts } = named
    if (address === 'embedded:memory')
      throw new AvisoError('ERR_CONFIG', 'embedded:memory keeps nothing: name the store with --store')
    if (parseStoreAddress(address).kind === 'embedded') requireEmbedded(parts.dataFolder)
    const store = await openNamed(named)
    try {
      const before = await readEpoch(store)
      const { epoch, revision } = await renewEpoch(store, before?.epoch ?? '', parts.platform.random)
      const text = [
        `New epoch of ${address}: ${epoch}, at revision ${revision}. ${before === undefined ? 'It had none.' : `It was ${before.epoch}.`}`,
        'Every position that was given out before is refused from now on, and numbers go on at the next billion.',
        'Start the services now.',
      ].join('\n')
      const json = { store: address, epoch, revision: String(revision), before: before?.epoch ?? null }
      printAnswer({ text, json }, context)
    } finally {
      await store.close()
    }
  })
}
