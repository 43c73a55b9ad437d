import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { storeContract } from './store.contract.ts'

const folders: string[] = []

storeContract('embedded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-embedded-'))
  folders.push(folder)
  const open = async (): Promise<Store> =>
    openEmbeddedStore(openSqlite(join(folder, 'store.sqlite')), { clock: systemClock })
  return { store: await open(), reopen: open }
})

storeContract('embedded without a file', async () => ({
  store: openEmbeddedStore(openSqlite(':memory:'), { clock: systemClock }),
}))

after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true })
})
