import { createMemoryStore } from '#shared/store/embedded/memory.ts'
import { systemClock } from '#shared/time/clock.ts'
import { publisherContract } from './publisher.contract.ts'

publisherContract('memory', async () => createMemoryStore({ clock: systemClock }))
