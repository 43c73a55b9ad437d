import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { databaseFiles, sizeOf, type DatabaseFiles } from '#shared/runtime/database_files.ts'
import { exchanging, putInPlace } from '#shared/runtime/exchange.ts'
import { temporaryFolder } from '../../../support/server.ts'

const OLD = { main: 'old database', log: 'old log', witness: 'old witness' }

/** Files that stand for a database. */
async function makeOld(context: TestContext): Promise<DatabaseFiles> {
  const files = databaseFiles(join(await temporaryFolder(context), 'aviso.sqlite'))
  for (const name of ['main', 'log', 'witness'] as const) await writeFile(files[name], OLD[name])
  return files
}

async function contentsOf(files: DatabaseFiles): Promise<typeof OLD> {
  const [main = '', log = '', witness = ''] = await Promise.all(
    [files.main, files.log, files.witness].map((path) => readFile(path, 'utf8')),
  )
  return { main, log, witness }
}

describe('exchanging()', () => {
  it('puts the old log back where the new database cannot be put in place', async (context) => {
    const files = await makeOld(context)
    const exchange = exchanging(files, async (staged) => {
      // A folder cannot take the place of a file.
      await mkdir(staged.main)
      try {
        putInPlace(files, { witness: toBytes('new witness'), aside: 'aside' })
      } finally {
        await rmdir(staged.main)
      }
    })
    await assert.rejects(exchange, /ENOTDIR/)
    assert.deepEqual(await contentsOf(files), OLD)
    assert.deepEqual((await readdir(join(files.main, '..'))).toSorted(), [
      'aviso.sqlite',
      'aviso.sqlite-wal',
      'aviso.witness',
    ])
  })

  it('leaves the staged database where the old log could not be put back: the next one does that', async (context) => {
    const files = await makeOld(context)
    const pending = join(files.main, '..', 'aviso.pending-aside')
    const exchange = exchanging(files, async (staged) => {
      await writeFile(staged.main, 'new database')
      await mkdir(pending)
      await rename(files.log, join(pending, 'aviso.sqlite-wal'))
      throw new Error('EIO')
    })
    await assert.rejects(exchange, /EIO/)
    await exchanging(files, async (staged) => {
      assert.equal(sizeOf(staged.main), undefined)
    })
    assert.deepEqual(await contentsOf(files), OLD)
    assert.equal(sizeOf(pending), undefined)
  })
})
