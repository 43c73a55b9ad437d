/**
 * The contract of the store port: what every adapter must do, on every runtime. It may run on a store that others use
 * too: each test has keys of its own, and no test assumes an absolute revision.
 *
 * @module
 */

import { after, before, describe } from 'node:test'
import type { Store } from '#shared/store/store.ts'
import { historyContract } from './store_history.contract.ts'
import { leaseContract } from './store_lease.contract.ts'
import { lifeContract } from './store_life.contract.ts'
import { rangeContract } from './store_range.contract.ts'
import { createKeyspace, type KnownDefects, type OpenedStore, type Subject } from './store_support.ts'
import { partsContract } from './store_parts.contract.ts'
import { txnContract } from './store_txn.contract.ts'
import { watchContract } from './store_watch.contract.ts'

/**
 * Registers the suite for one adapter.
 *
 * @param open Opens a store. Called once for the suite and again by tests that close what they opened.
 * @param defects Tests to skip, because a server of that version fails them whatever the adapter does.
 */
export function storeContract(
  name: string,
  open: () => Promise<OpenedStore>,
  defects: KnownDefects = {},
): void {
  describe(`store contract: ${name}`, () => {
    let opened: OpenedStore | undefined
    let spaces = 0
    const run = crypto.randomUUID().slice(0, 8)
    const store = (): Store => {
      if (opened === undefined) throw new Error('The store was not opened')
      return opened.store
    }
    const subject: Subject = {
      ...defects,
      open,
      store,
      space: () => createKeyspace(`${opened?.prefix ?? ''}/contract-${run}/${++spaces}/`),
    }
    before(async () => {
      opened = await open()
    })
    after(async () => {
      await opened?.store.close()
    })
    rangeContract(subject)
    txnContract(subject)
    partsContract(subject)
    watchContract(subject)
    leaseContract(subject)
    historyContract(subject)
    lifeContract(subject)
  })
}
