import { createMemoryStore } from '#shared/store/memory.ts'
import { systemClock } from '#shared/telemetry/clock.ts'
import { hubContract } from './hub.contract.ts'

hubContract('memory', async () => createMemoryStore({ clock: systemClock }))
