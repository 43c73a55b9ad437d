import { createMemoryStore } from '#shared/store/embedded/memory.ts'
import { systemClock } from '#shared/time/clock.ts'
import { storeContract } from './store.contract.ts'

storeContract('memory', async () => ({ store: createMemoryStore({ clock: systemClock }) }))
