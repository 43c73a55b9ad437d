import { openSqlite } from '#shared/runtime/sqlite.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { hubContract } from './hub.contract.ts'

hubContract('embedded', async () => openEmbeddedStore(openSqlite(':memory:'), { clock: systemClock }))
