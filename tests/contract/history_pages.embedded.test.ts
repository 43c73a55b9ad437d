import { systemClock } from '#shared/time/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { historyPagesContract } from './history_pages.contract.ts'

historyPagesContract('embedded store', async () => createMemoryStore({ clock: systemClock }), { runs: 12 })
