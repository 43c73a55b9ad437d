/**
 * What a hub promises over any store.
 *
 * @module
 */

import { after, describe } from 'node:test'
import type { Store } from '#shared/store/store.ts'
import { endsContract } from './hub_ends.contract.ts'
import { faultsContract } from './hub_faults.contract.ts'
import { frontContract } from './hub_front.contract.ts'
import { historyContract } from './hub_history.contract.ts'
import { liveContract } from './hub_live.contract.ts'
import { pagingContract } from './hub_paging.contract.ts'
import { pollContract } from './hub_polls.contract.ts'
import { seamContract } from './hub_seam.contract.ts'
import { closeHubs, type HubSubject } from './hub_support.ts'

/** Registers the suite for a store. */
export function hubContract(name: string, openStore: () => Promise<Store>): void {
  describe(`hub over ${name}`, () => {
    const opened: Store[] = []
    const subject: HubSubject = {
      open: async () => {
        const store = await openStore()
        opened.push(store)
        return store
      },
    }
    after(async () => {
      await closeHubs()
      await Promise.all(opened.map((store) => store.close()))
    })
    liveContract(subject)
    frontContract(subject)
    historyContract(subject)
    pagingContract(subject)
    pollContract(subject)
    endsContract(subject)
    faultsContract(subject)
    seamContract(subject)
  })
}
