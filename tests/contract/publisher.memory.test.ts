import { createMemoryStore } from '#shared/store/memory.ts'
import { systemClock } from '#shared/telemetry/clock.ts'
import { publisherContract } from './publisher.contract.ts'

publisherContract('memory', async () => createMemoryStore({ clock: systemClock }))
