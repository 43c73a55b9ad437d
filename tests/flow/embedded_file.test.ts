/** The file of the embedded store, seen from the launcher: one process has it, and a damaged one is not used. */

import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startServer, temporaryFolder } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

const PAGE_BYTES = 4_096

/** Starts a server that must not start. */
function assertRefused(data: string, output: RegExp): Promise<void> {
  const started = startServer({ arguments: ['--data', data] })
  return assert.rejects(
    started.then((server) => server.stop()),
    output,
  )
}

describe('the file of the embedded store', () => {
  it('is for one process: another one ends with 2 and says so, and the first goes on', async (context) => {
    const data = await temporaryFolder(context)
    const first = await startServer({ arguments: ['--data', data] })
    try {
      await assertRefused(
        data,
        /ended with 2:\n[^]*in use by another process: stop it or choose another data folder/,
      )
      assert.equal((await fetch(`${first.url}/ready`)).status, 200)
    } finally {
      await first.stop()
    }
  })

  it('is not used when it is damaged: the process ends with 2 and says so', async (context) => {
    const data = await temporaryFolder(context)
    const server = await startServer({ arguments: ['--data', data] })
    await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
    assert.equal(await server.stop(), 0)
    const file = await open(join(data, 'aviso.sqlite'), 'r+')
    await file.write(new Uint8Array(3 * PAGE_BYTES).fill(0xa5), 0, 3 * PAGE_BYTES, 2 * PAGE_BYTES)
    await file.close()
    await assertRefused(
      data,
      /ended with 2:\n[^]*aviso\.sqlite is damaged or no database: restore a backup with "aviso admin restore FILE", or move it away/,
    )
  })
})
