import { openSqlite } from '#shared/runtime/sqlite.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { publisherContract } from './publisher.contract.ts'

publisherContract('embedded', async () => openEmbeddedStore(openSqlite(':memory:'), { clock: systemClock }))
