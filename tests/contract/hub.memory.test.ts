import { createMemoryStore } from '#shared/store/embedded/memory.ts'
import { systemClock } from '#shared/time/clock.ts'
import { hubContract } from './hub.contract.ts'

hubContract('memory', async () => createMemoryStore({ clock: systemClock }))
