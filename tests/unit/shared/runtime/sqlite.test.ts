import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'

describe('openSqlite()', () => {
  it('says that the disk is full, and what to do', () => {
    const full = (): never => {
      // SQLite's own text, on a file system of 64 KiB that another file fills.
      throw new Error('database or disk is full')
    }
    const open = (): unknown => openSqlite(newPath(), { check: full })
    assert.throws(open, { code: 'ERR_CONFIG', message: /its disk is full: free some space there/ })
  })

  let folder = ''
  let files = 0
  const newPath = (): string => join(folder, `${++files}.sqlite`)
  const refuses = (path: string, message: RegExp): void =>
    assert.throws(
      () => openSqlite(path),
      (error) => {
        assert.ok(isAvisoError(error, 'ERR_CONFIG'), String(error))
        assert.match(error.message, message)
        return true
      },
    )

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-sqlite-'))
  })
  after(async () => {
    await rm(folder, { recursive: true })
  })

  it('keeps what was committed', async () => {
    const path = newPath()
    const database = openSqlite(path)
    database.run('CREATE TABLE t (a INTEGER, b BLOB, c TEXT)')
    database.run('INSERT INTO t VALUES (?, ?, ?)', 2 ** 53 - 1, new Uint8Array([0, 255]), 'text')
    database.close()
    const again = openSqlite(path)
    const [row] = again.all('SELECT * FROM t')
    assert.deepEqual({ ...row }, { a: 2 ** 53 - 1, b: new Uint8Array([0, 255]), c: 'text' })
    assert.ok(again.sizeBytes() > 0)
    again.close()
  })

  it('syncs every commit to disk and takes the log as its journal', async () => {
    const database = openSqlite(newPath())
    assert.deepEqual({ ...database.all('PRAGMA synchronous')[0] }, { synchronous: 2 })
    assert.deepEqual({ ...database.all('PRAGMA journal_mode')[0] }, { journal_mode: 'wal' })
    database.close()
  })

  it('undoes a transaction that throws, and passes its error on', async () => {
    const database = openSqlite(':memory:')
    database.run('CREATE TABLE t (a INTEGER UNIQUE)')
    const failing = (): void => {
      database.run('INSERT INTO t VALUES (1)')
      throw new RangeError('on purpose')
    }
    assert.throws(() => database.transaction(failing), RangeError)
    assert.throws(() =>
      database.transaction(() => {
        database.run('INSERT INTO t VALUES (1)')
        database.run('INSERT INTO t VALUES (1)')
      }),
    )
    assert.equal(database.all('SELECT * FROM t').length, 0)
    assert.equal(
      database.transaction(() => {
        database.run('INSERT INTO t VALUES (1)')
        return 'result'
      }),
      'result',
    )
    assert.equal(database.all('SELECT * FROM t').length, 1)
    database.close()
  })

  it('gives room back to the file system, step by step', async () => {
    const database = openSqlite(newPath())
    database.run('CREATE TABLE t (a BLOB)')
    database.transaction(() => {
      for (let row = 0; row < 3_000; row++) database.run('INSERT INTO t VALUES (zeroblob(4000))')
    })
    const full = database.sizeBytes()
    database.run('DELETE FROM t')
    assert.equal(database.sizeBytes(), full)
    database.reclaim()
    const less = database.sizeBytes()
    assert.ok(less < full && less > full / 4, `${full} → ${less}`)
    for (let step = 0; step < 3; step++) database.reclaim()
    assert.ok(database.sizeBytes() < full / 20)
    database.close()
  })

  it('has no size in memory', async () => {
    const database = openSqlite(':memory:')
    database.run('CREATE TABLE t (a BLOB)')
    assert.equal(database.sizeBytes(), 0)
    database.close()
    database.close()
  })

  it('refuses a file that this process has open', async () => {
    const path = newPath()
    const database = openSqlite(path)
    refuses(path, /in use by another process/)
    database.close()
    openSqlite(path).close()
  })

  it('refuses a file that another process has open', async () => {
    const path = newPath()
    const database = openSqlite(path)
    const module = new URL('../../../../shared/runtime/sqlite.ts', import.meta.url).href
    const script = `import(${JSON.stringify(module)}).then(({ openSqlite }) => openSqlite(${JSON.stringify(path)})).then(() => 'opened', (e) => e.code + ' ' + e.message).then((text) => console.log(text))`
    const flags = 'Deno' in globalThis ? ['eval', '--no-check', '-A'] : ['-e']
    const output = await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, [...flags, script], (error, text) =>
        error === null ? resolve(text) : reject(error),
      )
    })
    assert.match(output, /^ERR_CONFIG .*in use by another process/)
    database.close()
  })

  it('refuses a file that is no database', async () => {
    const path = newPath()
    await writeFile(path, 'no database '.repeat(1_000))
    refuses(path, /damaged or no database/)
  })

  it("refuses another program's database and leaves it as it was", async () => {
    const path = newPath()
    const foreign = new DatabaseSync(path)
    foreign.exec('CREATE TABLE theirs (a)')
    foreign.close()
    refuses(path, /of another program/)
    const again = new DatabaseSync(path)
    assert.equal(again.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'delete')
    assert.equal(again.prepare('PRAGMA application_id').get()?.['application_id'], 0)
    again.close()
  })

  it('refuses a damaged file', async () => {
    const path = newPath()
    const database = openSqlite(path)
    database.run('CREATE TABLE t (a BLOB)')
    database.transaction(() => {
      for (let row = 0; row < 200; row++) database.run('INSERT INTO t VALUES (zeroblob(1000))')
    })
    database.close()
    const file = await open(path, 'r+')
    await file.write(new Uint8Array(8_192).fill(0xa5), 0, 8_192, 4_096 * 4)
    await file.close()
    refuses(path, /damaged/)
  })

  it('refuses a path in no folder', async () => {
    refuses(join(folder, 'absent', 'x.sqlite'), /cannot be opened/)
  })
})
