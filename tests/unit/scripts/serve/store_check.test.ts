import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import configFile from '../../../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig } from '#services/system/settings.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { createSecretReader } from '#shared/secret.ts'
import { freePort } from '../../../../scripts/etcd/member.ts'
import { checkStore } from '../../../../scripts/serve/store_check.ts'
import { temporaryFolder } from '../../../support/server.ts'

/** What is said about a store. @param data Folder of the embedded one. */
async function ask(store: string, data = 'nowhere', limitMs = 5000): Promise<readonly string[]> {
  const file = { ...configFile, vars: { ...configFile.vars, store }, dev: { ...configFile.dev, data } }
  return checkStore({
    config: loadConfig(JSON.stringify(file), 'file.json'),
    platform: await detectPlatform(),
    readSecret: createSecretReader({}),
    acceptLoss: false,
    limitMs,
  })
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('checkStore()', () => {
  it('names address, cause and remedy of a store that does not answer', async (context) => {
    const closed = `http://127.0.0.1:${await freePort()}`
    assert.deepEqual(await ask(closed), [
      `vars.store: no answer from ${closed}: the connection was refused, so nothing listens there: check that the store runs, and the port in vars.store`,
    ])
    assert.match((await ask('http://nowhere.invalid:2379')).join(), /the host name is unknown/)
    const page = createHttpServer((_request, response) => void response.writeHead(404).end('<html>'))
    context.after(() => {
      page.closeAllConnections()
      page.close()
    })
    assert.match((await ask(await listening(page))).join(), /another program answers there.*404/)
  })

  it('waits no longer than its limit for a store that hangs', async (context) => {
    const sockets: { destroy(): void }[] = []
    const silent = createServer((socket) => void sockets.push(socket))
    context.after(() => {
      for (const socket of sockets) socket.destroy()
      silent.close()
    })
    const store = await listening(silent)
    const startedAt = performance.now()
    assert.deepEqual(await ask(store, '', 300), [
      `vars.store: no answer from ${store}: it does not answer in time: a firewall may drop the connection, or the store may hang`,
    ])
    assert.ok(performance.now() - startedAt < 3000)
  })

  it('finds nothing wrong with an embedded store that is made later, and makes nothing', async (context) => {
    const folder = await temporaryFolder(context)
    assert.deepEqual(await ask('embedded:memory'), [])
    assert.deepEqual(await ask('embedded:', join(folder, 'data')), [])
    assert.deepEqual(await readdir(folder), [])
  })

  it('looks at an embedded store, and changes nothing', async (context) => {
    const folder = await temporaryFolder(context)
    const platform = await detectPlatform()
    const database = await platform.openDatabase(folder)
    assert.match((await ask('embedded:', folder)).join(), /^dev\.data: .* is in use by another process/)
    database.close()
    const before = await readdir(folder)
    assert.deepEqual(await ask('embedded:', folder), [])
    assert.deepEqual(await readdir(folder), before)
    await writeFile(
      join(folder, 'aviso.sqlite'),
      'no database at all, and longer than its first page header'.repeat(100),
    )
    assert.match((await ask('embedded:', folder)).join(), /^dev\.data: /)
  })
})
