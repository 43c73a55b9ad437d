import { createMemoryStore } from '#shared/store/memory.ts'
import { systemClock } from '#shared/telemetry/clock.ts'
import { storeContract } from './store.contract.ts'

storeContract('memory', async () => ({ store: createMemoryStore({ clock: systemClock }) }))
